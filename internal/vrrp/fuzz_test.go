// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse checks that any octets are either refused with a Discard or are the
// encoding of what Parse says they are.
func FuzzParse(f *testing.F) {
	for _, c := range captures(f) {
		f.Add(c.packet.Payload, c.packet.Source.AsSlice())
	}
	rfc9568 := packetOf(peerAdvert4, low4, MessageOnly, nil)
	f.Add(rfc9568.Payload, low4.AsSlice())
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, payload, source []byte) {
		from, _ := netip.AddrFromSlice(source)
		p := Packet{Payload: payload, Source: from, Destination: FamilyOf(from).Group(), TTL: 255}
		a, form, err := Parse(p)
		if err != nil {
			if _, ok := err.(Discard); !ok {
				t.Errorf("error %T %v is no Discard", err, err)
			}
			return
		}
		again := a.AppendTo(nil, p.Source, p.Destination, form)
		reparsed, _, err := Parse(Packet{Payload: again, Source: p.Source, Destination: p.Destination, TTL: 255})
		if err != nil {
			t.Fatalf("own encoding %x of %x: %v", again, payload, err)
		}
		if diff := cmp.Diff(a, reparsed, compareAddr); diff != "" {
			t.Errorf("own encoding %x of %x (-first +second):\n%s", again, payload, diff)
		}
	})
}

// FuzzReceive sends any octets to groups of every kind: they refuse them with a
// Discard, and nobody panics.
func FuzzReceive(f *testing.F) {
	for _, c := range captures(f) {
		f.Add(c.packet.Payload)
	}
	f.Add(signed4(Enforce).router(low4).speaks(wallClock).Payload)
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, c := range []GroupConfig{config4, config6, config2, signed4(Permissive), unicast4(nil)} {
			g := c.group()
			p := Packet{Payload: payload, Source: low4, Destination: IPv4.Group(), TTL: 255}
			if c.Family == IPv6 {
				p.Source, p.Destination = low6, IPv6.Group()
			}
			if c.Unicast != nil {
				p.Destination = own4
			}
			if _, err := g.Receive(wallClock, p, ownParameters); err != nil {
				if _, ok := err.(Discard); !ok {
					t.Errorf("error %T %v is no Discard", err, err)
				}
			}
		}
	})
}
