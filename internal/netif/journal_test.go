// SPDX-License-Identifier: Apache-2.0

package netif

import (
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
	if err := j.record(owned); err != nil {
		t.Fatal(err)
	}
	again, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(owned.addresses(), again.owned.addresses(), prefixes); diff != "" {
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
	if err := j.record(owned); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := j.record(owning(addr("eth0", "192.0.2.10/24"))); err != nil {
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
	if err := j.record(owned); err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("folder missing: error %v, want one that names %s", err, path)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := j.record(owned); err != nil {
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
		"later version":   {`{"version":2,"addresses":[]}`, "version 2"},
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

func TestJournalRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		owned := owning(rapid.SliceOf(addresses).Draw(t, "owned")...)
		got, err := parseJournal(formatJournal(owned))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(owned.addresses(), got.addresses(), prefixes); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
	})
}

func FuzzParseJournal(f *testing.F) {
	f.Add([]byte(`{"version":1,"addresses":[]}`))
	f.Add(formatJournal(owning(addr("eth0", "192.0.2.10/24"), addr("eth1", "2001:db8::10/64"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		owned, err := parseJournal(b)
		if err != nil {
			return
		}
		again, err := parseJournal(formatJournal(owned))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(owned.addresses(), again.addresses(), prefixes); diff != "" {
			t.Errorf("addresses (-first +second):\n%s", diff)
		}
	})
}
