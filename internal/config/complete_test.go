// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/pem"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const completeFile = "testdata/good/complete.toml"

// installComplete puts the file that has every key, and the files that it names, into a new folder.
func installComplete(t *testing.T) (file string) {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(completeFile)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	for name, content := range map[string][]byte{
		"lvs-ha.toml":  text,
		"ca.pem":       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		"web.key":      []byte("hex:" + strings.Repeat("ff", 64) + "\r\n"),
		"web-key":      []byte(strings.Repeat("k", 32) + "\n"),
		"old.password": []byte("12345678\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	return filepath.Join(dir, "lvs-ha.toml")
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }

// TestCompleteFile reads every key of every table.
func TestCompleteFile(t *testing.T) {
	file := installComplete(t)
	c, problems := Load(file, testMachine)
	if c == nil || len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	key32 := make([]byte, 32)
	for i := range key32 {
		key32[i] = byte(i)
	}
	checks := map[string]*Check{
		"web": {
			Name: "web", Type: "https", Interval: 5 * time.Second, Timeout: 2 * time.Second, Rise: 1, Fall: 5,
			Method: "POST", Path: "/healthz", Host: "www.example.com", Headers: map[string]string{"X-Probe": "lvs-ha"},
			ExpectStatus: [][2]int{{204, 204}}, ExpectBody: "ok", ExpectRegexp: "^ok",
			TLSServerName: "web.example.com", CAFile: filepath.Join(filepath.Dir(file), "ca.pem"),
		},
		"dns": defaultCheck("dns", "udp"),
	}
	checks["dns"].Send, checks["dns"].Expect = []byte{0, 255}, []byte("ok")
	want := &Config{
		Director: Director{Name: "d1", StateDir: "/var/lib/lvs-ha", OnStop: OnStopKeep},
		Speaker:  Speaker{RealtimePriority: 50, Heartbeat: 500 * time.Millisecond, OnDirectorLoss: Hold, HoldTime: time.Minute},
		Sync:     Sync{Mode: "multicast", ID: 7, Instance: "web", Interface: "eth1"},
		Instances: []Instance{
			{
				Name: "web", Interface: "eth0", VRID: 51, Version: 3, Priority: 200, AdvertInterval: 100 * time.Millisecond, Lease: 10 * time.Second,
				Preempt: true, PreemptDelay: 30 * time.Second, StartupDelay: 10 * time.Second,
				Auth: &Auth{
					Mode: "permissive", ActiveKey: 2, Replay: "time", Window: 7 * time.Second,
					Keys: []Key{
						{1, []byte("an old key of 32 bytes, and more")},
						{2, []byte(strings.Repeat("\xff", 64))},
						{3, []byte(strings.Repeat("k", 32))},
					},
				},
				Unicast:        &Unicast{Sources: []netip.Addr{addr("192.0.2.1")}, Peers: []netip.Addr{addr("192.0.2.2"), addr("192.0.2.3")}, TTL: 64, MinTTL: 60},
				ChecksumCompat: true, VirtualMAC: "vrrp.51",
				Addresses: []Address{
					{Prefix: prefix("192.0.2.10/24"), Interface: "vrrp.51"},
					{Prefix: prefix("192.0.2.11/24"), Interface: "eth0", Label: "eth0:web", Scope: 253},
				},
				Excluded: []Address{
					{Prefix: prefix("192.0.2.12/24"), Interface: "vrrp.51"},
					{Prefix: prefix("2001:db8::12/64"), Interface: "eth1"},
				},
				Routes: []Route{
					{Destination: anyIPv4, Via: addr("192.0.2.254"), Interface: "vrrp.51", Source: addr("192.0.2.10"), Metric: 10, Table: 100},
					{Destination: prefix("10.8.0.0/16"), Interface: "eth1", Table: 254},
				},
				Rules: []Rule{
					{Family: "ipv4", From: prefix("192.0.2.0/24"), IIF: "eth1", OIF: "vrrp.51", FWMark: 16, Table: 100, Priority: 1000},
					{Family: "ipv6", Table: 254, Priority: 1000},
				},
				Tracks:   []TrackUse{{"uplink", 0}, {"load", -30}, {"pool", 20}},
				Announce: Announce{Count: 3, Interval: 50 * time.Millisecond, Refresh: time.Minute, Rate: 1000},
			},
			{
				Name: "web6", Interface: "eth0", VRID: 51, Version: 3, Priority: 100, AdvertInterval: time.Second, Lease: 5 * time.Second,
				Preempt: true, Accept: true, VirtualMAC: "vmac6", Announce: defaultAnnounce,
				Auth:      &Auth{Mode: "enforce", ActiveKey: 9, Replay: "time", Window: 5 * time.Second, Keys: []Key{{9, key32}}},
				Addresses: []Address{{Prefix: prefix("2001:db8::10/64"), Interface: "vmac6"}},
			},
			{
				Name: "old", Interface: "eth1", VRID: 52, Version: 2, Priority: 1, AdvertInterval: 3 * time.Second, Lease: 11 * time.Second,
				Preempt: true, Accept: true, Password: "1234567", Announce: defaultAnnounce,
				Addresses: []Address{{Prefix: prefix("10.0.2.1/24"), Interface: "eth1"}},
			},
			{
				Name: "old2", Interface: "eth1", VRID: 53, Version: 2, Priority: 100, AdvertInterval: time.Second, Lease: 5 * time.Second,
				Preempt: true, Accept: true, Password: "12345678", Announce: defaultAnnounce,
				Addresses: []Address{{Prefix: prefix("10.0.2.2/24"), Interface: "eth1"}},
			},
		},
		SyncGroups: []SyncGroup{{Name: "site", Members: []string{"web", "web6"}}},
		Tracks: []Track{
			{Name: "uplink", Type: "interface", Interface: "eth1"},
			{Name: "load", Type: "file", File: filepath.Join(filepath.Dir(file), "load.txt")},
			{Name: "disk", Type: "command", Command: []string{"/bin/sh", "-c", "test -w /var"}, User: "operator",
				Interval: 10 * time.Second, Timeout: 5 * time.Second, Rise: 1, Fall: 2},
			{Name: "dns", Type: "process", Process: "named", Count: 2},
			{Name: "pool", Type: "quorum", VirtualServer: "www"},
		},
		Notifies: []Notify{{
			Command: []string{"/bin/sh", "/etc/lvs-ha/notify"}, Instances: []string{"web", "old"}, Events: []string{"master", "fault"},
			User: "operator", Timeout: time.Second,
		}},
		VirtualServers: []VirtualServer{{
			Name: "www", Addresses: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.10:443")}, Protocol: "tcp", Scheduler: "rr",
			Forward: "direct", OnFailure: "remove", Quorum: 60,
			RealServers: []RealServer{{Address: netip.MustParseAddrPort("10.0.1.11:443"), Weight: 60, Forward: "tunnel", Check: checks["dns"]}},
		}},
	}
	if diff := cmp.Diff(want, c, netipValues); diff != "" {
		t.Errorf("Config differs (-want +got):\n%s", diff)
	}
}

// TestReference holds the reference documentation against the keys that the reader asks for: each has a row in the
// section of its table, and no row has a key that does not exist.
func TestReference(t *testing.T) {
	const reference = "../../docs/configuration.md"
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(completeFile)
	if err != nil {
		t.Fatal(err)
	}
	doc := newDocument(completeFile, data)
	root, _ := doc.root()
	newReader(doc, nil, ".").config(root)
	for name, keys := range doc.known {
		if name == root.name {
			continue // its keys are the names of the others
		}
		section, found := section(string(text), name)
		if !found {
			t.Errorf("%s has no section %s", reference, name)
			continue
		}
		documented := make(map[string]bool)
		for line := range strings.Lines(section) {
			cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
			if key := strings.Trim(cell, "`"); strings.HasPrefix(line, "| `") {
				documented[key] = true
			}
		}
		for _, key := range keys {
			if !documented[key] {
				t.Errorf("%s: no row for %q in section %s", reference, key, name)
			}
			delete(documented, key)
		}
		for key := range documented {
			t.Errorf("%s: section %s has a row for %q, which is no key", reference, name, key)
		}
	}
}

// section returns the part of the reference that describes a table. A VIP's table is described with the instance.
func section(text, name string) (section string, found bool) {
	const vip = "\n| key of a VIP's table |"
	isVIP := name == "[[vrrp.addresses]]" || name == "[[vrrp.excluded]]"
	if isVIP {
		name = "[[vrrp]]"
	}
	_, section, found = strings.Cut(text, "\n## "+name+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if name == "[[vrrp]]" {
		instance, vips, _ := strings.Cut(section, vip)
		if section = instance; isVIP {
			section, _, _ = strings.Cut(vips, "\n\n")
		}
	}
	return section, found
}

// TestReferenceExamples reads the TOML of the reference documentation, all of it as one file.
func TestReferenceExamples(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	for n, block := range strings.Split(string(text), "```toml\n") {
		if n > 0 {
			example, _, _ := strings.Cut(block, "```")
			file.WriteString(example)
		}
	}
	installed := installComplete(t)
	if _, problems := Parse(installed, []byte(file.String()), nil); file.Len() == 0 || len(problems) > 0 {
		t.Errorf("problems: %v in\n%s", problems, file.String())
	}
}

// TestShippedFilesAreValid reads the example and the lab's files.
func TestShippedFilesAreValid(t *testing.T) {
	files, err := filepath.Glob("../../conf/lab/*/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("files of the lab: %v, %v", files, err)
	}
	for _, file := range append(files, "../../conf/lvs-ha.toml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if c, problems := Parse(file, data, nil); c == nil || len(problems) > 0 {
			t.Errorf("%s: %v", file, problems)
		}
	}
}
