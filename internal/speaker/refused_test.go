// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

func TestStandbyIsRefusedWithoutPeer(t *testing.T) {
	for _, test := range []struct {
		name              string
		before, meanwhile func(r *running) // of the order
		reason            string
	}{
		{
			"none ever", func(*running) {}, func(*running) {},
			"nobody took over within 1.5s: no other router was ever heard on eth0; the order is dropped",
		},
		{
			"one that is gone", func(r *running) {
				r.segment.inject(vrrp.IPv4, advertFrom("192.0.2.9", instanceOf(100, vip4), 50))
				wait(time.Minute)
			}, func(*running) {},
			"nobody took over within 1.5s: no other router was heard for 1m1s, the last was 192.0.2.9; the order is dropped",
		},
		{
			"one that is not understood", func(*running) {}, func(r *running) {
				p := advertFrom("192.0.2.9", instanceOf(100, vip4), 50)
				p.TTL = 1
				r.segment.inject(vrrp.IPv4, p)
			},
			"nobody took over within 1.5s: what 192.0.2.9 sent meanwhile was dropped: its TTL is 1, not 255, so a router has forwarded it: keep VRRP on its own link; the order is dropped",
		},
		{
			"one that does not stay", func(*running) {}, func(r *running) { // before the last resignation
				r.segment.inject(vrrp.IPv4, advertFrom("192.0.2.9", instanceOf(100, vip4), 50))
			},
			"nobody took over within 1.5s: 192.0.2.9 is there and did not take over; the order is dropped",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				r.configure(instanceOf(100, vip4))
				wait(settleTime)
				test.before(r)
				from := time.Now()
				r.configure(standby(instanceOf(100, vip4)))
				wait(time.Millisecond)
				test.meanwhile(r)
				wait(settleTime)
				if got := seen[StandbyRefused](r); len(got) != 1 || got[0].Instance != "web" || got[0].Reason != test.reason {
					t.Errorf("refusals = %+v, want one: %s", got, test.reason)
				}
				wantCustody(t, r.segment, from, 0, vip4)
				if got := r.status("web"); got.State != vrrp.Master || got.Standby || got.Config.Standby {
					t.Errorf("%v, standby %t, configured %t; want to stay master", got.State, got.Standby, got.Config.Standby)
				}
				last := r.sentSince(time.Now().Add(-1100 * time.Millisecond))
				if len(last) == 0 || last[0].priority() != 100 {
					t.Errorf("adverts at the end = %+v, want its own priority", last)
				}
			})
		})
	}
}

func TestStandbyOfASyncGroupIsRefusedForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, _ := newPair(t)
		out, in := outAndIn(150)
		a.configure(out, in)
		wait(settleTime)
		from := time.Now()
		a.configure(standby(out), standby(in))
		wait(settleTime)
		if got := seen[StandbyRefused](a); len(got) != 2 {
			t.Errorf("refusals = %+v, want one for each", got)
		}
		if got := masters(a); len(got) != 2 {
			t.Errorf("masters %v, want both", got)
		}
		wantCustody(t, net, from, 0, vip4, vipIn)
	})
}
