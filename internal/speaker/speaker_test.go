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

const vip4, vip6 = "192.0.2.10/24", "2001:db8::10/64"

// settleTime is longer than any master-down interval of these tests.
const settleTime = 5 * time.Second

func wait(d time.Duration) {
	time.Sleep(d) // the bubble's clock
	synctest.Wait()
}

func TestLoneSpeakerTakesTheVIPsAndAnnouncesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4, vip6)}}
		wait(3 * time.Second)
		if got := r.vipCount(); got != 0 {
			t.Fatalf("%d VIPs before the master-down interval", got)
		}
		wait(time.Second)
		if got := r.vipCount(); got != 2 {
			t.Fatalf("%d VIPs as master, want 2", got)
		}
		wait(200 * time.Millisecond)
		if got := r.count(&r.announced); got != 5 {
			t.Errorf("%d announcement rounds, want 5", got)
		}
		wait(6 * time.Second)
		if got := r.count(&r.announced); got != 10 {
			t.Errorf("%d announcement rounds after 5 s, want 10", got)
		}
		tr := seen[Transition](r)
		if len(tr) != 2 || tr[1].To != vrrp.Master || tr[1].Reason != vrrp.ReasonMasterDown.String() {
			t.Errorf("transitions = %+v", tr)
		}
	})
}

func TestLeasesAreRenewedThreeTimesInTheirLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		wait(settleTime)
		before := r.count(&r.holds)
		wait(12 * time.Second)
		if got := r.count(&r.holds) - before; got != 6 {
			t.Errorf("%d renewals of a 6 s lease in 12 s, want 6", got)
		}
	})
}

func TestPairHasOneMasterAndHandsOverWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &segment{}
		a, b := start(t, newHost(net, "192.0.2.1")), start(t, newHost(net, "192.0.2.2"))
		a.commands <- Configure{Instances: []Instance{instanceOf(150, vip4, vip6)}}
		b.commands <- Configure{Instances: []Instance{instanceOf(100, vip4, vip6)}}
		wait(2 * settleTime)
		if a.vipCount() != 2 || b.vipCount() != 0 {
			t.Fatalf("VIPs: a %d, b %d; want all on a, which has the higher priority", a.vipCount(), b.vipCount())
		}
		a.commands <- Shutdown{}
		for range 2000 {
			wait(time.Millisecond)
			if a.vipCount()+b.vipCount() == 0 {
				t.Fatal("nobody holds the VIPs")
			}
		}
		if a.vipCount() != 0 || b.vipCount() != 2 {
			t.Errorf("VIPs after the hand-over: a %d, b %d; want all on b", a.vipCount(), b.vipCount())
		}
		if len(seen[Stopped](a)) != 1 {
			t.Error("no Stopped event")
		}
		if tr := seen[Transition](a); tr[len(tr)-1].Reason != vrrp.ReasonHandedOver.String() {
			t.Errorf("last transition of a = %+v", tr[len(tr)-1])
		}
	})
}

func TestPreemptionLeavesNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &segment{}
		a, b := start(t, newHost(net, "192.0.2.1")), start(t, newHost(net, "192.0.2.2"))
		b.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		wait(settleTime)
		a.commands <- Configure{Instances: []Instance{instanceOf(150, vip4)}}
		both := 0
		for range 5000 {
			wait(time.Millisecond)
			switch a.vipCount() + b.vipCount() {
			case 0:
				t.Fatal("nobody holds the VIP")
			case 2:
				both++
			}
		}
		if a.vipCount() != 1 || b.vipCount() != 0 {
			t.Errorf("VIPs in the end: a %d, b %d; want it on a", a.vipCount(), b.vipCount())
		}
		if both == 0 || time.Duration(both)*time.Millisecond > vrrp.Linger+10*time.Millisecond {
			t.Errorf("both held the VIP for %d ms, want about %v", both, vrrp.Linger)
		}
	})
}

func TestShutdownWithoutPeerEndsAtTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		wait(settleTime)
		r.commands <- Shutdown{}
		wait(1400 * time.Millisecond)
		if got := r.vipCount(); got != 1 {
			t.Errorf("%d VIPs while a peer may still take over, want 1", got)
		}
		wait(200 * time.Millisecond)
		if got := r.vipCount(); got != 0 {
			t.Errorf("%d VIPs after the bound, want 0", got)
		}
		if len(seen[Stopped](r)) != 1 {
			t.Error("no Stopped event")
		}
	})
}

