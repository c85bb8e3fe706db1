// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListenNamesTheInterface(t *testing.T) {
	for _, f := range []Family{IPv4, IPv6} {
		_, err := Listen("no-such-if0", f)
		if err == nil {
			t.Fatalf("%s: no error for an interface that does not exist", f)
		}
		for _, word := range []string{"no-such-if0", f.String()} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("error %q does not say %q", err, word)
			}
		}
	}
}

// FuzzDatagram takes apart what no kernel delivers as well.
func FuzzDatagram(f *testing.F) {
	f.Add([]byte{0x45}, []byte{})
	f.Add([]byte{0x4f, 19: 1, 20: 2}, make([]byte, unix.CmsgSpace(20)+unix.CmsgSpace(4)))
	e := entry{message: &Outgoing{Source: low6, Destination: high6, TTL: 64}}
	e.route(1)
	f.Add([]byte{}, e.control[:e.filled])
	f.Fuzz(func(t *testing.T, b, control []byte) {
		if p := packet4(b); len(p.Payload) > len(b) {
			t.Errorf("payload of %d octets in %d", len(p.Payload), len(b))
		}
		aligned := make([]byte, len(control), len(control)+1)
		copy(aligned, control)
		packet6(b, low6, aligned)
	})
}

func TestPacket6(t *testing.T) {
	e := entry{message: &Outgoing{Source: low6, Destination: high6, TTL: 64}}
	e.route(1)
	p := packet6([]byte{1}, high6, e.control[:e.filled])
	if p.TTL != 64 || p.Destination != low6 || p.Source != high6 {
		t.Errorf("got %+v, want TTL 64 and what the control messages name", p)
	}
	if p := packet6(nil, netip.Addr{}, nil); p.TTL != 0 || p.Destination.IsValid() {
		t.Errorf("without control messages: got %+v", p)
	}
}
