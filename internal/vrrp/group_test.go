// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLearnedForm: the checksum form follows the peers.
func TestLearnedForm(t *testing.T) {
	g := config4.group()
	hear := func(source netip.Addr, form ChecksumForm) {
		t.Helper()
		if _, err := g.Receive(wallClock, packetOf(peerAdvert4, source, form, nil), ownParameters); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, form ChecksumForm) {
		t.Helper()
		if _, got, _ := sentBy(t, g, 100, time.Second); got != form {
			t.Errorf("%s: sent in form %v, want %v", when, got, form)
		}
	}

	want("no peer heard", MessageOnly)
	hear(low4, MessageOnly)
	want("peer of RFC 9568", MessageOnly)
	hear(high4, PseudoHeader)
	want("one peer of RFC 5798", PseudoHeader)
	hear(low4, MessageOnly)
	want("peer of RFC 9568 again", PseudoHeader)
	g.Update(config4)
	want("configured anew", PseudoHeader)
	hear(high4, MessageOnly)
	want("the peer of RFC 5798 upgraded", MessageOnly)

	forged := low4
	for range maxPeers - 1 {
		forged = netip.AddrFrom4([4]byte{10, 0, 0, forged.As4()[3] + 1})
		hear(high4, PseudoHeader)
		hear(forged, MessageOnly)
	}
	want("many peers, and the one of RFC 5798 goes on", PseudoHeader)
	for i := range maxPeers {
		hear(netip.AddrFrom4([4]byte{10, 0, 1, uint8(i)}), MessageOnly)
	}
	want("the peer of RFC 5798 was silent for longest", MessageOnly)
	if len(g.peers) > maxPeers {
		t.Errorf("%d peers remembered, want at most %d", len(g.peers), maxPeers)
	}
}

func TestRefusedTeachesNothing(t *testing.T) {
	g := config4.group()
	if _, err := g.Receive(wallClock, packetOf(peerAdvert4, high4, PseudoHeader, octet(1, 52)), ownParameters); err != DiscardVRID {
		t.Fatalf("got %v, want %v", err, DiscardVRID)
	}
	if _, form, _ := sentBy(t, g, 100, time.Second); form != MessageOnly {
		t.Errorf("sent in form %v after a refused packet, want %v", form, MessageOnly)
	}
}

var (
	global6     = netip.MustParseAddr("2001:db8::2")
	globalPeer6 = netip.MustParseAddr("2001:db8::1")
)

func unicast4(edit func(*GroupConfig)) GroupConfig {
	c := config4
	c.Unicast = &Unicast{Peers: []netip.Addr{low4, high4}}
	if edit != nil {
		edit(&c)
	}
	return c
}

