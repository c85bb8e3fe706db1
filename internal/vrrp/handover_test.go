// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

// resignation is what a master of interval 1 s sends when it hands over.
var resignation = SendAdvert{Priority: PriorityResign, Interval: time.Second}

// newResigned returns a master that was shut down and has sent its last
// resignation.
func newResigned(t *testing.T) *rig {
	t.Helper()
	r := newMaster(t, 100, nil)
	r.after(400 * time.Millisecond)
	r.want(r.Shutdown(r.now), resignation)
	for range 2 {
		r.wantTimer(20 * time.Millisecond)
		r.want(r.expire(), resignation)
	}
	r.wantState(Master)
	if !r.HandingOver() {
		t.Error("not handing over after Shutdown")
	}
	return r
}

func TestRule47_HandedOver(t *testing.T) {
	for name, successor := range map[string]netip.Addr{"low": low4, "high": high4, "ipv6": low6} {
		t.Run("positive "+name, func(t *testing.T) {
			r := newResigned(t)
			r.after(10 * time.Millisecond)
			r.want(r.hear(50, successor)) // any priority will do
			r.wantState(Master)
			r.wantTimer(Linger)
			r.after(Linger / 2)
			r.want(r.hear(50, successor)) // its next one changes nothing
			r.wantTimer(Linger / 2)
			r.want(r.expire(), Transition{Master, Initialize, ReasonHandedOver, successor})
			r.wantNoTimer()
			if r.HandingOver() {
				t.Error("still handing over in Initialize")
			}
		})
	}
	t.Run("negative heard too early", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Shutdown(r.now)
		r.want(r.hear(100, low4)) // sent before it heard of the hand-over
		r.wantTimer(20 * time.Millisecond)
		r.expire()
		r.want(r.hear(100, low4))
		r.want(r.expire(), resignation)
		r.want(r.hear(100, low4)) // the answer to the last resignation
		r.wantTimer(Linger)
	})
	t.Run("negative nobody takes over", func(t *testing.T) {
		r := newResigned(t)
		shutdown := r.now.Add(-40 * time.Millisecond)
		r.want(r.hear(PriorityResign, low4)) // another that leaves is no successor
		r.want(r.expire(), Transition{From: Master, To: Initialize, Reason: ReasonHandOverBound})
		if got, want := r.now.Sub(shutdown), 255*time.Second/256+HandOverMargin; got != want {
			t.Errorf("served for %v after the shutdown, want %v", got, want)
		}
	})
	t.Run("negative version 2 is bound by a second", func(t *testing.T) {
		r := newMaster(t, 100, func(p *Parameters) { p.Version, p.AdvertInterval = Version2, 9*time.Second })
		shutdown := r.now
		for actions := r.Shutdown(r.now); r.State() == Master; actions = r.expire() {
			if _, ok := actions[0].(SendAdvert); !ok {
				t.Errorf("got %v, want resignations", actions)
			}
		}
		if got, want := r.now.Sub(shutdown), 255*time.Second/256+HandOverMargin; got != want {
			t.Errorf("served for %v after the shutdown, want %v", got, want)
		}
	})
	t.Run("negative nothing else is sent", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Shutdown(r.now)
		r.want(r.Shutdown(r.now))
		r.want(r.Startup(r.now))
		r.want(r.Update(r.now, Parameters{Priority: 200, AdvertInterval: 2 * time.Second}))
		r.want(r.hear(PriorityResign, low4))
		r.want(r.hear(50, low4))
		if !r.HandingOver() {
			t.Error("the hand-over ended early")
		}
	})
}

func TestHaltEndsHandOver(t *testing.T) {
	r := newMaster(t, 100, nil)
	r.Shutdown(r.now)
	r.want(r.Halt(r.now, ReasonInterfaceDown), Transition{From: Master, To: Initialize, Reason: ReasonInterfaceDown})
	if r.HandingOver() {
		t.Error("still handing over")
	}
	r.wantNoTimer()
	r.Startup(r.now)
	r.wantTimer(down100)
}
