// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

func standby(i Instance) Instance {
	i.Standby = true
	return i
}

func TestStandbyHandsOverFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, b := newPair(t)
		a.configure(instanceOf(150, vip4))
		b.configure(instanceOf(100, vip4))
		wait(settleTime)
		from := time.Now()
		a.configure(standby(instanceOf(150, vip4)))
		if got := a.status("web"); !got.HandingOver || got.Standby {
			t.Errorf("at once: handing over %t, standby %t; want only the first", got.HandingOver, got.Standby)
		}
		wait(settleTime)
		wantMaster(t, b, a, "web")
		wantCustody(t, net, from, briefly, vip4)
		if got := a.status("web"); !got.Standby || got.State != vrrp.Backup || got.Reason != vrrp.ReasonStandby.String() {
			t.Errorf("standby %t, %v, %q", got.Standby, got.State, got.Reason)
		}
		// A reload leaves it there, whatever else changes.
		reloaded := standby(instanceOf(200, vip4, vip6))
		reloaded.Addresses = reloaded.Addresses[:1]
		a.configure(reloaded)
		wait(settleTime)
		wantMaster(t, b, a, "web")
		// It comes back as it would have come without.
		a.configure(instanceOf(150, vip4))
		wait(settleTime)
		wantMaster(t, a, b, "web")
		wantCustody(t, net, from, briefly, vip4)
		if got := a.status("web"); got.Standby {
			t.Error("still in standby")
		}
	})
}

// TestStandbyNeverTakesOver: not even when nobody is left.
func TestStandbyNeverTakesOver(t *testing.T) {
	for _, test := range []struct {
		name     string
		priority uint8
	}{{"backup", 100}, {"address owner", 255}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, a, b := newPair(t)
				b.configure(instanceOf(50, vip4))
				wait(settleTime)
				a.configure(standby(instanceOf(test.priority, vip4)))
				wait(settleTime)
				wantMaster(t, b, a, "web")
				b.cancel()
				<-b.done
				b.done <- nil
				wait(4 * settleTime)
				if got := seen[Transition](a); len(got) != 1 || a.vipCount() != 0 {
					t.Errorf("transitions %+v, %d VIPs; want only the start", got, a.vipCount())
				}
				if got := a.sentSince(time.Time{}); len(got) != 0 {
					t.Errorf("%d adverts from standby", len(got))
				}
			})
		})
	}
}

// TestStandbyOutlastsAFault: the instance comes back into standby.
func TestStandbyOutlastsAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.configure(standby(instanceOf(100, vip4)))
		wait(settleTime)
		r.change(func() { r.link.Up = false })
		wait(settleTime)
		r.change(func() { r.link.Up = true })
		wait(settleTime)
		if got := r.status("web"); !got.Standby || got.State != vrrp.Backup {
			t.Errorf("standby %t, %v", got.Standby, got.State)
		}
	})
}

// TestStandbyTakenBackMeanwhile: the order comes back while the role is being
// handed over.
func TestStandbyTakenBackMeanwhile(t *testing.T) {
	for _, after := range []time.Duration{0, 10 * time.Millisecond, 300 * time.Millisecond, 680 * time.Millisecond, 2 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net, a, b := newPair(t)
				a.configure(instanceOf(150, vip4))
				b.configure(instanceOf(100, vip4))
				wait(settleTime)
				from := time.Now()
				a.configure(standby(instanceOf(150, vip4)))
				wait(after)
				a.configure(instanceOf(150, vip4))
				wait(2 * settleTime)
				wantMaster(t, a, b, "web")
				wantCustody(t, net, from, briefly, vip4)
				if a.status("web").Standby {
					t.Error("in standby")
				}
			})
		})
	}
}

func TestStandbyTakesTheSyncGroupAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, b := newPair(t)
		out, in := outAndIn(150)
		a.configure(out, in)
		b.configure(outAndIn(100))
		wait(settleTime)
		from := time.Now()
		a.configure(standby(out), standby(in))
		wait(settleTime)
		wantMaster(t, b, a, "in", "web")
		a.configure(out, in)
		wait(settleTime)
		wantMaster(t, a, b, "in", "web")
		wantCustody(t, net, from, briefly, vip4, vipIn)
		wantTogether(t, a)
		wantTogether(t, b)
	})
}

