// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// compareAddr lets go-cmp compare addresses.
var compareAddr = cmpopts.EquateComparable(netip.Addr{})

// wallClock is the time of the tests.
var wallClock = time.Date(2026, 11, 24, 12, 0, 0, 250_000_000, time.UTC)

// ownParameters agree with peerAdvert4, peerAdvert6 and peerAdvert2.
var ownParameters = Parameters{
	Priority:       100,
	AdvertInterval: time.Second,
	Preempt:        true,
	Families:       Families{IPv4: true, IPv6: true},
}

// The configurations that agree with the peers' advertisements.
var (
	config4 = GroupConfig{VRID: 51, Family: IPv4, Addresses: vips4}
	config6 = GroupConfig{VRID: 51, Family: IPv6, Addresses: vips6}
	config2 = GroupConfig{Version: Version2, VRID: 51, Family: IPv4, Addresses: vips4}
)

// with returns c after edit.
func (c GroupConfig) with(edit func(*GroupConfig)) GroupConfig {
	edit(&c)
	return c
}

// group returns a group of c that sends from own4 or own6.
func (c GroupConfig) group() *Group {
	g := NewGroup(c)
	g.SetLocal(own4)
	if c.Family == IPv6 {
		g.SetLocal(own6)
	}
	return g
}

// ruleCase is one packet against one group.
type ruleCase struct {
	name   string
	config GroupConfig
	advert Advertisement
	source netip.Addr
	edit   func(*Packet)
	want   error // nil: accepted
	count  func(*Counters)
}

// ownedBy returns ownParameters of an address owner.
func ownerParameters() Parameters {
	p := ownParameters
	p.Priority = PriorityOwner
	return p
}

func runRules(t *testing.T, own Parameters, cases []ruleCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := c.config.group()
			p := packetOf(c.advert, c.source, PseudoHeader, c.edit)
			if _, err := g.Receive(wallClock, p, own); err != c.want {
				t.Errorf("%x from %s to %s: got error %v, want %v", p.Payload, p.Source, p.Destination, err, c.want)
			}
			want := Counters{Received: 1}
			if d, ok := c.want.(Discard); ok {
				want.Discarded[d] = 1
			}
			if c.count != nil {
				c.count(&want)
			}
			if diff := cmp.Diff(want, g.Counters()); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
		})
	}
}

// octet sets one octet of the payload and makes the checksum right.
func octet(i int, value uint8) func(*Packet) {
	return func(p *Packet) { p.Payload[i] = value; resum(p) }
}

func from(a string) func(*Packet) {
	return func(p *Packet) { p.Source = netip.MustParseAddr(a); resum(p) }
}

func to(a string) func(*Packet) {
	return func(p *Packet) { p.Destination = netip.MustParseAddr(a); resum(p) }
}

func ttl(n int) func(*Packet) { return func(p *Packet) { p.TTL = n } }

func (a Advertisement) listing(addresses ...string) Advertisement {
	a.Addresses = nil
	for _, s := range addresses {
		a.Addresses = append(a.Addresses, netip.MustParseAddr(s))
	}
	return a
}

func (a Advertisement) with(edit func(*Advertisement)) Advertisement {
	edit(&a)
	return a
}

// sentBy decodes what g would send.
func sentBy(t *testing.T, g *Group, priority uint8, interval time.Duration) (Advertisement, ChecksumForm, Outgoing) {
	t.Helper()
	var o Outbox
	g.AppendOutgoing(wallClock, priority, interval, &o)
	if len(o.Messages) == 0 {
		t.Fatal("nothing to send")
	}
	m := o.Messages[0]
	a, form, err := Parse(Packet{Payload: m.Payload, Source: m.Source, Destination: m.Destination, TTL: m.TTL})
	if err != nil {
		t.Fatalf("Parse(%x): %v", m.Payload, err)
	}
	return a, form, m
}
