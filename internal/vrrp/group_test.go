// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ownParameters agree with peerAdvert4 and peerAdvert6.
var ownParameters = Parameters{
	Priority:       100,
	AdvertInterval: time.Second,
	Preempt:        true,
	Families:       Families{IPv4: true, IPv6: true},
}

func newGroup4() *Group {
	g := NewGroup(51, IPv4, vips4)
	g.SetLocal(own4)
	return g
}

func newGroup6(vips ...netip.Addr) *Group {
	g := NewGroup(51, IPv6, vips)
	g.SetLocal(own6)
	return g
}

// counted returns counters of one received packet with further edits.
func counted(edit func(*Counters)) Counters {
	c := Counters{Received: 1}
	if edit != nil {
		edit(&c)
	}
	return c
}

// groupCase is one packet against one group.
type groupCase struct {
	name   string
	group  *Group
	own    Parameters
	packet Packet
	want   error
	count  func(*Counters)
}

func runGroupCases(t *testing.T, cases []groupCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := c.group.Receive(c.packet, c.own); err != c.want {
				t.Errorf("error: got %v, want %v", err, c.want)
			}
			if diff := cmp.Diff(counted(c.count), c.group.Counters()); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
		})
	}
}

// discarded counts one refused packet.
func discarded(d Discard) func(*Counters) {
	return func(c *Counters) { c.Discarded[d]++ }
}

func TestChecklist14VRID(t *testing.T) {
	foreign := peerAdvert4
	foreign.VRID = 52
	runGroupCases(t, []groupCase{
		{"ours", newGroup4(), ownParameters, packetOf(peerAdvert4, low4, MessageOnly, nil), nil, nil},
		{"another", newGroup4(), ownParameters, packetOf(foreign, low4, MessageOnly, nil), DiscardVRID, discarded(DiscardVRID)},
		{"ours in the other family", newGroup4(), ownParameters, packetOf(peerAdvert6, low6, PseudoHeader, nil),
			DiscardDestination, discarded(DiscardDestination)},
	})
}

func TestChecklist15Owner(t *testing.T) {
	owner := ownParameters
	owner.Priority = PriorityOwner
	second := peerAdvert4
	second.Priority = PriorityOwner
	runGroupCases(t, []groupCase{
		{"backup hears owner", newGroup4(), ownParameters, packetOf(second, low4, MessageOnly, nil), nil, nil},
		{"owner hears backup", newGroup4(), owner, packetOf(peerAdvert4, low4, MessageOnly, nil), nil, nil},
		{"owner hears owner", newGroup4(), owner, packetOf(second, low4, MessageOnly, nil), nil,
			func(c *Counters) { c.DuplicateOwner++ }},
	})
}

func TestChecklist17Interval(t *testing.T) {
	slow := peerAdvert4
	slow.MaxAdvertInterval = 2 * time.Second
	fraction := ownParameters
	fraction.AdvertInterval = time.Second + time.Millisecond
	runGroupCases(t, []groupCase{
		{"equal", newGroup4(), ownParameters, packetOf(peerAdvert4, low4, MessageOnly, nil), nil, nil},
		{"equal as far as the wire tells", newGroup4(), fraction, packetOf(peerAdvert4, low4, MessageOnly, nil), nil, nil},
		{"longer", newGroup4(), ownParameters, packetOf(slow, low4, MessageOnly, nil), nil,
			func(c *Counters) { c.IntervalMismatch++ }},
	})
}

func TestChecklist18Addresses(t *testing.T) {
	global := netip.MustParseAddr("2001:db8::10")
	list := func(a Advertisement, addresses ...netip.Addr) Advertisement {
		a.Addresses = addresses
		return a
	}
	mismatch := func(c *Counters) { c.AddressMismatch++ }
	p4 := func(addresses ...netip.Addr) Packet {
		return packetOf(list(peerAdvert4, addresses...), low4, MessageOnly, nil)
	}
	p6 := func(addresses ...netip.Addr) Packet {
		return packetOf(list(peerAdvert6, addresses...), low6, PseudoHeader, nil)
	}
	runGroupCases(t, []groupCase{
		{"equal", newGroup4(), ownParameters, p4(vips4...), nil, nil},
		{"other order", newGroup4(), ownParameters, p4(vips4[1], vips4[0]), nil, nil},
		{"one missing", newGroup4(), ownParameters, p4(vips4[0]), nil, mismatch},
		{"one twice", newGroup4(), ownParameters, p4(vips4[0], vips4[0]), nil, mismatch},
		{"one more", newGroup4(), ownParameters, p4(vips4[0], vips4[1], high4), nil, mismatch},
		{"virtual link-local", newGroup6(vips6...), ownParameters, p6(vips6...), nil, nil},
		{"another virtual link-local", newGroup6(vips6...), ownParameters, p6(high6, global), nil, mismatch},
		{"no virtual link-local, peer's own first", newGroup6(global), ownParameters, p6(low6, global), nil, nil},
		{"no virtual link-local, peer has one", newGroup6(global), ownParameters, p6(vips6...), nil, mismatch},
		{"no virtual link-local, one missing", newGroup6(global), ownParameters, p6(low6), nil, mismatch},
	})
}

