// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// named is an instance of its own virtual router.
func named(name string, vrid uint8, vip string) Instance {
	i := instanceOf(100, vip)
	i.Name, i.VRID = name, vrid
	return i
}

// roles are the states by the transitions so far, of all that is not stopped.
func roles(r *running) map[string]vrrp.State {
	states := make(map[string]vrrp.State)
	for _, t := range seen[Transition](r) {
		states[t.Instance] = t.To
	}
	maps.DeleteFunc(states, func(_ string, s vrrp.State) bool { return s == vrrp.Initialize })
	return states
}

// TestRenamesInOneReload: whoever keeps a map of roles has the right ones then,
// and VIPs leave in the name that their instance has.
func TestRenamesInOneReload(t *testing.T) {
	const first, second, third = "192.0.2.11/24", "192.0.2.12/24", "192.0.2.13/24"
	a, b, c := func(n string) Instance { return named(n, 51, first) }, func(n string) Instance { return named(n, 52, second) }, func(n string) Instance { return named(n, 53, third) }
	grouped := func(instances ...Instance) []Instance {
		for n := range instances {
			instances[n].SyncGroup = "all"
		}
		return instances
	}
	for _, test := range []struct {
		name          string
		before, after []Instance
		want          []string // masters; others are gone
	}{
		{"chain", []Instance{a("a"), b("b")}, []Instance{a("b"), b("c")}, []string{"b", "c"}},
		{"chain, from the end", []Instance{b("b"), a("a")}, []Instance{b("c"), a("b")}, []string{"b", "c"}},
		{"swap", []Instance{a("a"), b("b")}, []Instance{a("b"), b("a")}, []string{"a", "b"}},
		{"ring", []Instance{a("a"), b("b"), c("c")}, []Instance{a("b"), b("c"), c("a")}, []string{"a", "b", "c"}},
		{"the last one goes", []Instance{a("a"), b("b")}, []Instance{a("b")}, []string{"b"}},
		{"the name goes to a new one", []Instance{a("a"), b("b")}, []Instance{a("b"), b("c"), c("a")}, []string{"a", "b", "c"}},
		{"sync group", grouped(a("a"), b("b")), grouped(a("b"), b("c")), []string{"b", "c"}},
		{"sync group, swap", grouped(a("a"), b("b")), grouped(a("b"), b("a")), []string{"a", "b"}},
		{"into a sync group", []Instance{a("a"), b("b")}, grouped(a("b"), b("c")), []string{"b", "c"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				r.configure(test.before...)
				wait(2 * settleTime)
				vips := r.vipCount()
				r.configure(test.after...)
				synctest.Wait()
				want := make(map[string]vrrp.State)
				for _, i := range test.after {
					if slices.ContainsFunc(test.before, func(b Instance) bool { return b.VRID == i.VRID }) {
						want[i.Name] = vrrp.Master
					}
				}
				got := roles(r)
				maps.DeleteFunc(got, func(name string, _ vrrp.State) bool { return want[name] == vrrp.Initialize })
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("roles by events at once (want -, got +):\n%s", diff)
				}
				wait(4 * settleTime)
				if got := slices.Sorted(maps.Keys(roles(r))); !slices.Equal(got, test.want) {
					t.Errorf("roles by events in the end: %v, want masters %v", roles(r), test.want)
				}
				for _, name := range test.want {
					if got := r.status(name).State; got != vrrp.Master {
						t.Errorf("%s is %v", name, got)
					}
				}
				if got := r.vipCount(); got != len(test.want) {
					t.Errorf("%d VIPs, want %d", got, len(test.want))
				}
				if len(test.after) == len(test.before) && len(seen[Moved](r)) != vips {
					t.Errorf("VIPs moved: %+v", seen[Moved](r))
				}
			})
		})
	}
}

// TestAVIPLeavesInTheNewNameOfItsInstance: the old name is another instance's.
func TestAVIPLeavesInTheNewNameOfItsInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		b := named("b", 52, "192.0.2.12/24")
		b.Addresses = append(b.Addresses, vipOn("eth0", "192.0.2.13/24"))
		r.configure(named("a", 51, "192.0.2.11/24"), b)
		wait(settleTime)
		before := len(seen[Moved](r))
		r.configure(named("b", 51, "192.0.2.11/24"), named("c", 52, "192.0.2.12/24"))
		wait(settleTime)
		got := seen[Moved](r)[before:]
		if len(got) != 1 || got[0].Instance != "c" || len(got[0].Removed) != 1 || got[0].Removed[0].Prefix.String() != "192.0.2.13/24" {
			t.Errorf("VIPs moved: %+v, want 192.0.2.13 to leave c", got)
		}
	})
}

// TestNameOfAnInstanceThatHandsOver: it goes on under another name until it has
// left.
func TestNameOfAnInstanceThatHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.configure(named("a", 51, "192.0.2.11/24"), named("b", 52, "192.0.2.12/24"))
		wait(settleTime)
		r.configure(named("b", 51, "192.0.2.11/24"))
		if got := r.status("b (leaving)"); !got.HandingOver || got.Config.VRID != 52 {
			t.Errorf("the one that leaves: VRID %d, handing over %t", got.Config.VRID, got.HandingOver)
		}
		wait(100 * time.Millisecond)
		if diff := cmp.Diff(map[string]vrrp.State{"b": vrrp.Master, "b (leaving)": vrrp.Master}, roles(r)); diff != "" {
			t.Errorf("meanwhile (want -, got +):\n%s", diff)
		}
		wait(settleTime)
		if diff := cmp.Diff(map[string]vrrp.State{"b": vrrp.Master}, roles(r)); diff != "" {
			t.Errorf("in the end (want -, got +):\n%s", diff)
		}
		if got := seen[Moved](r); got[len(got)-1].Instance != "b (leaving)" {
			t.Errorf("VIPs moved: %+v", got)
		}
	})
}
