// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestJournalIsReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "addresses.json")
	j, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	owned := owning(addr("eth0", "192.0.2.10/24"), addr("eth1", "2001:db8::10/64"))
	if err := j.record(holdings{addresses: owned}, nil); err != nil {
		t.Fatal(err)
	}
	again, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(owned.names(), again.held.addresses.names(), prefixes); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 {
		t.Errorf("%d files in the folder, want the journal alone", len(files))
	}
}

func TestJournalIsWrittenOnlyWhenChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "addresses.json")
	j, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	owned := owning(addr("eth0", "192.0.2.10/24"))
	if err := j.record(holdings{addresses: owned}, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := j.record(holdings{addresses: owning(addr("eth0", "192.0.2.10/24"))}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("an unchanged journal was written again (stat: %v)", err)
	}
}

func TestJournalThatFailedIsWrittenNextTime(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(folder, "addresses.json")
	j, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	owned := owning(addr("eth0", "192.0.2.10/24"))
	err = j.record(holdings{addresses: owned}, nil)
	if want := "write address journal " + path + ": no such file or directory"; err == nil || err.Error() != want {
		t.Fatalf("folder missing: error %v, want %s", err, want)
	}
	if !JournalOnly(errors.Join(err, err)) || JournalOnly(errors.Join(err, os.ErrInvalid)) || JournalOnly(nil) {
		t.Error("JournalOnly does not tell it from other errors")
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := j.record(holdings{addresses: owned}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("unchanged since it failed, and not written: %v", err)
	}
}

func TestCorruptJournal(t *testing.T) {
	for name, tt := range map[string]struct{ content, reason string }{
		"empty":           {"", "not a journal"},
		"no JSON":         {"eth0 192.0.2.10/24\n", "not a journal"},
		"cut off":         {`{"version":1,"addresses":[{"interface":"eth0"`, "not a journal"},
		"two objects":     {`{"version":1,"addresses":[]}{}`, "more follows"},
		"unknown field":   {`{"version":1,"addresses":[],"vips":[]}`, `unknown field "vips"`},
		"later version":   {`{"version":3,"addresses":[]}`, "version 3"},
		"no version":      {`{"addresses":[]}`, "version 0"},
		"no interface":    {`{"version":1,"addresses":[{"prefix":"192.0.2.10/24"}]}`, "address 1 lacks"},
		"no prefix":       {`{"version":1,"addresses":[{"interface":"eth0"}]}`, "address 1 lacks"},
		"no such address": {`{"version":1,"addresses":[{"interface":"eth0","prefix":"192.0.2.256/24"}]}`, "192.0.2.256"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "addresses.json")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := OpenKeeper(path)
			for _, part := range []string{path, tt.reason, "remove the file"} {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("error %v lacks %q", err, part)
				}
			}
		})
	}
}

// holding draws what a keeper may hold.
var holding = rapid.Custom(func(t *rapid.T) holdings {
	held := newHoldings()
	index := rapid.IntRange(1, 1<<31-1)
	number := rapid.SampledFrom([]string{"0", "1", "2"})
	for _, a := range rapid.SliceOf(addresses).Draw(t, "addresses") {
		held.addresses[a] = index.Draw(t, "index")
	}
	for _, name := range rapid.SliceOf(rapid.StringMatching(`vrrp6?\.[1-9]{1,3}`)).Draw(t, "names") {
		held.macs[name] = macLink{"eth0", index.Draw(t, "index"), "00:00:5e:00:01:33"}
	}
	for name := range baseSettings {
		held.settings[setting{"eth0", index.Draw(t, "index"), name}] = number.Draw(t, "former")
	}
	return held
})

func TestJournalRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		held := holding.Draw(t, "held")
		got, err := parseJournal(formatJournal(held))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(held, got, prefixes, unexported); diff != "" {
			t.Errorf("held (-want +got):\n%s", diff)
		}
	})
}

var unexported = cmp.AllowUnexported(holdings{}, macLink{}, setting{})

func TestJournalOfVersion1(t *testing.T) {
	got, err := parseJournal([]byte(`{"version":1,"addresses":[{"interface":"eth0","prefix":"192.0.2.10/24"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(owning(addr("eth0", "192.0.2.10/24")), got.addresses); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

func TestCorruptRecords(t *testing.T) {
	for name, tt := range map[string]struct{ part, reason string }{
		"virtual MAC without base":   {`"virtual_macs":[{"name":"vrrp.1","index":2,"hardware_addr":"00:00:5e:00:01:01"}]`, "virtual MAC 1 lacks"},
		"setting of another program": {`"settings":[{"interface":"eth0","index":2,"name":"../forwarding","former":"1"}]`, "setting 1 lacks"},
		"former value no number":     {`"settings":[{"interface":"eth0","index":2,"name":"arp_ignore","former":"x"}]`, "not a number"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseJournal([]byte(`{"version":2,"addresses":[],` + tt.part + `}`))
			if err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("error %v lacks %q", err, tt.reason)
			}
		})
	}
}

func FuzzParseJournal(f *testing.F) {
	f.Add([]byte(`{"version":1,"addresses":[{"interface":"eth0","prefix":"192.0.2.10/24"}]}`))
	f.Add(formatJournal(holdings{
		addresses: ownership{addr("eth0", "192.0.2.10/24"): 2, addr("eth1", "2001:db8::10/64"): 3},
		macs:      map[string]macLink{"vrrp.51": {"eth0", 2, "00:00:5e:00:01:33"}},
		settings:  map[setting]string{{"eth0", 2, "arp_ignore"}: "0"},
	}))
	f.Fuzz(func(t *testing.T, b []byte) {
		held, err := parseJournal(b)
		if err != nil {
			return
		}
		again, err := parseJournal(formatJournal(held))
		if err != nil {
			t.Fatal(err)
		}
		if !held.equal(again) {
			t.Errorf("read %v, then %v", held, again)
		}
	})
}
