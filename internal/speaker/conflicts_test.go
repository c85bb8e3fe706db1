// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// conflictsSince tells when conflicts were reported, in seconds, by peer and
// reason.
func conflictsSince(r *running, from time.Time) map[string][]int {
	said := make(map[string][]int)
	for _, c := range seen[Conflict](r) {
		if !c.At.Before(from) {
			key := fmt.Sprintf("%s: %s", c.Peer, c.Reason)
			said[key] = append(said[key], int(c.At.Sub(from).Seconds()))
		}
	}
	return said
}

// TestConflictsAreSaidWithGrowingPauses: each reason and peer on its own, and
// anew once one was over for a minute.
func TestConflictsAreSaidWithGrowingPauses(t *testing.T) {
	slow, other := instanceOf(100, vip4), instanceOf(100, "192.0.2.99/24")
	slow.AdvertInterval = 2 * time.Second
	both := other
	both.AdvertInterval = slow.AdvertInterval
	const vips, interval = "its list of VIPs differs from ours", "its advert_interval is 2s"
	pauses := []int{0, 1, 3, 7, 15, 31, 63, 123, 183}
	for _, test := range []struct {
		name  string
		peers map[string]Instance
		want  map[string][]int
	}{
		{"VIPs", map[string]Instance{"192.0.2.9": other}, map[string][]int{"192.0.2.9: " + vips: pauses}},
		{"interval", map[string]Instance{"192.0.2.9": slow}, map[string][]int{"192.0.2.9: " + interval: pauses}},
		{"both", map[string]Instance{"192.0.2.9": both}, map[string][]int{"192.0.2.9: " + vips: pauses, "192.0.2.9: " + interval: pauses}},
		{"two peers", map[string]Instance{"192.0.2.8": other, "192.0.2.9": slow}, map[string][]int{"192.0.2.8: " + vips: pauses, "192.0.2.9: " + interval: pauses}},
		{"none", map[string]Instance{"192.0.2.9": instanceOf(100, vip4)}, map[string][]int{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				r.configure(instanceOf(100, vip4))
				synctest.Wait()
				began := func() time.Time {
					from := time.Now()
					for range 200 {
						for _, a := range []string{"192.0.2.8", "192.0.2.9"} {
							if config, ok := test.peers[a]; ok {
								r.segment.inject(vrrp.IPv4, advertFrom(a, config, 200))
							}
						}
						wait(time.Second)
					}
					return from
				}
				from := began()
				if diff := cmp.Diff(test.want, conflictsSince(r, from)); diff != "" {
					t.Errorf("conflicts (want -, got +):\n%s", diff)
				}
				if tr := seen[Transition](r); len(tr) != 1 {
					t.Errorf("a peer that differs was not followed: %+v", tr)
				}
				wait(noisePauseMax)
				from = began()
				if diff := cmp.Diff(test.want, conflictsSince(r, from)); diff != "" {
					t.Errorf("conflicts after it was over (want -, got +):\n%s", diff)
				}
			})
		})
	}
}

// TestSlowConflictsAreNotSaidEachTime: a pause that ends between two adverts
// is not the end of the conflict.
func TestSlowConflictsAreNotSaidEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.configure(instanceOf(100, vip4))
		synctest.Wait()
		for range 20 {
			r.segment.inject(vrrp.IPv4, advertFrom("192.0.2.9", instanceOf(100, "192.0.2.99/24"), 200))
			wait(20 * time.Second)
		}
		got := conflictsSince(r, time.Time{})
		for _, said := range got {
			if len(said) > 12 || len(got) != 1 {
				t.Errorf("said %d times in 20 adverts: %v", len(said), said)
			}
		}
	})
}

// TestForgedConflictsAreBounded: neither memory nor the journal grows with the
// number of sources.
func TestForgedConflictsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.configure(instanceOf(100, vip4))
		synctest.Wait()
		forge := func(sources string) {
			for n := range 250 {
				r.segment.inject(vrrp.IPv4, advertFrom(fmt.Sprintf(sources, n+1), instanceOf(100, "192.0.2.99/24"), 200))
			}
			synctest.Wait()
		}
		forge("198.51.100.%d")
		if got := len(seen[Conflict](r)); got != maxConflicts+1 {
			t.Errorf("%d conflicts of 250 routers, want %d", got, maxConflicts+1)
		}
		// What has ended makes room.
		wait(noisePauseMax)
		forge("203.0.113.%d")
		if got := len(seen[Conflict](r)); got != 2*(maxConflicts+1) {
			t.Errorf("%d conflicts, want %d", got, 2*(maxConflicts+1))
		}
	})
}

// TestDiscardsAtTheirOwnPaceAreSaidSeldom: one packet a second, as routers send.
func TestDiscardsAtTheirOwnPaceAreSaidSeldom(t *testing.T) {
	for _, jitter := range []time.Duration{-time.Millisecond, 0, time.Millisecond} {
		t.Run(jitter.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				r.configure(instanceOf(100, vip4))
				synctest.Wait()
				p := advertFrom("192.0.2.9", instanceOf(100, vip4), 200)
				p.TTL = 1
				const packets = 100
				send := func() {
					for range packets {
						r.segment.inject(vrrp.IPv4, p)
						wait(time.Second + jitter)
					}
					wait(2 * noisePauseMax)
				}
				send()
				first := len(seen[Discarded](r))
				if first > 8 {
					t.Errorf("said %d times in 100 s", first)
				}
				send()
				total := uint64(0)
				for _, d := range seen[Discarded](r) {
					total += d.Count
				}
				if again := len(seen[Discarded](r)) - first; again != first || total != 2*packets {
					t.Errorf("said %d times, then %d times: %d packets; want the same again, and %d", first, again, total, 2*packets)
				}
			})
		})
	}
}
