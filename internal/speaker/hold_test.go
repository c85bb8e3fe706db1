// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// full is an instance with everything that can be held.
func full(priority uint8) Instance {
	i := instanceOf(priority, vip4)
	i.VirtualMAC = "vrrp51"
	i.Refuse = true
	i.Addresses[0].Interface, i.Addresses[0].Label, i.Addresses[0].Scope = "vrrp51", "vrrp51:1", 253
	i.Excluded = []VIP{vipOn("vrrp51", vip6)}
	i.Routes = []netif.Route{{Destination: netip.MustParsePrefix("198.51.100.0/24"), Via: netip.MustParseAddr("192.0.2.254")}}
	i.Rules = []netif.Rule{{From: netip.MustParsePrefix("198.51.100.0/24"), Table: 100, Priority: 1000}}
	return i
}

// TestHeldOnlyWhileMaster: a backup has the virtual MAC interface ready, but
// down.
func TestHeldOnlyWhileMaster(t *testing.T) {
	equal := cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}
	mac := func(up bool) []netif.VirtualMAC {
		return []netif.VirtualMAC{{Name: "vrrp51", Interface: "eth0", HardwareAddr: vrrp.VirtualMAC(51, vrrp.IPv4), Up: up}}
	}
	c := full(100)
	standing := []netif.Address{c.Addresses[0].Address, c.Excluded[0].Address}
	master := netif.Desired{
		Leases: []netif.Lease{
			{Address: c.Addresses[0].Address, Valid: c.Lease, Label: "vrrp51:1", Scope: 253},
			{Address: c.Excluded[0].Address, Valid: c.Lease},
		},
		Routes: c.Routes, Rules: c.Rules, VirtualMACs: mac(true),
		Refuse: []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")},
	}
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		want := func(when string, want netif.Desired) {
			t.Helper()
			if diff := cmp.Diff(want, r.wanted(), equal); diff != "" {
				t.Errorf("%s (want -, got +):\n%s", when, diff)
			}
		}
		r.configure(c)
		wait(time.Second)
		want("as backup", netif.Desired{VirtualMACs: mac(false), Standing: standing})
		wait(settleTime)
		want("as master", master)
		r.change(func() { r.link.Up = false })
		wait(time.Second)
		want("in fault", netif.Desired{Standing: standing})
		r.change(func() { r.link.Up = true })
		wait(time.Second)
		want("as backup again", netif.Desired{VirtualMACs: mac(false), Standing: standing})
		wait(settleTime)
		r.commands <- Shutdown{}
		wait(500 * time.Millisecond)
		want("while handing over", master)
		wait(settleTime)
		want("in the end", netif.Desired{})
	})
}

func TestExcludedVIPsAreHeldButNotAdvertised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, b := newPair(t)
		for n, r := range []*running{a, b} {
			config := instanceOf(uint8(150-50*n), vip4)
			config.Excluded = []VIP{vipOn("eth0", "192.0.2.77/32"), vipOn("eth0", vip6)}
			r.configure(config)
		}
		wait(settleTime)
		if got := a.vipCount(); got != 3 {
			t.Errorf("%d VIPs, want the excluded ones too", got)
		}
		for _, s := range a.sentSince(time.Time{}) {
			if count := s.Payload[3]; count != 1 || !s.Source.Is4() {
				t.Fatalf("advert of %d addresses from %s, want 1 over IPv4 alone", count, s.Source)
			}
		}
		from := time.Now()
		a.commands <- Shutdown{}
		wait(settleTime)
		wantMaster(t, b, a, "web")
		wantCustody(t, net, from, briefly, vip4, "192.0.2.77/32", vip6)
		if got := seen[Conflict](b); len(got) != 0 {
			t.Errorf("conflicts = %+v", got)
		}
	})
}

// TestSlowKernelHoldsNothingBack: adverts go on while the kernel takes its time.
func TestSlowKernelHoldsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, b := newPair(t)
		fast := instanceOf(150, vip4)
		fast.AdvertInterval = 100 * time.Millisecond
		a.configure(fast)
		fast.Priority = 100
		b.configure(fast)
		wait(settleTime)
		wantMaster(t, a, b, "web")
		before := len(seen[Transition](a)) + len(seen[Transition](b))
		from := time.Now()
		a.set(func() { a.holdDelay = 5 * time.Second })
		wait(30 * time.Second)
		if got := len(seen[Transition](a)) + len(seen[Transition](b)); got != before {
			t.Errorf("%d transitions", got-before)
		}
		last := from
		for _, s := range a.sentSince(from) {
			if pause := s.at.Sub(last); pause > 110*time.Millisecond {
				t.Errorf("no advert for %v", pause)
			}
			last = s.at
		}
		if got := a.status("web").State; got != vrrp.Master {
			t.Errorf("state %v", got)
		}
		// A hand-over takes as long as ever, only the removal is late.
		b.set(func() { b.holdDelay = 0 })
		left := time.Now()
		a.commands <- Shutdown{}
		wait(time.Second)
		if got := masterAt(t, b, left); got > 200*time.Millisecond {
			t.Errorf("the peer took over after %v", got)
		}
		wait(20 * time.Second)
		wantMaster(t, b, a, "web")
		wantCustody(t, net, from, 11*time.Second, vip4)
	})
}

