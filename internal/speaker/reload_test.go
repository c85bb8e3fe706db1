// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

func TestRenameKeepsTheRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		wait(settleTime)
		renamed := instanceOf(100, vip4)
		renamed.Name = "www"
		before := len(seen[Transition](r))
		r.commands <- Configure{Instances: []Instance{renamed}}
		wait(settleTime)
		got := seen[Transition](r)[before:]
		if len(got) != 2 || got[0].Instance != "web" || got[0].To != vrrp.Initialize || got[1].Instance != "www" || got[1].To != vrrp.Master {
			t.Errorf("transitions = %+v, want web to leave and www to be master", got)
		}
		if got := seen[Moved](r); len(got) != 1 {
			t.Errorf("VIPs moved: %+v, want only the first addition", got)
		}
	})
}

// TestAVIPLeavesInTheNameOfItsInstance: also one that the instance no longer has.
func TestAVIPLeavesInTheNameOfItsInstance(t *testing.T) {
	const second = "192.0.2.11/24"
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4, second)}}
		wait(settleTime)
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		wait(settleTime)
		got := seen[Moved](r)
		if len(got) != 2 || got[1].Instance != "web" || len(got[1].Removed) != 1 || got[1].Removed[0].Prefix.String() != second {
			t.Errorf("VIPs moved: %+v, want %v to leave web", got, second)
		}
	})
}

// TestReplacementWaitsForItsPredecessor: the two never speak for one name at
// the same time.
func TestReplacementWaitsForItsPredecessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		fast := instanceOf(100, vip4)
		fast.AdvertInterval = 100 * time.Millisecond
		r.commands <- Configure{Instances: []Instance{fast}}
		wait(settleTime)
		replaced := fast
		replaced.VRID = 52
		before := len(seen[Transition](r))
		r.commands <- Configure{Instances: []Instance{replaced}}
		wait(settleTime)
		var states []vrrp.State
		for _, tr := range seen[Transition](r)[before:] {
			states = append(states, tr.To)
		}
		want := []vrrp.State{vrrp.Initialize, vrrp.Backup, vrrp.Master}
		if len(states) != len(want) || states[0] != want[0] || states[1] != want[1] || states[2] != want[2] {
			t.Errorf("states = %v, want %v", states, want)
		}
		if got := r.vipCount(); got != 1 {
			t.Errorf("%d VIPs, want 1", got)
		}
	})
}

func TestTwoFamiliesMayShareAVRID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		six := instanceOf(100, vip6)
		six.Name = "six"
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4), six}}
		wait(settleTime)
		if got := r.vipCount(); got != 2 {
			t.Errorf("%d VIPs, want those of both", got)
		}
	})
}

func TestVIPOnAnotherInterfaceThatGoesDownHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &segment{}
		a, b := start(t, newHost(net, "192.0.2.1")), start(t, newHost(net, "192.0.2.2"))
		for i, r := range []*running{a, b} {
			r.change(func() { r.back = netif.Interface{Name: "eth1", Index: 3, Up: true} })
			synctest.Wait()
			config := instanceOf(uint8(150-50*i), vip4)
			config.Addresses = append(config.Addresses, VIP{Address: netif.Address{Interface: "eth1", Prefix: netip.MustParsePrefix("10.0.0.1/24")}})
			r.commands <- Configure{Instances: []Instance{config}}
		}
		wait(2 * settleTime)
		if a.vipCount() != 2 {
			t.Fatalf("a holds %d VIPs, want 2", a.vipCount())
		}
		a.change(func() { a.back.Up = false })
		wait(time.Second) // the skew time, not the master-down interval
		if a.vipCount() != 0 || b.vipCount() != 2 {
			t.Errorf("VIPs: a %d, b %d; want all on b", a.vipCount(), b.vipCount())
		}
		if got := seen[Fault](a); len(got) != 1 || got[0].Reason != "interface eth1 is down, which VIP 10.0.0.1/24 is for" {
			t.Errorf("faults = %+v", got)
		}
	})
}

func TestVIPOfSomebodyElseIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(&segment{}, "192.0.2.1")
		h.foreign = map[netif.Address]bool{{Interface: "eth0", Prefix: netip.MustParsePrefix(vip4)}: true}
		r := start(t, h)
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		wait(4 * settleTime)
		if got := seen[Foreign](r); len(got) != 1 || got[0].Address.Prefix.String() != vip4 {
			t.Errorf("foreign = %+v, want one", got)
		}
	})
}

func TestStopTellsOfVIPsThatTheKernelKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		wait(settleTime)
		r.change(func() { r.holdErr = errors.New("the kernel is stubborn") })
		r.commands <- Shutdown{}
		wait(2 * settleTime)
		if got := seen[Stopped](r); len(got) != 1 || got[0].Error != "the kernel is stubborn" {
			t.Errorf("stopped = %+v, want the reason", got)
		}
		if got := seen[Failed](r); len(got) != 1 {
			t.Errorf("failures = %+v, want it said once", got)
		}
	})
}
