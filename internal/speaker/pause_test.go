// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// stallable is a host whose speaker can be made to stand still: its next sign of
// life takes as long as is asked for.
type stallable struct {
	*host
	pause atomic.Int64
}

func newStallable(s *segment, primary string) *stallable {
	h := &stallable{host: newHost(s, primary)}
	h.beat = func() { time.Sleep(time.Duration(h.pause.Swap(0))) }
	return h
}

func (s *stallable) stall(d time.Duration) { s.pause.Store(int64(d)) }

// TestMasterThatStoodStill: the peer has the role, and keeps it until the usual
// time to preempt is over. What is read first on waking is up to chance.
func TestMasterThatStoodStill(t *testing.T) {
	for n := range 10 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := &segment{}
				h := newStallable(net, "192.0.2.1")
				a, b := start(t, h.host), start(t, newHost(net, "192.0.2.2"))
				a.configure(instanceOf(150, vip4))
				b.configure(instanceOf(100, vip4))
				wait(settleTime)
				wantMaster(t, a, b, "web")
				from := time.Now()
				const pause = 10 * time.Second
				h.stall(pause)
				wait(pause)
				if got := masters(b); len(got) != 1 {
					t.Fatal("the peer has not taken over")
				}
				wait(2 * time.Second)
				wantMaster(t, b, a, "web")
				stalled := seen[Stalled](a)
				if len(stalled) != 1 || stalled[0].Pause < pause-2*time.Second || stalled[0].Pause > pause {
					t.Errorf("stalled = %+v, want one of about %v", stalled, pause)
				}
				if tr := seen[Transition](a); tr[len(tr)-1].Reason != vrrp.ReasonStalled.String() {
					t.Errorf("last transition = %+v", tr[len(tr)-1])
				}
				woke := a.sentSince(from.Add(time.Second + 100*time.Millisecond))
				if len(woke) != 0 {
					t.Errorf("%d adverts on waking, first at %v", len(woke), woke[0].at.Sub(from))
				}
				wait(settleTime)
				wantMaster(t, a, b, "web")
				if none, many := net.custody(vip4, from); none > 0 || many > pause {
					t.Errorf("nobody held the VIP for %v, two for %v", none, many)
				}
			})
		})
	}
}

func TestShortPauseCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &segment{}
		h := newStallable(net, "192.0.2.1")
		a, b := start(t, h.host), start(t, newHost(net, "192.0.2.2"))
		a.configure(instanceOf(150, vip4))
		b.configure(instanceOf(100, vip4))
		wait(settleTime)
		before := len(seen[Transition](a)) + len(seen[Transition](b))
		for range 5 {
			h.stall(1900 * time.Millisecond)
			wait(5 * time.Second)
		}
		if got := len(seen[Transition](a)) + len(seen[Transition](b)); got != before || len(seen[Stalled](a)) != 0 {
			t.Errorf("%d transitions, stalled %+v; want none", got-before, seen[Stalled](a))
		}
	})
}

// TestBackupThatStoodStill: the adverts of a live master wait in its sockets.
func TestBackupThatStoodStill(t *testing.T) {
	for n := range 10 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := &segment{}
				h := newStallable(net, "192.0.2.2")
				a, b := start(t, newHost(net, "192.0.2.1")), start(t, h.host)
				a.configure(instanceOf(150, vip4))
				b.configure(instanceOf(100, vip4))
				wait(settleTime)
				from := time.Now()
				for range 3 {
					h.stall(4100 * time.Millisecond)
					wait(5 * time.Second)
				}
				h.stall(30 * time.Second)
				wait(time.Minute)
				wantMaster(t, a, b, "web")
				wantCustody(t, net, from, 0, vip4)
				if got := b.sentSince(from); len(got) != 0 {
					t.Errorf("%d adverts from a backup", len(got))
				}
			})
		})
	}
}