func TestChecklist21OwnSource(t *testing.T) {
	noAddress := NewGroup(51, IPv4, vips4)
	zoned := NewGroup(51, IPv6, vips6)
	zoned.SetLocal(own6.WithZone("eth0"))
	runGroupCases(t, []groupCase{
		{"peer", newGroup4(), ownParameters, packetOf(peerAdvert4, low4, MessageOnly, nil), nil, nil},
		{"own ipv4", newGroup4(), ownParameters, packetOf(peerAdvert4, own4, MessageOnly, nil),
			DiscardOwnSource, discarded(DiscardOwnSource)},
		{"own ipv6 given with zone", zoned, ownParameters, packetOf(peerAdvert6, own6, PseudoHeader, nil),
			DiscardOwnSource, discarded(DiscardOwnSource)},
		{"no own address", noAddress, ownParameters, packetOf(peerAdvert4, own4, MessageOnly, nil), nil, nil},
	})
}

func TestChecklist23Counters(t *testing.T) {
	g := newGroup4()
	bad := packetOf(peerAdvert4, low4, MessageOnly, func(p *Packet) { p.TTL = 1 })
	good := packetOf(peerAdvert4, low4, MessageOnly, nil)
	for range 3 {
		if _, err := g.Receive(bad, ownParameters); err != DiscardTTL {
			t.Fatalf("got %v, want %v", err, DiscardTTL)
		}
	}
	if a, err := g.Receive(good, ownParameters); err != nil {
		t.Fatal(err)
	} else if diff := cmp.Diff(peerAdvert4, a, compareAddr); diff != "" {
		t.Errorf("advertisement (-want +got):\n%s", diff)
	}
	g.Advertisement(100, time.Second, nil)

	want := Counters{Received: 4, Sent: 1}
	want.Discarded[DiscardTTL] = 3
	if diff := cmp.Diff(want, g.Counters()); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// sent decodes what g would send.
func sent(t *testing.T, g *Group, source netip.Addr) (Advertisement, ChecksumForm) {
	t.Helper()
	p := Packet{
		Payload:     g.Advertisement(100, 250*time.Millisecond, nil),
		Source:      source,
		Destination: FamilyOf(source).Group(),
		TTL:         255,
	}
	a, form, err := Parse(p)
	if err != nil {
		t.Fatalf("Parse(%x): %v", p.Payload, err)
	}
	return a, form
}

func TestChecklist13LearnedForm(t *testing.T) {
	g := newGroup4()
	hear := func(source netip.Addr, form ChecksumForm) {
		t.Helper()
		if _, err := g.Receive(packetOf(peerAdvert4, source, form, nil), ownParameters); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, form ChecksumForm) {
		t.Helper()
		if _, got := sent(t, g, own4); got != form {
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

func TestChecklist13RefusedTeachesNothing(t *testing.T) {
	g := newGroup4()
	foreign := peerAdvert4
	foreign.VRID = 52
	if _, err := g.Receive(packetOf(foreign, high4, PseudoHeader, nil), ownParameters); err != DiscardVRID {
		t.Fatalf("got %v, want %v", err, DiscardVRID)
	}
	if _, form := sent(t, g, own4); form != MessageOnly {
		t.Errorf("sent in form %v after a refused packet, want %v", form, MessageOnly)
	}
}

func TestChecklist24Fields(t *testing.T) {
	got, _ := sent(t, newGroup4(), own4)
	want := Advertisement{VRID: 51, Priority: 100, MaxAdvertInterval: 250 * time.Millisecond, Addresses: vips4}
	if diff := cmp.Diff(want, got, compareAddr); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestChecklist26LinkLocalFirst(t *testing.T) {
	global := netip.MustParseAddr("2001:db8::10")
	virtual := netip.MustParseAddr("fe80::51")
	cases := []struct {
		name       string
		configured []netip.Addr
		want       []netip.Addr
	}{
		{"configured first", []netip.Addr{virtual, global}, []netip.Addr{virtual, global}},
		{"configured last", []netip.Addr{global, virtual}, []netip.Addr{virtual, global}},
		{"none configured", []netip.Addr{global}, []netip.Addr{own6, global}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			configured := slices.Clone(c.configured)
			got, _ := sent(t, newGroup6(configured...), own6)
			if diff := cmp.Diff(c.want, got.Addresses, compareAddr); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.configured, configured, compareAddr); diff != "" {
				t.Errorf("the caller's list was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestSetLocalFollowsInterface(t *testing.T) {
	g := newGroup6(netip.MustParseAddr("2001:db8::10"))
	g.SetLocal(high6)
	if got, _ := sent(t, g, high6); got.Addresses[0] != high6 {
		t.Errorf("first address %s, want the new link-local address %s", got.Addresses[0], high6)
	}
}

func TestKeepalivedMessageIsReproduced(t *testing.T) {
	for _, c := range captures(t) {
		a, _, err := Parse(c.packet())
		if err != nil {
			t.Fatal(err)
		}
		g := NewGroup(a.VRID, FamilyOf(c.source), a.Addresses)
		g.SetLocal(c.source)
		g.learn(peer{source: high4, form: PseudoHeader})
		got := g.Advertisement(a.Priority, a.MaxAdvertInterval, nil)
		if diff := cmp.Diff(c.message, got); diff != "" {
			t.Errorf("%s (-keepalived +ours):\n%s", c.name, diff)
		}
	}
}

func TestAdvertisementDoesNotAllocate(t *testing.T) {
	g := newGroup6(vips6...)
	buf := make([]byte, 0, ReadBufferSize)
	if n := testing.AllocsPerRun(100, func() { g.Advertisement(100, time.Second, buf) }); n != 0 {
		t.Errorf("%v allocations a message, want 0", n)
	}
}
