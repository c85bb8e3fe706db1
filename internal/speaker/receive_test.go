// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

func TestPacketsOfNoInstanceAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		synctest.Wait()
		stranger := vrrp.NewGroup(vrrp.GroupConfig{VRID: 99, Family: vrrp.IPv4, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.99")}})
		stranger.SetLocal(netip.MustParseAddr("192.0.2.9"))
		for _, payload := range [][]byte{nil, {0x31}, stranger.Advertisement(time.Now(), 100, time.Second, nil)} {
			r.segment.inject(vrrp.IPv4, vrrp.Packet{Payload: payload, Source: netip.MustParseAddr("192.0.2.9"), Destination: vrrp.IPv4.Group(), TTL: 255})
		}
		wait(time.Millisecond)
		r.commands <- Query{}
		synctest.Wait()
		got := seen[Status](r)[0].Unclaimed["eth0"]
		if got["short"] != 2 || got["vrid"] != 1 {
			t.Errorf("unclaimed = %v, want 2 short and 1 of a foreign VRID", got)
		}
	})
}

func TestBadPacketsAreCountedAndSaidSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		wait(settleTime)
		group := vrrp.NewGroup(vrrp.GroupConfig{VRID: 51, Family: vrrp.IPv4, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}})
		group.SetLocal(netip.MustParseAddr("192.0.2.9"))
		forged := vrrp.Packet{Payload: group.Advertisement(time.Now(), 200, time.Second, nil), Source: netip.MustParseAddr("192.0.2.9"), Destination: vrrp.IPv4.Group(), TTL: 254}
		const packets = 1500
		for range packets {
			r.segment.inject(vrrp.IPv4, forged)
			wait(2 * time.Millisecond)
		}
		wait(2 * time.Minute)
		said := seen[Discarded](r)
		if len(said) > 4 {
			t.Errorf("said %d times within 3 s", len(said))
		}
		total := uint64(0)
		for _, d := range said {
			total += d.Count
		}
		if total != packets || said[0].Reason != vrrp.DiscardTTL {
			t.Errorf("events tell of %d packets (%v), want %d (%v)", total, said[0].Reason, packets, vrrp.DiscardTTL)
		}
		r.commands <- Query{}
		synctest.Wait()
		if got := seen[Status](r)[0].Instances[0].Discarded["ttl"]; got != packets {
			t.Errorf("counter says %d, want %d", got, packets)
		}
		if tr := seen[Transition](r); tr[len(tr)-1].To != vrrp.Master {
			t.Errorf("forged packets moved the instance: %+v", tr)
		}
	})
}

func TestLowerPriorityMasterIsAnsweredByAnnouncements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		wait(3 * settleTime)
		announced := r.count(&r.announced)
		group := vrrp.NewGroup(vrrp.GroupConfig{VRID: 51, Family: vrrp.IPv4, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}})
		group.SetLocal(netip.MustParseAddr("192.0.2.9"))
		r.segment.inject(vrrp.IPv4, vrrp.Packet{Payload: group.Advertisement(time.Now(), 50, time.Second, nil), Source: netip.MustParseAddr("192.0.2.9"), Destination: vrrp.IPv4.Group(), TTL: 255})
		wait(200 * time.Millisecond)
		if got := r.count(&r.announced) - announced; got != 5 {
			t.Errorf("%d announcement rounds, want 5", got)
		}
		if got := seen[Contested](r); len(got) != 1 || got[0].Peer.String() != "192.0.2.9" {
			t.Errorf("contested = %+v", got)
		}
	})
}

func TestConfigurationOfAPeerThatDiffersIsSaidOnce(t *testing.T) {
	for _, test := range []struct {
		name     string
		vip      string
		interval time.Duration
		want     string
	}{
		{"VIPs", "192.0.2.99", time.Second, "its list of VIPs differs from ours"},
		{"interval", "192.0.2.10", 2 * time.Second, "its advert_interval is 2s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
				synctest.Wait()
				group := vrrp.NewGroup(vrrp.GroupConfig{VRID: 51, Family: vrrp.IPv4, Addresses: []netip.Addr{netip.MustParseAddr(test.vip)}})
				group.SetLocal(netip.MustParseAddr("192.0.2.9"))
				for range 3 {
					r.segment.inject(vrrp.IPv4, vrrp.Packet{Payload: group.Advertisement(time.Now(), 200, test.interval, nil), Source: netip.MustParseAddr("192.0.2.9"), Destination: vrrp.IPv4.Group(), TTL: 255})
					wait(time.Second)
				}
				got := seen[Conflict](r)
				if len(got) != 1 || got[0].Reason != test.want {
					t.Errorf("conflicts = %+v, want one: %s", got, test.want)
				}
				if tr := seen[Transition](r); len(tr) != 1 {
					t.Errorf("a peer that differs was not followed: %+v", tr)
				}
			})
		})
	}
}
