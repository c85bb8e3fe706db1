// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
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

// TestLastAdvertOfTheOldMasterIsNoAlarm: it comes within a second of our own
// take-over, and the VIPs are announced again all the same.
func TestLastAdvertOfTheOldMasterIsNoAlarm(t *testing.T) {
	for _, test := range []struct {
		name   string
		after  time.Duration // from the take-over
		kernel time.Duration // that it takes to add the VIPs
		rounds int           // more than without the advert
		alarms int
	}{
		{"at once", time.Millisecond, 0, 1, 0},
		{"at once, slow kernel", time.Millisecond, 50 * time.Millisecond, 0, 0},
		{"in the end of the grace", claimGrace - time.Millisecond, 0, 5, 0},
		{"later", claimGrace, 0, 5, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				r.set(func() { r.holdDelay = test.kernel })
				config := instanceOf(100, vip4)
				config.Announce.Delay = 0
				r.configure(config)
				for len(masters(r)) == 0 {
					wait(time.Millisecond)
				}
				wait(time.Until(seen[Transition](r)[1].At.Add(test.after)))
				r.segment.inject(vrrp.IPv4, advertFrom("192.0.2.9", config, 50))
				wait(500 * time.Millisecond)
				if got := r.count(&r.announced) - 5; got != test.rounds {
					t.Errorf("%d more announcement rounds, want %d", got, test.rounds)
				}
				if got := seen[Contested](r); len(got) != test.alarms {
					t.Errorf("contested = %+v, want %d", got, test.alarms)
				}
				wait(2 * time.Second)
				r.segment.inject(vrrp.IPv4, advertFrom("192.0.2.9", config, 50))
				wait(time.Second)
				if got := seen[Contested](r); len(got) != test.alarms+1 {
					t.Errorf("contested = %+v, want one more for a master that goes on", got)
				}
			})
		})
	}
}

// TestOrdinaryReturnIsNoAlarm: the old master gives way with a last advert. One
// that was master all the time is an alarm, and VIPs are announced again.
func TestOrdinaryReturnIsNoAlarm(t *testing.T) {
	for _, split := range []bool{false, true} {
		t.Run(fmt.Sprintf("split %t", split), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, a, b := newPair(t)
				for _, r := range []*running{a, b} {
					r.set(func() { r.cut["eth0"] = split })
				}
				b.configure(instanceOf(100, vip4))
				wait(300 * time.Millisecond)
				a.configure(instanceOf(150, vip4))
				wait(4 * settleTime)
				announced := a.count(&a.announced)
				for _, r := range []*running{a, b} {
					r.set(func() { clear(r.cut) })
				}
				wait(settleTime)
				wantMaster(t, a, b, "web")
				if got := len(seen[Contested](a)) == 1; got != split {
					t.Errorf("contested = %+v, want one: %t", seen[Contested](a), split)
				}
				if got := a.count(&a.announced) > announced; got != split {
					t.Errorf("announced again after the split: %t, want %t", got, split)
				}
			})
		})
	}
}