// TestPriorityByReload: a reload moves a role only where the other one
// preempts.
func TestPriorityByReload(t *testing.T) {
	for _, test := range []struct {
		name     string
		priority uint8
		preempt  bool // of the peer, which has 100
		moves    bool
	}{
		{"still the best", 101, true, false},
		{"higher", 250, true, false},
		{"lower", 90, true, true},
		{"lower, and the peer does not preempt", 90, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net, a, b := newPair(t)
				a.configure(instanceOf(150, vip4))
				peer := instanceOf(100, vip4)
				peer.Preempt = test.preempt
				b.configure(peer)
				wait(settleTime)
				from := time.Now()
				before := len(seen[Transition](a))
				a.configure(instanceOf(test.priority, vip4))
				wait(2 * settleTime)
				if test.moves {
					wantMaster(t, b, a, "web")
				} else if got := seen[Transition](a)[before:]; len(got) != 0 {
					t.Errorf("transitions = %+v, want none", got)
				}
				wantCustody(t, net, from, briefly, vip4)
				if got := seen[PriorityChanged](a); len(got) != 1 || got[0].From != 150 || got[0].To != test.priority {
					t.Errorf("changes = %+v, want one", got)
				}
			})
		})
	}
}

// masterAt returns when the speaker became master last, counted from a time.
func masterAt(t *testing.T, r *running, from time.Time) time.Duration {
	t.Helper()
	transitions := seen[Transition](r)
	for n := len(transitions) - 1; n >= 0; n-- {
		if transitions[n].To == vrrp.Master {
			return transitions[n].At.Sub(from)
		}
	}
	t.Fatal("not master")
	return 0
}

func TestDelays(t *testing.T) {
	for _, test := range []struct {
		name     string
		peer     bool
		change   func(*Instance)
		min, max time.Duration // until master
	}{
		{"none", false, func(*Instance) {}, 3 * time.Second, 4 * time.Second},
		{"startup delay, alone", false, func(i *Instance) { i.StartupDelay = 20 * time.Second }, 20 * time.Second, 20100 * time.Millisecond},
		{"startup delay since 5 s, with a lower peer", true, func(i *Instance) { i.StartupDelay = 20 * time.Second }, 15 * time.Second, 19 * time.Second},
		{"startup delay of an owner", false, func(i *Instance) { i.StartupDelay, i.Priority = 20*time.Second, 255 }, 20 * time.Second, 20100 * time.Millisecond},
		{"startup delay shorter than the interval", false, func(i *Instance) { i.StartupDelay = time.Second }, 3 * time.Second, 4 * time.Second},
		{"preempt delay, alone", false, func(i *Instance) { i.PreemptDelay = 20 * time.Second }, 3 * time.Second, 4 * time.Second},
		{"preempt delay, with a lower peer", true, func(i *Instance) { i.PreemptDelay = 20 * time.Second }, 20 * time.Second, 24 * time.Second},
		{"owner", false, func(i *Instance) { i.Priority = 255 }, 0, 0},
		{"owner that starts as backup", false, func(i *Instance) { i.Priority, i.InitialBackup = 255, true }, 3 * time.Second, 4 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, a, b := newPair(t)
				if test.peer {
					b.configure(instanceOf(50, vip4))
					wait(settleTime)
				}
				config := instanceOf(150, vip4)
				test.change(&config)
				from := time.Now()
				a.configure(config)
				// A reload does not start the delay anew.
				wait(500 * time.Millisecond)
				a.configure(config)
				wait(time.Minute)
				if got := masterAt(t, a, from); got < test.min || got > test.max {
					t.Errorf("master after %v, want %v to %v", got, test.min, test.max)
				}
				wantMaster(t, a, b, "web")
			})
		})
	}
}

// TestStartupDelayCountsFromTheStartOfTheSpeaker: an interface that comes back
// later does not wait once more.
func TestStartupDelayCountsFromTheStartOfTheSpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		config := instanceOf(150, vip4)
		config.StartupDelay = 20 * time.Second
		r.configure(config)
		wait(time.Minute)
		r.change(func() { r.link.Up = false })
		wait(time.Second)
		back := time.Now()
		r.change(func() { r.link.Up = true })
		wait(settleTime)
		if got := masterAt(t, r, back); got > 4*time.Second {
			t.Errorf("master %v after the interface came back", got)
		}
	})
}
