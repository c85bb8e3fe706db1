// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// What Linux 6.1 (x86-64) lists for
//
//	-A -t 192.0.2.10:443 -s mh -p 300 -M 255.255.255.0 -b mh-port
//	-a -t 192.0.2.10:443 -r 127.0.0.2:8443 -m -w 65535 -x 100 -y 50
const (
	capturedService = `
540101000600010002000000060002000600000014000300c000020a0000000000000000000000000600040001bb0000070006006d680000
0c00070013000000ffffffff080008002c01000008000900ffffff0060000a00080001000000000008000200000000000800030000000000
0c000400000000000000000004000b000c000500000000000000000008000600000000000800070000000000080008000000000008000900
0000000008000a0000000000a0000c000c000100000000000000000004000b000c000200000000000000000004000b000c00030000000000
0000000004000b000c000400000000000000000004000b000c000500000000000000000004000b000c000600000000000000000004000b00
0c000700000000000000000004000b000c000800000000000000000004000b000c000900000000000000000004000b000c000a0000000000
00000000`

	capturedDestination = `
7c010200140001007f0000020000000000000000000000000600020020fb0000080003000000000008000400ffff000005000d0000000000
06000e000000000006000f000000000008000500640000000800060032000000080007000000000008000800000000000800090000000000
06000b000200000064000a0008000100000000000800020000000000080003000000000004000b000c000400000000000000000004000b00
0c0005000000000000000000080006000000000008000700000000000800080000000000080009000000000008000a0000000000a0000c00
0c000100000000000000000004000b000c000200000000000000000004000b000c000300000000000000000004000b000c00040000000000
0000000004000b000c000500000000000000000004000b000c000600000000000000000004000b000c000700000000000000000004000b00
0c000800000000000000000004000b000c000900000000000000000004000b000c000a000000000000000000`
)

// captured returns the bytes of one of these.
func captured(t interface{ Fatal(...any) }, text string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseCapturedService(t *testing.T) {
	want := Service{
		Key:       ServiceKey{TCP, netip.MustParseAddrPort("192.0.2.10:443")},
		Scheduler: "mh",
		Flags:     FlagPersistent | FlagScheduler2,
		Timeout:   300 * time.Second,
		Netmask:   24,
	}
	if got, err := parseService(captured(t, capturedService)); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestParseCapturedDestination(t *testing.T) {
	want := Destination{
		Address:        netip.MustParseAddrPort("127.0.0.2:8443"),
		Weight:         65535,
		UpperThreshold: 100,
		LowerThreshold: 50,
	}
	got, conns, err := parseDestination(captured(t, capturedDestination))
	if err != nil || got != want || conns != (Connections{}) {
		t.Errorf("got %+v, %+v, %v; want %+v", got, conns, err, want)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name  string
		bytes []byte
	}{
		{"nothing", nil},
		{"cut short", captured(t, capturedService)[:40]},
		{"a destination for a service", captured(t, capturedDestination)},
		{"a service without attributes", []byte{4, 0, attrService, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := parseService(tt.bytes); err == nil {
				t.Errorf("got %+v, want an error", s)
			}
		})
	}
}