// TestInterfaceThatComesLate: an instance may be configured before its
// interface exists.
func TestInterfaceThatComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(&segment{}, "192.0.2.1")
		h.gone = true
		r := start(t, h)
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		wait(settleTime)
		if got := seen[Fault](r); len(got) != 1 || got[0].Reason != "interface eth0 does not exist" {
			t.Fatalf("faults = %+v, want the missing interface", got)
		}
		r.change(func() { r.host.gone = false })
		wait(settleTime)
		if got := r.vipCount(); len(seen[Recovered](r)) != 1 || got != 1 {
			t.Errorf("%d recoveries, %d VIPs after the interface came; want one of each", len(seen[Recovered](r)), got)
		}
	})
}

func TestInterfaceDownIsAFaultThatEndsByItself(t *testing.T) {
	for _, test := range []struct {
		name       string
		down, back func(h *host)
		listens    int
	}{
		{"down", func(h *host) { h.link.Up = false }, func(h *host) { h.link.Up = true }, 1},
		{"gone", func(h *host) { h.gone = true; clear(h.vips) }, func(h *host) { h.gone = false; h.link.Index = 7 }, 2},
		{"without address", func(h *host) { h.link.Primary4 = netip.Addr{} }, func(h *host) { h.link.Primary4 = netip.MustParseAddr("192.0.2.3") }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
				wait(settleTime)
				r.change(func() { test.down(r.host) })
				synctest.Wait()
				if got := seen[Fault](r); len(got) != 1 {
					t.Fatalf("faults = %+v, want one", got)
				}
				if got := r.vipCount(); got != 0 {
					t.Errorf("%d VIPs in fault", got)
				}
				r.change(func() { test.back(r.host) })
				wait(settleTime)
				if got := seen[Recovered](r); len(got) != 1 {
					t.Errorf("recoveries = %+v, want one", got)
				}
				if got := r.vipCount(); got != 1 {
					t.Errorf("%d VIPs after the interface came back, want 1", got)
				}
				if got := r.listenCount(); got != test.listens {
					t.Errorf("sockets opened %d times, want %d", got, test.listens)
				}
			})
		})
	}
}

func TestVIPRemovedBySomebodyElseIsPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4, vip6)}}
		wait(2 * settleTime)
		announced := r.count(&r.announced)
		r.change(func() { delete(r.vips, netif.Address{Interface: "eth0", Prefix: netip.MustParsePrefix(vip4)}) })
		wait(10 * time.Millisecond)
		got := seen[Restored](r)
		if len(got) != 1 || got[0].Address.Prefix.String() != vip4 {
			t.Errorf("restored = %+v", got)
		}
		if r.vipCount() != 2 {
			t.Errorf("%d VIPs, want 2", r.vipCount())
		}
		if r.count(&r.announced) == announced {
			t.Error("not announced again")
		}
	})
}

func TestReloadDisturbsNothing(t *testing.T) {
	for _, test := range []struct {
		name   string
		reload Instance
		vips   int
	}{
		{"same", instanceOf(100, vip4), 1},
		{"VIP added", instanceOf(100, vip4, "192.0.2.11/24"), 2},
		{"VIP replaced", instanceOf(100, "192.0.2.12/24"), 1},
		{"priority", instanceOf(90, vip4), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
				wait(settleTime)
				before := len(seen[Transition](r))
				r.commands <- Configure{Instances: []Instance{test.reload}}
				synctest.Wait()
				if got := r.vipCount(); got != test.vips {
					t.Errorf("%d VIPs after the reload, want %d", got, test.vips)
				}
				wait(settleTime)
				if got := seen[Transition](r)[before:]; len(got) != 0 {
					t.Errorf("transitions by the reload: %+v", got)
				}
				if got := r.listenCount(); got != 1 {
					t.Errorf("sockets opened %d times, want once", got)
				}
			})
		})
	}
}

func TestReloadThatRemovesAnInstanceHandsItOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		wait(settleTime)
		r.commands <- Configure{}
		wait(settleTime)
		if got := r.vipCount(); got != 0 {
			t.Errorf("%d VIPs of a removed instance", got)
		}
		if got := r.segment.connCount(); got != 0 {
			t.Errorf("%d sockets left open", got)
		}
		r.commands <- Query{}
		synctest.Wait()
		if got := seen[Status](r); len(got) != 1 || len(got[0].Instances) != 0 {
			t.Errorf("status = %+v, want no instances", got)
		}
	})
}

func TestRefusedVIPIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.commands <- Configure{Instances: []Instance{instanceOf(100, vip4)}}
		wait(2 * time.Second)
		r.host.mu.Lock()
		r.host.holdErr = errors.New("no")
		r.host.mu.Unlock()
		wait(settleTime)
		if len(seen[Failed](r)) == 0 {
			t.Error("no Failed event")
		}
		r.host.mu.Lock()
		r.host.holdErr = nil
		r.host.mu.Unlock()
		wait(2 * retryInterval)
		if got := r.vipCount(); got != 1 {
			t.Errorf("%d VIPs after the kernel gave in, want 1", got)
		}
	})
}
