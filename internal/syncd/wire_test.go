// SPDX-License-Identifier: Apache-2.0

package syncd

import (
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"
)

// captured is what Linux 6.1 (x86-64) lists after: ipvsadm --start-daemon backup --mcast-interface v0 --syncid 7
const captured = "3c00030008000100020000000700020076300000080003000700000006000400c00500000600070090220000050008000100000008000500e0000051"

func capturedBytes(t interface{ Fatal(...any) }) []byte {
	b, err := hex.DecodeString(captured)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseCaptured(t *testing.T) {
	want := Daemon{Backup, Config{Interface: "v0", ID: 7}}
	if got, err := parseDaemon(capturedBytes(t)); err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestParseRefuses(t *testing.T) {
	good := capturedBytes(t)
	change := func(offset int, value byte) []byte {
		b := append([]byte(nil), good...)
		b[offset] = value
		return b
	}
	tests := []struct {
		name  string
		bytes []byte
	}{
		{"nothing", nil},
		{"cut short", good[:20]},
		{"no attributes", []byte{4, 0, attrDaemon, 0}},
		{"unknown state", change(8, 3)},
		{"state beyond a byte", change(9, 1)},
		{"sync id beyond a byte", change(25, 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d, err := parseDaemon(tt.bytes); err == nil {
				t.Errorf("got %v, want an error", d)
			}
		})
	}
}

func TestDaemonRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Daemon{
			Role:   rapid.SampledFrom([]Role{Master, Backup}).Draw(t, "role"),
			Config: Config{Interface: rapid.StringMatching(`[a-z0-9.@-]{1,15}`).Draw(t, "interface"), ID: rapid.Uint8().Draw(t, "id")},
		}
		req, err := startRequest(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseDaemon(req.Attributes); err != nil || got != want {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}
	})
}

func FuzzParseDaemon(f *testing.F) {
	f.Add(capturedBytes(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := parseDaemon(b)
		if err != nil {
			return
		}
		req, err := startRequest(d)
		if err != nil {
			t.Fatalf("%v was read but cannot be written: %v", d, err)
		}
		if again, err := parseDaemon(req.Attributes); err != nil || again != d {
			t.Fatalf("read %v, written and read again %v, %v", d, again, err)
		}
	})
}