// TestSlowKernelAtTheStart: the role that is left before the kernel is done
// counts in the end.
func TestSlowKernelAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, b := newPair(t)
		a.set(func() { a.holdDelay = 3 * time.Second })
		wait(settleTime) // the first Hold
		a.configure(instanceOf(100, vip4))
		wait(4 * time.Second) // master, and adding
		b.configure(instanceOf(255, vip4))
		wait(time.Minute)
		wantMaster(t, b, a, "web")
		if _, many := net.custody(vip4, time.Time{}); many > 7*time.Second {
			t.Errorf("two held the VIP for %v", many)
		}
	})
}

func TestHoldErrorIsRetriedWithoutSpinning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.configure(instanceOf(100, vip4))
		wait(settleTime)
		r.set(func() { r.holdErr, r.vips = errors.New("no"), nil })
		before := r.count(&r.holds)
		wait(20 * time.Second)
		if got := r.count(&r.holds) - before; got < 17 || got > 21 {
			t.Errorf("tried %d times in 20 s, want once a second", got)
		}
		if got := seen[Failed](r); len(got) != 1 || got[0].Error != "no" {
			t.Errorf("failures = %+v, want it said once", got)
		}
		if got := r.status("web"); got.State != vrrp.Master || len(got.Held) != 0 {
			t.Errorf("%v, held %v; want a master without VIP", got.State, got.Held)
		}
		r.set(func() { r.holdErr = nil })
		wait(2 * time.Second)
		if got := r.status("web"); r.vipCount() != 1 || len(got.Held) != 1 {
			t.Errorf("%d VIPs, held %v", r.vipCount(), got.Held)
		}
	})
}

// TestStopTellsOfAKernelThatDoesNotAnswer: nobody can say that the VIPs are gone.
func TestStopTellsOfAKernelThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.configure(instanceOf(100, vip4))
		wait(settleTime)
		r.set(func() { r.holdDelay = time.Minute })
		r.commands <- Shutdown{}
		wait(settleTime)
		if got := seen[Stopped](r); len(got) != 1 || got[0].Error == "" {
			t.Errorf("stopped = %+v, want one with an error", got)
		}
		wait(2 * time.Minute)
	})
}

func TestFailedAnnouncementIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		for _, text := range []string{"one", "one", "two", "two"} {
			r.failed <- errors.New(text)
		}
		synctest.Wait()
		got := seen[Failed](r)
		if len(got) != 2 || got[0].Error != "one" || got[1].Error != "two" {
			t.Errorf("failures = %+v, want each once", got)
		}
	})
}

// TestCautiousOwnerListensFirst: so that a speaker that was restarted does not
// collide with the router that took over from its predecessor.
func TestCautiousOwnerListensFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		a.configure(instanceOf(255, vip4))
		wait(time.Second)
		wantMaster(t, a, b, "web")
		if got := masterAt(t, a, a.sentSince(time.Time{})[0].at); got != 0 {
			t.Errorf("an owner that is not cautious was master after %v", got)
		}
		h := newHost(&segment{}, "192.0.2.1")
		c := start(t, h, (*Speaker).Cautious)
		from := time.Now()
		c.configure(instanceOf(255, vip4))
		wait(time.Second)
		if got := c.vipCount(); got != 0 {
			t.Errorf("%d VIPs before it has listened", got)
		}
		wait(settleTime)
		if got := masterAt(t, c, from); got < 3*time.Second || got > 3100*time.Millisecond {
			t.Errorf("master after %v, want one master-down interval", got)
		}
	})
}

// TestNothingStartsAfterAShutdown: a configuration that crossed it is too late.
func TestNothingStartsAfterAShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.configure(instanceOf(100, vip4))
		wait(settleTime)
		r.commands <- Shutdown{}
		r.configure(instanceOf(100, vip4))
		wait(time.Minute)
		if got := len(seen[Stopped](r)); got != 1 || r.vipCount() != 0 {
			t.Errorf("stopped %d times, %d VIPs held", got, r.vipCount())
		}
	})
}

// TestAnHeirPutsNothingBack: what the kernel dropped at the end of its lease is
// the new master's by then.
func TestAnHeirPutsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, Settings{Heartbeat: 8 * time.Second})
		close(f.a.child().frozen)
		wait(5 * time.Second)
		a := vipOn("eth0", vip4).Address
		f.a.set(func() { delete(f.a.vips, a); f.a.book(a, false) })
		announced, from := f.a.count(&f.a.announced), time.Now()
		for range 100 {
			if wait(100 * time.Millisecond); len(seen[Lost](f.a)) > 0 {
				break
			}
		}
		wait(restartPauseMin / 2) // the heir is done, the next speaker not yet there
		if len(seen[Lost](f.a)) != 1 {
			t.Fatal("the speaker was not lost")
		}
		if _, both := f.net.custody(vip4, from); both > 0 || f.a.count(&f.a.announced) != announced {
			t.Errorf("both held it for %v, announced %d times", both, f.a.count(&f.a.announced)-announced)
		}
	})
}