// TestHandOverThatStoodStill ends as if the successor had been heard.
func TestHandOverThatStoodStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &segment{}
		h := newStallable(net, "192.0.2.1")
		a, b := start(t, h.host), start(t, newHost(net, "192.0.2.2"))
		a.configure(instanceOf(150, vip4))
		b.configure(instanceOf(100, vip4))
		wait(settleTime)
		h.stall(10 * time.Second)
		wait(settleTime)
		a.commands <- Shutdown{}
		wait(2 * settleTime)
		wantMaster(t, b, a, "web")
		if got := seen[Stopped](a); len(got) != 1 {
			t.Errorf("stopped = %+v", got)
		}
	})
}

// TestSuspendedMachine: its clock stood still too, so that only the other clock
// tells.
func TestSuspendedMachine(t *testing.T) {
	for _, test := range []struct {
		name  string
		slept time.Duration
		want  bool
	}{{"long", 30 * time.Second, true}, {"short", time.Second, false}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(&segment{}, "192.0.2.1")
				var slept atomic.Int64
				slept.Store(int64(time.Hour)) // before the start of the speaker
				h.slept = func() time.Duration { return time.Duration(slept.Load()) }
				r := start(t, h)
				r.configure(instanceOf(100, vip4))
				wait(settleTime)
				before := len(seen[Transition](r))
				slept.Add(int64(test.slept))
				wait(1100 * time.Millisecond)
				stalled, transitions := seen[Stalled](r), seen[Transition](r)[before:]
				if !test.want {
					if len(stalled)+len(transitions) != 0 {
						t.Errorf("stalled %+v, transitions %+v; want none", stalled, transitions)
					}
					return
				}
				if len(stalled) != 1 || stalled[0].Pause < test.slept || len(transitions) != 1 || transitions[0].Reason != vrrp.ReasonStalled.String() {
					t.Errorf("stalled %+v, transitions %+v; want one each", stalled, transitions)
				}
				if r.vipCount() != 0 {
					t.Error("the VIP is still held")
				}
				wait(settleTime)
				if len(masters(r)) != 1 || len(seen[Stalled](r)) != 1 {
					t.Errorf("masters %v, stalled %+v; want to be master again", masters(r), seen[Stalled](r))
				}
			})
		})
	}
}

// TestBeatsComeUnderTraffic: packets that come faster than beats keep none back,
// and a configured heartbeat sets the pace.
func TestBeatsComeUnderTraffic(t *testing.T) {
	for _, test := range []struct {
		name            string
		heartbeat, want time.Duration
	}{
		{"default", 0, defaultPatience / beatsPerPatience},
		{"configured", 200 * time.Millisecond, 200 * time.Millisecond / beatsPerPatience},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(&segment{}, "192.0.2.1")
				beats := []time.Time{}
				h.beat = func() { beats = append(beats, time.Now()) }
				r := start(t, h)
				config := instanceOf(100, vip4)
				r.commands <- Configure{Instances: []Instance{config}, Settings: Settings{Heartbeat: test.heartbeat}}
				from := time.Now()
				for range 1000 {
					h.segment.inject(vrrp.IPv4, advertFrom("192.0.2.9", config, 200))
					wait(5 * time.Millisecond)
				}
				last := from
				for _, at := range append(slices.DeleteFunc(beats, from.After), time.Now()) {
					if pause := at.Sub(last); pause > test.want+10*time.Millisecond {
						t.Errorf("no beat for %v, want one every %v", pause, test.want)
					}
					last = at
				}
			})
		})
	}
}

// TestLateBackupListensFirst: adverts of a live master wait in the sockets when
// this machine was paused.
func TestLateBackupListensFirst(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	i := newInstance(now, instanceOf(100, vip4))
	i.machine.Startup(now)
	deadline, _ := i.machine.Next()
	late := deadline.Add(time.Minute)
	if got := i.expire(late); got != nil {
		t.Fatalf("a minute late: %v, want to listen first", got)
	}
	next, ok := i.next()
	if !ok || !next.After(late) {
		t.Fatalf("next = %v, %t; want a moment later", next, ok)
	}
	if got := i.expire(next); len(got) == 0 {
		t.Error("nobody was heard: want to take over")
	}
	i = newInstance(now, instanceOf(100, vip4))
	i.machine.Startup(now)
	if got := i.expire(deadline); len(got) == 0 {
		t.Error("on time: want to take over at once")
	}
}