func TestUnicastReceive(t *testing.T) {
	ours := to(own4.String())
	ours6 := func(p *Packet) { p.Source, p.Destination = globalPeer6, global6; resum(p) }
	distant := func(c *GroupConfig) { c.Unicast.MinTTL = 64 }
	both := func(edits ...func(*Packet)) func(*Packet) {
		return func(p *Packet) {
			for _, edit := range edits {
				edit(p)
			}
		}
	}
	form := func(f ChecksumForm) func(*Packet) {
		return func(p *Packet) {
			p.Payload = peerAdvert4.AppendTo(nil, p.Source, p.Destination, f)
		}
	}
	compat := unicast4(func(c *GroupConfig) { c.ChecksumCompat = true })
	v2 := config2.with(func(c *GroupConfig) { c.Unicast = &Unicast{Peers: []netip.Addr{low4}} })
	v6 := config6.with(func(c *GroupConfig) { c.Unicast = &Unicast{Source: global6, Peers: []netip.Addr{globalPeer6}} })
	v6LinkLocal := config6.with(func(c *GroupConfig) { c.Unicast = &Unicast{Peers: []netip.Addr{low6}} })
	onlyGlobal := v6.with(func(c *GroupConfig) { c.Addresses = vips6[1:] })
	otherSource := unicast4(func(c *GroupConfig) { c.Unicast.Source = netip.MustParseAddr("192.0.2.99") })
	runRules(t, ownParameters, []ruleCase{
		{"peer", unicast4(nil), peerAdvert4, low4, ours, nil, nil},
		{"other peer", unicast4(nil), peerAdvert4, high4, ours, nil, nil},
		{"no peer", unicast4(nil), peerAdvert4, low4, both(from("192.0.2.9"), ours), DiscardPeer, nil},
		{"own source", unicast4(nil), peerAdvert4, own4, ours, DiscardOwnSource, nil},
		{"own configured source", otherSource, peerAdvert4, low4, both(from("192.0.2.99"), to("192.0.2.99")), DiscardOwnSource, nil},
		{"multicast", unicast4(nil), peerAdvert4, low4, nil, DiscardDestination, nil},
		{"another address of ours", otherSource, peerAdvert4, low4, ours, DiscardDestination, nil},
		{"configured address of ours", otherSource, peerAdvert4, low4, to("192.0.2.99"), nil, nil},
		{"TTL 254", unicast4(nil), peerAdvert4, low4, both(ours, ttl(254)), DiscardTTL, nil},
		{"distant TTL 64", unicast4(distant), peerAdvert4, low4, both(ours, ttl(64)), nil, nil},
		{"distant TTL 63", unicast4(distant), peerAdvert4, low4, both(ours, ttl(63)), DiscardTTL, nil},
		{"version 2", v2, peerAdvert2, low4, ours, nil, nil},
		{"form message only", unicast4(nil), peerAdvert4, low4, both(ours, form(MessageOnly)), nil, nil},
		{"form pseudo-header", unicast4(nil), peerAdvert4, low4, both(ours, form(PseudoHeader)), nil, nil},
		{"form of the group", unicast4(nil), peerAdvert4, low4, both(ours, form(GroupPseudoHeader)), DiscardChecksum, nil},
		{"compat form of the group", compat, peerAdvert4, low4, both(ours, form(GroupPseudoHeader)), nil, nil},
		{"compat form pseudo-header", compat, peerAdvert4, low4, both(ours, form(PseudoHeader)), nil, nil},
		{"compat form message only", compat, peerAdvert4, low4, both(ours, form(MessageOnly)), nil, nil},
		{"ipv6 global", v6, peerAdvert6, low6, ours6, nil, nil},
		{"ipv6 global addresses only", onlyGlobal, peerAdvert6.listing("2001:db8::10"), low6, ours6, nil, nil},
		{"ipv6 link-local", v6LinkLocal, peerAdvert6, low6, to(own6.String()), nil, nil},
		{"ipv6 to link-local instead", v6, peerAdvert6, low6, to(own6.String()), DiscardDestination, nil},
	})
}

func TestUnicastWithoutAddressHearsNothing(t *testing.T) {
	g := NewGroup(unicast4(nil))
	p := packetOf(peerAdvert4, low4, MessageOnly, func(p *Packet) { p.Destination = netip.Addr{} })
	if _, err := g.Receive(wallClock, p, ownParameters); err != DiscardDestination {
		t.Errorf("got %v, want %v", err, DiscardDestination)
	}
}

