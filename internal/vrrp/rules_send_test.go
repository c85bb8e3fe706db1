// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRule24_Fields(t *testing.T) {
	for _, c := range []struct {
		name   string
		config GroupConfig
		want   Advertisement
	}{
		{"positive ipv4", config4, peerAdvert4},
		{"positive ipv6", config6, peerAdvert6},
		{"positive version 2", config2, peerAdvert2},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, _ := sentBy(t, c.config.group(), 100, time.Second)
			if diff := cmp.Diff(c.want, got, compareAddr); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	t.Run("negative nothing of an earlier message stays", func(t *testing.T) {
		g := config4.group()
		sentBy(t, g, 200, 3*time.Second)
		got, _, _ := sentBy(t, g, PriorityResign, time.Second)
		want := peerAdvert4.with(func(a *Advertisement) { a.Priority = PriorityResign })
		if diff := cmp.Diff(want, got, compareAddr); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestRule25_Addresses(t *testing.T) {
	runRules(t, ownParameters, []ruleCase{
		{"positive ipv4 unicast", config4, peerAdvert4, low4, from("10.0.0.1"), nil, nil},
		{"positive ipv6 link-local", config6, peerAdvert6, low6, from("fe80::99"), nil, nil},
		{"negative ipv4 unspecified", config4, peerAdvert4, low4, from("0.0.0.0"), DiscardSource, nil},
		{"negative ipv4 loopback", config4, peerAdvert4, low4, from("127.0.0.1"), DiscardSource, nil},
		{"negative ipv4 multicast", config4, peerAdvert4, low4, from("224.0.0.18"), DiscardSource, nil},
		{"negative ipv4 broadcast", config4, peerAdvert4, low4, from("255.255.255.255"), DiscardSource, nil},
		{"negative ipv6 global", config6, peerAdvert6, low6, from("2001:db8::1"), DiscardSource, nil},
		{"negative ipv6 unspecified", config6, peerAdvert6, low6, from("::"), DiscardSource, nil},
		{"negative ipv6 loopback", config6, peerAdvert6, low6, from("::1"), DiscardSource, nil},
		{"negative ipv4-mapped", config6, peerAdvert6, low6, from("::ffff:169.254.0.1"), DiscardSource, nil},
		{"negative other family", config4, peerAdvert4, low4, from("fe80::1"), DiscardSource, nil},
		{"negative none", config4, peerAdvert4, low4, func(p *Packet) { p.Source = netip.Addr{} }, DiscardSource, nil},
	})
	t.Run("positive sent", func(t *testing.T) {
		_, _, m := sentBy(t, config6.group(), 100, time.Second)
		want := Outgoing{Payload: m.Payload, Source: own6, Destination: IPv6.Group(), TTL: 255}
		if diff := cmp.Diff(want, m, compareAddr); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("negative nothing is sent without an address", func(t *testing.T) {
		var o Outbox
		NewGroup(config4).AppendOutgoing(wallClock, 100, time.Second, &o)
		if len(o.Messages) != 0 {
			t.Errorf("sent %v", o.Messages)
		}
	})
}

// TestRule25_Frame compares the headers made here with the fields they must have.
func TestRule25_Frame(t *testing.T) {
	header := func(t *testing.T, c GroupConfig, mac net.HardwareAddr) []byte {
		s := &frameSocket{}
		copy(s.bound.Addr[:], net.HardwareAddr{2, 0, 0, 0, 0, 9})
		_, _, m := sentBy(t, c.group(), 100, time.Second)
		m.HardwareSource = mac
		e := &entry{message: &m}
		s.prepare(e)
		return e.before[:e.vectors[0].Len]
	}
	for _, c := range []struct {
		name   string
		config GroupConfig
		mac    net.HardwareAddr
		want   []byte
	}{
		{"positive ipv4 virtual MAC", config4, VirtualMAC(51, IPv4), []byte{
			0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x01, 51, 0x08, 0x00,
			0x45, 0xc0, 0, 36, 0, 0, 0x40, 0, 255, 112, 0, 0, 192, 0, 2, 2, 224, 0, 0, 18,
		}},
		{"positive ipv6 virtual MAC", config6, VirtualMAC(51, IPv6), []byte{
			0x33, 0x33, 0x00, 0x00, 0x00, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x02, 51, 0x86, 0xdd,
			0x6c, 0, 0, 0, 0, 40, 112, 255,
			0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12,
		}},
		{"negative physical MAC without the option", config4, nil, []byte{
			0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 2, 0, 0, 0, 0, 9, 0x08, 0x00,
			0x45, 0xc0, 0, 36, 0, 0, 0x40, 0, 255, 112, 0, 0, 192, 0, 2, 2, 224, 0, 0, 18,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := bytes.Clone(header(t, c.config, c.mac))
			if c.config.Family == IPv4 {
				if sum := fold(onesSum(0, got[frameHeader:])); sum != 0xffff {
					t.Errorf("IPv4 header checksum is wrong: %x", got)
				}
				got[frameHeader+10], got[frameHeader+11] = 0, 0
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRule26_LinkLocalFirst(t *testing.T) {
	global := netip.MustParseAddr("2001:db8::10")
	virtual := netip.MustParseAddr("fe80::51")
	unicast := &Unicast{Source: netip.MustParseAddr("2001:db8::2"), Peers: []netip.Addr{netip.MustParseAddr("2001:db8::1")}}
	cases := []struct {
		name       string
		configured []netip.Addr
		unicast    *Unicast
		want       []netip.Addr
	}{
		{"positive configured first", []netip.Addr{virtual, global}, nil, []netip.Addr{virtual, global}},
		{"positive configured last", []netip.Addr{global, virtual}, nil, []netip.Addr{virtual, global}},
		{"positive configured last, unicast", []netip.Addr{global, virtual}, unicast, []netip.Addr{virtual, global}},
		{"negative none configured", []netip.Addr{global}, nil, []netip.Addr{own6, global}},
		{"negative none configured, unicast", []netip.Addr{global}, unicast, []netip.Addr{global}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			configured := slices.Clone(c.configured)
			g := GroupConfig{VRID: 51, Family: IPv6, Addresses: configured, Unicast: c.unicast}.group()
			got, _, _ := sentBy(t, g, 100, time.Second)
			if diff := cmp.Diff(c.want, got.Addresses, compareAddr); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.configured, configured, compareAddr); diff != "" {
				t.Errorf("the caller's list was changed (-before +after):\n%s", diff)
			}
		})
	}
}

// TestRule27_InterfaceIdentifier: the link-local address in a list is the
// interface's own, and follows it; none is made from the virtual MAC.
func TestRule27_InterfaceIdentifier(t *testing.T) {
	g := GroupConfig{VRID: 51, Family: IPv6, Addresses: vips6[1:]}.group()
	first := func(t *testing.T) netip.Addr {
		a, _, _ := sentBy(t, g, 100, time.Second)
		return a.Addresses[0]
	}
	t.Run("positive own address", func(t *testing.T) {
		g.SetLocal(high6)
		if got := first(t); got != high6 {
			t.Errorf("first address %s, want %s", got, high6)
		}
	})
	t.Run("negative not one of the virtual MAC", func(t *testing.T) {
		if got := first(t); got == netip.MustParseAddr("fe80::200:5eff:fe00:233") {
			t.Errorf("first address %s is made from the virtual MAC", got)
		}
	})
}

func TestRule28_AuthenticationData(t *testing.T) {
	for _, c := range []struct {
		name, password string
		wantType       AuthType
		wantData       string
	}{
		{"positive zero without password", "", NoAuthentication, "\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"negative password", "secret", SimpleText, "secret\x00\x00"},
		{"negative long password", "more than eight", SimpleText, "more tha"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _, m := sentBy(t, config2.with(func(g *GroupConfig) { g.Password = c.password }).group(), 100, time.Second)
			if a.AuthType != c.wantType || string(a.AuthData[:]) != c.wantData {
				t.Errorf("%x: got type %d, data %q; want %d, %q", m.Payload, a.AuthType, a.AuthData, c.wantType, c.wantData)
			}
		})
	}
}
