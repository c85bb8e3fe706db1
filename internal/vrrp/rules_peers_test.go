// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRule21_OwnPacket(t *testing.T) {
	runRules(t, ownParameters, []ruleCase{
		{"positive peer", config4, peerAdvert4, low4, nil, nil, nil},
		{"negative own ipv4", config4, peerAdvert4, own4, nil, DiscardOwnSource, nil},
		{"negative own ipv6", config6, peerAdvert6, own6, nil, DiscardOwnSource, nil},
		{"negative own in version 2", config2, peerAdvert2, own4, nil, DiscardOwnSource, nil},
	})
	t.Run("negative own ipv6 given with zone", func(t *testing.T) {
		g := NewGroup(config6)
		g.SetLocal(own6.WithZone("eth0"))
		if _, err := g.Receive(wallClock, packetOf(peerAdvert6, own6, PseudoHeader, nil), ownParameters); err != DiscardOwnSource {
			t.Errorf("got %v, want %v", err, DiscardOwnSource)
		}
	})
}

// TestRule22_StoppedInstance: a machine that does not run takes no notice.
func TestRule22_StoppedInstance(t *testing.T) {
	hears := func(m *Machine) time.Time {
		m.Receive(wallClock.Add(time.Second), IPv4, peerAdvert4, high4)
		next, _ := m.Next()
		return next
	}
	p := Parameters{Priority: 100, AdvertInterval: time.Second, Families: Families{IPv4: true}}
	t.Run("positive running", func(t *testing.T) {
		m := NewMachine(p)
		m.Startup(wallClock)
		if hears(m).IsZero() {
			t.Error("no timer runs")
		}
	})
	t.Run("negative stopped", func(t *testing.T) {
		if next := hears(NewMachine(p)); !next.IsZero() {
			t.Errorf("a timer runs until %v", next)
		}
	})
}

func TestRule23_CountersAndPeers(t *testing.T) {
	unicast := config4.with(func(c *GroupConfig) { c.Unicast = &Unicast{Peers: []netip.Addr{low4}} })
	runRules(t, ownParameters, []ruleCase{
		{"positive configured peer", unicast, peerAdvert4, low4, to(own4.String()), nil, nil},
		{"negative another router", unicast, peerAdvert4, high4, to(own4.String()), DiscardPeer, nil},
		{"negative authentication comes before the fields", signed4(Enforce), peerAdvert4, low4, octet(5, 0), DiscardUnsigned, nil},
	})
	t.Run("positive counts", func(t *testing.T) {
		g := config4.group()
		for range 3 {
			if _, err := g.Receive(wallClock, packetOf(peerAdvert4, low4, MessageOnly, ttl(1)), ownParameters); err != DiscardTTL {
				t.Fatalf("got %v, want %v", err, DiscardTTL)
			}
		}
		a, err := g.Receive(wallClock, packetOf(peerAdvert4, low4, MessageOnly, nil), ownParameters)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(peerAdvert4, a, compareAddr); diff != "" {
			t.Errorf("advertisement (-want +got):\n%s", diff)
		}
		g.Advertisement(wallClock, 100, time.Second, nil)
		want := Counters{Received: 4, Sent: 1}
		want.Discarded[DiscardTTL] = 3
		if diff := cmp.Diff(want, g.Counters()); diff != "" {
			t.Errorf("counters (-want +got):\n%s", diff)
		}
	})
}

// TestRule62_BothVersions: there is no way to be in an election of both versions
// at once. A master sends the configured one only, and a backup does not see a
// master of the other one, but says so.
func TestRule62_BothVersions(t *testing.T) {
	p := ownParameters
	p.Families = Families{IPv4: true}
	for _, c := range []struct {
		name    string
		config  GroupConfig
		heard   Advertisement
		follows bool
	}{
		{"positive version 3 alone", config4, peerAdvert4, true},
		{"positive version 2 alone", config2, peerAdvert2, true},
		{"negative version 2 beside 3", config4, peerAdvert2, false},
		{"negative version 3 beside 2", config2, peerAdvert4, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, g := p, c.config.group()
			p.Version = c.config.Version
			r := &rig{T: t, Machine: NewMachine(p), now: wallClock}
			r.SetLocal(IPv4, own4)
			r.Startup(r.now)
			for range 3 {
				r.after(time.Second)
				a, err := g.Receive(r.now, packetOf(c.heard, high4, MessageOnly, nil), p)
				if err == nil {
					r.Receive(r.now, IPv4, a, high4)
				}
				if follows := err == nil; follows != c.follows {
					t.Fatalf("got %v, want the peer followed: %v", err, c.follows)
				}
			}
			r.after(time.Second)
			r.Expire(r.now)
			if master := r.State() == Master; master == c.follows {
				t.Errorf("%v beside the peer, want it followed: %v", r.State(), c.follows)
			}
			if said := g.Counters().Discarded[DiscardVersion] == 3; said == c.follows {
				t.Errorf("counted %+v", g.Counters())
			}
			var o Outbox
			g.AppendOutgoing(r.now, 100, time.Second, &o)
			for _, m := range o.Messages {
				if got := Version(m.Payload[0] >> 4); got != c.config.Version.orDefault() {
					t.Errorf("sent %x in version %d", m.Payload, got)
				}
			}
			if len(o.Messages) != 1 {
				t.Errorf("%d messages for one advertisement, want 1", len(o.Messages))
			}
		})
	}
}