func TestUnicastSend(t *testing.T) {
	cases := []struct {
		name   string
		config GroupConfig
		source netip.Addr
		form   ChecksumForm
		ttl    int
	}{
		{"ipv4", unicast4(nil), own4, MessageOnly, 255},
		{"ipv4 ttl", unicast4(func(c *GroupConfig) { c.Unicast.TTL = 3 }), own4, MessageOnly, 3},
		{"ipv4 compat", unicast4(func(c *GroupConfig) { c.ChecksumCompat = true }), own4, GroupPseudoHeader, 255},
		{"ipv6", config6.with(func(c *GroupConfig) {
			c.Unicast = &Unicast{Source: global6, Peers: []netip.Addr{globalPeer6, netip.MustParseAddr("2001:db8::3")}}
		}), global6, PseudoHeader, 255},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := c.config.group()
			var o Outbox
			g.AppendOutgoing(wallClock, 7, time.Second, &o)
			o.Reset() // it has grown: what follows shares its memory
			g.AppendOutgoing(wallClock, 100, time.Second, &o)
			var want []Outgoing
			for _, peer := range c.config.Unicast.Peers {
				a := Advertisement{VRID: 51, Priority: 100, MaxAdvertInterval: time.Second, Addresses: c.config.Addresses}
				want = append(want, Outgoing{
					Payload: a.AppendTo(nil, c.source, peer, c.form), Source: c.source, Destination: peer, TTL: c.ttl,
				})
			}
			if diff := cmp.Diff(want, o.Messages, compareAddr); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got := g.Counters().Sent; got != uint64(2*len(want)) {
				t.Errorf("%d counted as sent, want %d", got, 2*len(want))
			}
			first := g.Advertisement(wallClock, 100, time.Second, nil)
			if diff := cmp.Diff(want[0].Payload, first); diff != "" {
				t.Errorf("Advertisement (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOutboxKeepsEarlierMessages: payloads stay when the outbox grows, and a
// group may add to it twice.
func TestOutboxKeepsEarlierMessages(t *testing.T) {
	g := signed4(Enforce).group()
	var o Outbox
	var want [][]byte
	for i := range 200 {
		if i == 100 {
			want = nil
			o.Reset()
		}
		g.AppendOutgoing(wallClock, uint8(i), time.Second, &o)
		want = append(want, append([]byte(nil), o.Messages[i%100].Payload...))
	}
	for i, m := range o.Messages {
		if diff := cmp.Diff(want[i], m.Payload); diff != "" {
			t.Errorf("message %d (-then +now):\n%s", i, diff)
		}
	}
	o.Reset()
	if len(o.Messages) != 0 {
		t.Errorf("%d messages after Reset", len(o.Messages))
	}
}

func TestGroupConfigTravelsAsJSON(t *testing.T) {
	want := signed4(Permissive).with(func(c *GroupConfig) {
		c.Version, c.Password = Version3, "secret"
		c.Unicast = &Unicast{Source: own4, Peers: []netip.Addr{low4}, TTL: 64, MinTTL: 60}
		c.Auth.Replay, c.Auth.Window = ReplayMonotonic, time.Minute
	})
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got GroupConfig
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if diff := cmp.Diff(want, got, compareAddr); diff != "" {
		t.Errorf("%s (-want +got):\n%s", text, diff)
	}
}

// TestSendingDoesNotAllocate covers every kind of message.
func TestSendingDoesNotAllocate(t *testing.T) {
	for name, c := range map[string]GroupConfig{
		"ipv4": config4, "ipv6": config6, "version 2": config2, "signed": signed4(Enforce), "unicast": unicast4(nil),
	} {
		g := c.group()
		b := make([]byte, 0, MaxMessageSize)
		if n := testing.AllocsPerRun(100, func() { g.Advertisement(wallClock, 100, time.Second, b) }); n != 0 {
			t.Errorf("%s: Advertisement: %v allocations, want 0", name, n)
		}
		var o Outbox
		if n := testing.AllocsPerRun(100, func() {
			o.Reset()
			g.AppendOutgoing(wallClock, 100, time.Second, &o)
		}); n != 0 {
			t.Errorf("%s: AppendOutgoing: %v allocations, want 0", name, n)
		}
	}
}

func TestReceivingDoesNotAllocate(t *testing.T) {
	g := config6.group()
	p := packetOf(peerAdvert6, low6, PseudoHeader, nil)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := g.Receive(wallClock, p, ownParameters); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkAppendOutgoing(b *testing.B) {
	for _, c := range []struct {
		name   string
		config GroupConfig
	}{{"ipv4", config4}, {"ipv6", config6}, {"signed", signed4(Enforce)}} {
		b.Run(c.name, func(b *testing.B) {
			g := c.config.group()
			var o Outbox
			b.ReportAllocs()
			for b.Loop() {
				o.Reset()
				g.AppendOutgoing(wallClock, 100, time.Second, &o)
			}
		})
	}
}

func BenchmarkReceive(b *testing.B) {
	g := config4.group()
	p := packetOf(peerAdvert4, low4, MessageOnly, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Receive(wallClock, p, ownParameters); err != nil {
			b.Fatal(err)
		}
	}
}
