// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

const vipIn = "10.0.0.10/24" // on eth1

// outAndIn are two instances of a sync group, on the interfaces eth0 and eth1.
func outAndIn(priority uint8) (out, in Instance) {
	out, in = instanceOf(priority, vip4), instanceOf(priority, vipIn)
	in.Name, in.Interface, in.VRID, in.Addresses[0].Interface = "in", "eth1", 52, "eth1"
	out.SyncGroup, in.SyncGroup = "both", "both"
	return out, in
}

func TestSyncGroupMovesTogether(t *testing.T) {
	for _, test := range []struct {
		name       string
		fail, mend func(h *host)
		moved      []string // VIPs that can be handed over
		reason     string
	}{
		{"inner interface down", func(h *host) { h.back.Up = false }, func(h *host) { h.back.Up = true }, []string{vip4}, "sync group both: in: interface eth1 is down"},
		{"outer interface down", func(h *host) { h.link.Up = false }, func(h *host) { h.link.Up = true }, []string{vipIn}, "sync group both: web: interface eth0 is down"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net, a, b := newPair(t)
				a.configure(outAndIn(150))
				b.configure(outAndIn(100))
				wait(settleTime)
				wantMaster(t, a, b, "in", "web")
				failed := time.Now()
				a.change(func() { test.fail(a.host) })
				wait(settleTime)
				wantMaster(t, b, a, "in", "web")
				wantCustody(t, net, failed, briefly, test.moved...)
				for _, vip := range []string{vip4, vipIn} {
					if none, many := net.custody(vip, failed); none > time.Second || many > briefly {
						t.Errorf("%s: nobody held it for %v, more than one for %v", vip, none, many)
					}
				}
				if got := seen[Fault](a); len(got) != 2 || got[0].Reason != test.reason && got[1].Reason != test.reason {
					t.Errorf("faults = %+v, want one with %q", got, test.reason)
				}
				mended := time.Now()
				a.change(func() { test.mend(a.host) })
				wait(2 * settleTime)
				wantMaster(t, a, b, "in", "web")
				wantCustody(t, net, mended, briefly, vip4, vipIn)
				wantTogether(t, a)
				wantTogether(t, b)
			})
		})
	}
}

// wantTogether checks that both instances of a sync group became master at the
// same moments.
func wantTogether(t *testing.T, r *running) {
	t.Helper()
	at := make(map[string][]time.Time)
	for _, tr := range seen[Transition](r) {
		if tr.To == vrrp.Master {
			at[tr.Instance] = append(at[tr.Instance], tr.At)
		}
	}
	if !slices.EqualFunc(at["web"], at["in"], time.Time.Equal) {
		t.Errorf("web became master at %v, in at %v", at["web"], at["in"])
	}
}

// TestSyncGroupsAgreeWhoDecides: the order in which the instances are
// configured differs, and each router is the better one on one wire.
func TestSyncGroupsAgreeWhoDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, b := newPair(t)
		// Better than b on eth1, where VRID 52 is.
		a.change(func() { a.back = interfaceOf("eth1", 3, "10.0.0.3", "fe80::13") })
		synctest.Wait()
		for _, r := range []*running{a, b} {
			r.set(func() { r.cut["eth0"], r.cut["eth1"] = true, true })
		}
		out, in := outAndIn(100)
		a.configure(in, out)
		b.configure(out, in)
		wait(settleTime)
		if len(masters(a)) != 2 || len(masters(b)) != 2 {
			t.Fatalf("masters %v and %v, want all on either side of the cut", masters(a), masters(b))
		}
		for _, r := range []*running{a, b} {
			r.set(func() { clear(r.cut) })
		}
		healed := time.Now()
		wait(1100 * time.Millisecond)
		wantMaster(t, b, a, "in", "web")
		if none, _ := net.custody(vip4, healed); none > 0 {
			t.Errorf("nobody held the VIP for %v", none)
		}
		before := len(seen[Transition](a)) + len(seen[Transition](b))
		wait(2 * settleTime)
		if got := len(seen[Transition](a)) + len(seen[Transition](b)); got != before {
			t.Errorf("%d more transitions, want the roles to stay", got-before)
		}
	})
}

// TestReloadChangesSyncGroup: a role is kept, and membership counts from then on.
func TestReloadChangesSyncGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, b := newPair(t)
		for n, r := range []*running{a, b} {
			out, in := outAndIn(uint8(150 - 50*n))
			out.SyncGroup, in.SyncGroup = "", ""
			r.configure(out, in)
		}
		wait(settleTime)
		joined := time.Now()
		before := len(seen[Transition](a)) + len(seen[Transition](b))
		a.configure(outAndIn(150))
		b.configure(outAndIn(100))
		wait(settleTime)
		if got := len(seen[Transition](a)) + len(seen[Transition](b)); got != before {
			t.Errorf("%d transitions by joining", got-before)
		}
		a.change(func() { a.back.Up = false })
		wait(settleTime)
		wantMaster(t, b, a, "in", "web")
		wantCustody(t, net, joined, briefly, vip4)
	})
}
