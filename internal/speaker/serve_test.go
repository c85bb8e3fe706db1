// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// governed is a speaker's process that is master, with its director, and a peer
// that is backup.
type governed struct {
	net  *segment
	a    *served
	dir  *fakeDirector
	peer *running
	from time.Time // when all was settled
}

func govern(t *testing.T, settings Settings, held int, hook func(h *host)) *governed {
	t.Helper()
	g := &governed{net: &segment{}}
	mine, theirs := socketPair(held)
	h := newHost(g.net, "192.0.2.1")
	if hook != nil {
		hook(h)
	}
	g.a = serve(t, h, theirs)
	g.dir = g.a.direct(t, mine)
	g.peer = start(t, newHost(g.net, "192.0.2.2"))
	g.dir.send(Configure{Instances: []Instance{instanceOf(150, vip4)}, Settings: settings})
	g.peer.configure(instanceOf(100, vip4))
	wait(settleTime)
	wantMaster(t, &running{host: h, log: log{events: g.dir.all()}}, g.peer, "web")
	g.from = time.Now()
	return g
}

// wantHandedOver checks that the process has ended after the peer took over
// between two times since from.
func (g *governed) wantHandedOver(t *testing.T, from time.Time, earliest, latest time.Duration) {
	t.Helper()
	wait(latest + settleTime)
	if got := masterAt(t, g.peer, from); got < earliest || got > latest {
		t.Errorf("the peer took over after %v, want %v to %v", got, earliest, latest)
	}
	if g.a.vipCount() != 0 {
		t.Errorf("%d VIPs are left", g.a.vipCount())
	}
	wantCustody(t, g.net, g.from, briefly, vip4)
	select {
	case <-g.a.done:
		if g.a.err != nil {
			t.Error(g.a.err)
		}
	default:
		t.Error("it did not end")
	}
}

// wantMastership checks that nothing has changed since all was settled.
func (g *governed) wantMastership(t *testing.T) {
	t.Helper()
	if g.a.vipCount() != 1 || len(masters(g.peer)) != 0 {
		t.Errorf("%d VIPs, the peer is master of %v; want the role to stay", g.a.vipCount(), masters(g.peer))
	}
	wantCustody(t, g.net, g.from, 0, vip4)
}

func TestServeHandsOverForALostDirector(t *testing.T) {
	heartbeat := Settings{Heartbeat: time.Second}
	for _, test := range []struct {
		name             string
		settings         Settings
		lose             func(g *governed)
		earliest, latest time.Duration
	}{
		{"dead", heartbeat, func(g *governed) { g.dir.Close() }, 0, time.Second},
		{"silent", heartbeat, func(g *governed) { g.dir.silent.Store(true) }, time.Second, 2400 * time.Millisecond},
		{"silent, default heartbeat", Settings{}, func(g *governed) { g.dir.silent.Store(true) }, time.Second, 2400 * time.Millisecond},
		{"silent, long heartbeat", Settings{Heartbeat: 10 * time.Second}, func(g *governed) { g.dir.silent.Store(true) }, 10 * time.Second, 17400 * time.Millisecond},
		{"held for a while", Settings{Heartbeat: time.Second, Hold: 10 * time.Second}, func(g *governed) { g.dir.Close() }, 10 * time.Second, 11500 * time.Millisecond},
		{"asked to end before and after", Settings{Heartbeat: time.Second, Hold: time.Hour}, func(g *governed) {
			close(g.a.terminate)
			wait(10 * time.Second) // the director decides, and is there
			if g.a.vipCount() != 1 || g.peer.vipCount() != 0 {
				g.peer.t.Error("it obeyed a signal while its director is there")
			}
			g.dir.Close()
		}, 10 * time.Second, 11 * time.Second},
		{"asked to end while waiting for a director", Settings{Heartbeat: time.Second, Hold: time.Hour}, func(g *governed) {
			g.dir.Close()
			wait(10 * time.Second)
			close(g.a.terminate)
		}, 10 * time.Second, 11 * time.Second},
		{"after it said to shut down", Settings{Heartbeat: time.Second, Hold: time.Hour}, func(g *governed) {
			g.dir.send(Shutdown{})
			synctest.Wait()
			g.dir.Close()
		}, 0, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := govern(t, test.settings, 1000, nil)
				from := time.Now()
				test.lose(g)
				g.wantHandedOver(t, from, test.earliest, test.latest)
				moved := seen[Moved](&g.a.orphaned)
				if len(moved) != 1 || len(moved[0].Removed) != 1 {
					t.Errorf("told without a director: %+v, want that the VIP was removed", moved)
				}
			})
		})
	}
}

func TestServeShutsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := govern(t, Settings{}, 1000, nil)
		from := time.Now()
		g.dir.send(Shutdown{})
		g.wantHandedOver(t, from, 0, time.Second)
		<-g.dir.gone
		events := g.dir.all()
		if got, ok := events[len(events)-1].(Stopped); !ok || got.Error != "" {
			t.Errorf("last event %+v, want Stopped", events[len(events)-1])
		}
	})
}

// TestServeHoldsForANewDirector: one that connects adopts the roles.
func TestServeHoldsForANewDirector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := govern(t, Settings{Heartbeat: time.Second, Hold: 10 * time.Second}, 1000, nil)
		if conn := g.a.successors.dial(); conn.Close() != nil || !refused(g.a.successors.dial()) {
			t.Error("a second director was let in")
		}
		g.dir.Close()
		wait(9 * time.Second)
		g.wantMastership(t)
		next := g.a.direct(t, g.a.successors.dial())
		next.send(Query{})
		synctest.Wait()
		got := seen[Status](next)
		if len(got) != 1 || len(got[0].Instances) != 1 || got[0].Instances[0].State != vrrp.Master {
			t.Errorf("status = %+v, want one master", got)
		}
		wait(time.Minute)
		g.wantMastership(t)
		if got := next.beats.Load(); got < 60*beatsPerPatience-1 {
			t.Errorf("%d signs of life in 60 heartbeats", got)
		}
		next.send(Configure{Instances: []Instance{instanceOf(140, vip4)}, Settings: Settings{Heartbeat: time.Second}})
		wait(time.Second)
		g.wantMastership(t)
		from := time.Now()
		next.Close() // which wants no hold
		g.wantHandedOver(t, from, 0, time.Second)
	})
}

// TestServeBeatsOnlyWhileTheLoopTurns: the director must be able to tell.
func TestServeBeatsOnlyWhileTheLoopTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stuck *stallable
		g := govern(t, Settings{Heartbeat: time.Second}, 1000, func(h *host) {
			stuck = &stallable{host: h}
			h.beat = func() { time.Sleep(time.Duration(stuck.pause.Swap(0))) }
		})
		before := g.dir.beats.Load()
		wait(10 * time.Second)
		if got := g.dir.beats.Load() - before; got < 10*beatsPerPatience-1 || got > 10*beatsPerPatience+1 {
			t.Errorf("%d beats in 10 heartbeats, want %d in each", got, beatsPerPatience)
		}
		stuck.stall(time.Minute)
		wait(time.Second)
		before = g.dir.beats.Load()
		wait(50 * time.Second)
		if got := g.dir.beats.Load() - before; got != 0 {
			t.Errorf("%d beats while the loop stood still", got)
		}
	})
}

func TestServeAppliesSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Settings{RealtimePriority: 50, Heartbeat: 3 * time.Second}
		g := govern(t, settings, 1000, func(*host) {})
		if got := g.a.applied; len(got) != 1 || got[0] != settings {
			t.Errorf("applied %+v", got)
		}
		g.a.mu.Lock()
		g.a.applyErr = errors.New("not permitted")
		g.a.mu.Unlock()
		g.dir.send(Configure{Instances: []Instance{instanceOf(150, vip4)}, Settings: settings})
		wait(time.Minute)
		if got := seen[Failed](g.dir); len(got) != 1 || got[0].Error != "not permitted" {
			t.Errorf("failures = %+v, want one", got)
		}
		g.wantMastership(t)
	})
}

func TestServeTellsWhyItsSpeakerCannotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(&segment{}, "192.0.2.1")
		h.holdErr = errors.New("the kernel is stubborn")
		mine, theirs := socketPair(1000)
		s := serve(t, h, theirs)
		d := s.direct(t, mine)
		wait(settleTime)
		<-s.done
		wantError(t, s.err, "remove VIPs that an earlier run left: the kernel is stubborn")
		if got := seen[Failed](d); len(got) != 1 || !strings.Contains(got[0].Error, "stubborn") {
			t.Errorf("failures = %+v", got)
		}
	})
}
