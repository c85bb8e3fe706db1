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

// netipValues lets go-cmp compare addresses by value.
var netipValues = cmp.Options{
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

// defaultCheck returns what a [[check]] with only a name and a type is.
func defaultCheck(name, kind string) *Check {
	return &Check{
		Name: name, Type: kind, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3,
		Method: "GET", Path: "/", ExpectStatus: [][2]int{{200, 299}},
	}
}

var (
	defaultSpeaker  = Speaker{Heartbeat: 300 * time.Millisecond, OnDirectorLoss: HandOver, HoldTime: 30 * time.Second}
	defaultAnnounce = Announce{Count: 5, Interval: 25 * time.Millisecond, Delay: 5 * time.Second, Rate: 5000}
)

func TestParse(t *testing.T) {
	web := defaultCheck("web", "http")
	web.Interval, web.Timeout = 500*time.Millisecond, 500*time.Millisecond
	web.Headers = map[string]string{"X-Probe": "a"}
	web.ExpectStatus = [][2]int{{204, 204}, {300, 399}}
	dns := defaultCheck("dns", "udp")
	dns.Send, dns.Expect = []byte{0, 0xff}, []byte("ok")

	director := Director{Name: "d1", StateDir: "/run/lvs-ha", OnStop: OnStopRemove}
	tests := map[string]struct {
		text string
		want Config
	}{
		"defaults": {
			text: `
				director.name = "d1"
				[[vrrp]]
				name = "web"
				interface = "eth0"
				vrid = 51
				addresses = ["192.0.2.10", "2001:db8::10"]
				[[virtual_server]]
				name = "www"
				addresses = ["192.0.2.10:80"]
				[[virtual_server.real_server]]
				address = "10.0.1.11:80"`,
			want: Config{
				Director: director,
				Speaker:  defaultSpeaker,
				Sync:     Sync{Mode: "off"},
				Instances: []Instance{{
					Name: "web", Version: 3, Accept: true, Announce: defaultAnnounce,
					Interface: "eth0", VRID: 51, Priority: 100, AdvertInterval: time.Second, Preempt: true, Lease: 5 * time.Second,
					Addresses: []Address{
						{Prefix: netip.MustParsePrefix("192.0.2.10/32"), Interface: "eth0"},
						{Prefix: netip.MustParsePrefix("2001:db8::10/128"), Interface: "eth0"},
					},
				}},
				VirtualServers: []VirtualServer{{
					Name: "www", Addresses: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.10:80")},
					Protocol: "tcp", Scheduler: "wlc", Forward: "masquerade", OnFailure: "weight0", Quorum: 1,
					RealServers: []RealServer{{Address: netip.MustParseAddrPort("10.0.1.11:80"), Weight: 100, Forward: "masquerade"}},
				}},
			},
		},
		"instance and sync": {
			text: `
				[director]
				name = "d1"
				state_dir = "/var/lib/x/"
				on_stop = "keep"
				[sync]
				mode = "multicast"
				instance = "web"
				[[vrrp]]
				name = "web"
				interface = "eth0"
				vrid = 51
				priority = 254
				advert_interval = "10ms"
				preempt = false
				lease = "0s"
				addresses = ["192.0.2.10/24", { address = "10.0.1.1/24", interface = "eth1" }]`,
			want: Config{
				Director: Director{Name: "d1", StateDir: "/var/lib/x", OnStop: OnStopKeep},
				Speaker:  defaultSpeaker,
				Sync:     Sync{Mode: "multicast", ID: 51, Instance: "web", Interface: "eth0"},
				Instances: []Instance{{
					Name: "web", Version: 3, Accept: true, Announce: defaultAnnounce,
					Interface: "eth0", VRID: 51, Priority: 254, AdvertInterval: 10 * time.Millisecond,
					Addresses: []Address{
						{Prefix: netip.MustParsePrefix("192.0.2.10/24"), Interface: "eth0"},
						{Prefix: netip.MustParsePrefix("10.0.1.1/24"), Interface: "eth1"},
					},
				}},
			},
		},
		"checks are resolved": {
			text: `
				director = { name = "d1" }
				[[virtual_server]]
				name = "www"
				addresses = ["192.0.2.10:80", "[2001:db8::10]:8080"]
				forward = "direct"
				check = "web"
				real_server = [
					{ address = "10.0.1.11:80", weight = 0 },
					{ address = "[2001:db8::11]:80", check = "dns", forward = "masquerade" },
				]
				[[check]]
				name = "web"
				type = "http"
				interval = "500ms"
				expect_status = ["204", "300-399"]
				headers.x-probe = "a"
				[[check]]
				name = "dns"
				type = "udp"
				send = "hex:00ff"
				expect = "ok"`,
			want: Config{
				Director: director,
				Speaker:  defaultSpeaker,
				Sync:     Sync{Mode: "off"},
				VirtualServers: []VirtualServer{{
					Name: "www", Protocol: "tcp", Scheduler: "wlc", Forward: "direct", OnFailure: "weight0", Quorum: 1,
					Addresses: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.10:80"), netip.MustParseAddrPort("[2001:db8::10]:8080")},
					RealServers: []RealServer{
						{Address: netip.MustParseAddrPort("10.0.1.11:80"), Weight: 0, Forward: "direct", Check: web},
						{Address: netip.MustParseAddrPort("[2001:db8::11]:80"), Weight: 100, Forward: "masquerade", Check: dns},
					},
				}},
			},
		},
		"no real servers, one VRID on two interfaces, one link-local VIP on each": {
			text: `
				director.name = "d1"
				[[virtual_server]]
				name = "www"
				addresses = ["192.0.2.10:80"]
				protocol = "udp"
				[[vrrp]]
				name = "a"
				interface = "eth0"
				vrid = 1
				advert_interval = "100ms"
				addresses = ["fe80::1/64"]
				[[vrrp]]
				name = "b"
				interface = "eth1"
				vrid = 1
				advert_interval = "40.95s"
				addresses = ["fe80::1/64"]`,
			want: Config{
				Director: director,
				Speaker:  defaultSpeaker,
				Sync:     Sync{Mode: "off"},
				Instances: []Instance{
					{Name: "a", Version: 3, Accept: true, Announce: defaultAnnounce,
						Interface: "eth0", VRID: 1, Priority: 100, AdvertInterval: 100 * time.Millisecond, Preempt: true, Lease: 3 * time.Second,
						Addresses: []Address{{Prefix: netip.MustParsePrefix("fe80::1/64"), Interface: "eth0"}}},
					{Name: "b", Version: 3, Accept: true, Announce: defaultAnnounce,
						Interface: "eth1", VRID: 1, Priority: 100, AdvertInterval: 40950 * time.Millisecond, Preempt: true, Lease: 149 * time.Second,
						Addresses: []Address{{Prefix: netip.MustParsePrefix("fe80::1/64"), Interface: "eth1"}}},
				},
				VirtualServers: []VirtualServer{{
					Name: "www", Addresses: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.10:80")},
					Protocol: "udp", Scheduler: "wlc", Forward: "masquerade", OnFailure: "weight0", Quorum: 1,
				}},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{test.text, byteOrderMark + strings.ReplaceAll(test.text, "\n", "\r\n")} {
				got, problems := Parse("test.toml", []byte(text), nil)
				if len(problems) > 0 {
					t.Fatalf("problems: %v", problems)
				}
				if diff := cmp.Diff(&test.want, got, netipValues); diff != "" {
					t.Errorf("Config differs (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestDefaultLease holds the default against RFC 9568 section 6.1: 3 x interval + ((256 - priority) x interval) / 256.
func TestDefaultLease(t *testing.T) {
	tests := []struct {
		priority uint8
		interval time.Duration
		want     time.Duration
	}{
		{priority: 255, interval: time.Second, want: 5 * time.Second},            // 3.004 s + 1 s
		{priority: 1, interval: time.Second, want: 5 * time.Second},              // 3.996 s + 1 s
		{priority: 128, interval: 2 * time.Second, want: 8 * time.Second},        // 6 s + 1 s + 1 s exactly
		{priority: 127, interval: 2 * time.Second, want: 9 * time.Second},        // just above
		{priority: 100, interval: 10 * time.Millisecond, want: 3 * time.Second},  // the least
		{priority: 1, interval: maxAdvertInterval, want: 165 * time.Second},      // 163.64 s + 1 s
		{priority: 200, interval: 500 * time.Millisecond, want: 3 * time.Second}, // 1.61 s + 1 s
	}
	for _, test := range tests {
		if got := defaultLease(version3, test.priority, test.interval); got != test.want {
			t.Errorf("defaultLease(3, %d, %s) = %s, want %s", test.priority, test.interval, got, test.want)
		}
	}
}

// TestDefaultLeaseVersion2 holds the default against RFC 3768 section 6.1: 3 x interval + (256 - priority) / 256 s.
func TestDefaultLeaseVersion2(t *testing.T) {
	tests := []struct {
		priority uint8
		interval time.Duration
		want     time.Duration
	}{
		{priority: 1, interval: time.Second, want: 5 * time.Second},       // 3.996 s + 1 s
		{priority: 1, interval: 10 * time.Second, want: 32 * time.Second}, // 30.996 s + 1 s; 41 s in version 3
		{priority: 255, interval: 255 * time.Second, want: 767 * time.Second},
	}
	for _, test := range tests {
		if got := defaultLease(version2, test.priority, test.interval); got != test.want {
			t.Errorf("defaultLease(2, %d, %s) = %s, want %s", test.priority, test.interval, got, test.want)
		}
	}
}

func TestOwnerCarriesItsAddresses(t *testing.T) {
	text := `
		[[vrrp]]
		name = "web"
		interface = "eth0"
		vrid = 1
		priority = 255
		addresses = ["192.0.2.1", { address = "10.0.2.9/24", interface = "eth1" }]`
	c, problems := Parse("test.toml", []byte(text), testMachine)
	if c == nil || len(problems) > 0 {
		t.Errorf("Parse: %v, problems %v", c, problems)
	}
}

func TestMissingInterfaceIsAWarning(t *testing.T) {
	text := `
		[[vrrp]]
		name = "web"
		interface = "eth9"
		vrid = 1
		addresses = ["192.0.2.10/24"]`
	c, problems := Parse("test.toml", []byte(text), testMachine)
	want := []Problem{{
		File: "test.toml", Line: 4, Column: 15, Warning: true, Source: "\t\tinterface = \"eth9\"",
		Message: "interface \"eth9\" does not exist on this machine: expected one that `ip link` shows",
	}}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("problems differ (-want +got):\n%s", diff)
	}
	if c == nil {
		t.Error("no Config in spite of nothing but a warning")
	}
}

func TestAddressesThatFitAnAdvertisement(t *testing.T) {
	tests := []struct {
		name, format string
		count        int
		ok           bool
	}{
		{"255 IPv4", "10.0.1.%", 254, true}, // and 10.0.2.1
		{"256 IPv4", "10.0.1.%", 255, false},
		{"89 IPv6", "2001:db8::%", 88, true}, // and 2001:db8:1::1
		{"90 IPv6", "2001:db8::%", 89, false},
		{"88 IPv6, signed", "2001:db8::%", 87, true},
		{"89 IPv6, signed", "2001:db8::%", 88, false},
		{"1 IPv4, 4000 excluded", "10.0.0.%", 4000, true},
		{"1 IPv4, 4001 excluded", "10.0.0.%", 4001, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var addresses []string
			a := netip.MustParseAddr(strings.ReplaceAll(test.format, "%", "0"))
			for range test.count {
				a = a.Next()
				addresses = append(addresses, `"`+a.String()+`"`)
			}
			other := `"10.0.2.1"`
			if a.Is6() {
				other = `"2001:db8:1::1"`
			}
			list := "addresses = [" + strings.Join(append(addresses, other), ",") + "]"
			switch {
			case strings.HasSuffix(test.name, "signed"):
				list += ", auth = { keys = [{ id = 1, key = '" + strings.Repeat("k", 32) + "' }] }"
			case strings.HasSuffix(test.name, "excluded"):
				list = "addresses = ['10.1.0.1'], excluded = [" + strings.Join(addresses, ",") + "]"
			}
			text := "vrrp = [{ name = 'a', interface = 'eth0', vrid = 1, " + list + " }]"
			if _, problems := Parse("test.toml", []byte(text), nil); test.ok != (len(problems) == 0) {
				t.Errorf("problems: %v", problems)
			}
		})
	}
}

// TestCAFile finds the file relative to the configuration, and takes a certificate.
func TestCAFile(t *testing.T) {
	dir := t.TempDir()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "lvs-ha.toml")
	text := `
		check = [{ name = "web", type = "https", ca_file = "ca.pem" }]
		[[virtual_server]]
		name = "www"
		addresses = ["192.0.2.10:443"]
		check = "web"
		real_server = [{ address = "10.0.1.11:443" }]`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, problems := Load(file, nil)
	if c == nil {
		t.Fatalf("problems: %v", problems)
	}
	if got, want := c.VirtualServers[0].RealServers[0].Check.CAFile, filepath.Join(dir, "ca.pem"); got != want {
		t.Errorf("CAFile = %q, want %q", got, want)
	}
}

func TestLoadUnreadableFile(t *testing.T) {
	c, problems := Load("testdata/none.toml", nil)
	if c != nil || len(problems) != 1 {
		t.Fatalf("Load: %v, problems %v", c, problems)
	}
	want := "testdata/none.toml: cannot read the configuration: no such file or directory"
	if got := problems[0].String(); got != want {
		t.Errorf("problem = %q, want %q", got, want)
	}
}

func TestHostNameIsTheDefault(t *testing.T) {
	hostName, err := os.Hostname()
	if err != nil {
		t.Skip("this machine has no host name:", err)
	}
	c, problems := Parse("test.toml", []byte("vrrp = [{ name = 'a', interface = 'eth0', vrid = 1, addresses = ['192.0.2.1'] }]"), nil)
	if c == nil {
		t.Fatalf("problems: %v", problems)
	}
	if c.Director.Name != hostName {
		t.Errorf("name = %q, want %q", c.Director.Name, hostName)
	}
}
