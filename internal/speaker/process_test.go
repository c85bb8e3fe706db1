// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// TestLostSpeakerIsHandedOverFor: the peer takes over before the VIPs go; then a
// new process listens first, with all that the last one was told.
func TestLostSpeakerIsHandedOverFor(t *testing.T) {
	for _, test := range []struct {
		name   string
		lose   func(c *fakeChild)
		bound  time.Duration // until the peer has the role
		reason string
	}{
		{"dead", (*fakeChild).die, time.Second, "its process has ended"},
		{"silent", func(c *fakeChild) { close(c.frozen) }, 2500 * time.Millisecond, "silent for 1s, killed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFamily(t, heartbeat)
				lost := time.Now()
				test.lose(f.a.child())
				wait(4 * settleTime)
				if got := masterAt(t, f.peer, lost); got > test.bound {
					t.Errorf("the peer took over after %v", got)
				}
				events := seen[Lost](f.a)
				if len(events) != 1 || !slices.Equal(events[0].Masters, []string{"web"}) || !strings.HasPrefix(events[0].Reason, test.reason) {
					t.Errorf("lost = %+v, want %q of web", events, test.reason)
				}
				wantMaster(t, f.a.as(), f.peer, "web") // 130 against 100
				wantCustody(t, f.net, f.from, briefly, vip4)
				for _, tr := range seen[Transition](f.a) {
					if tr.From == vrrp.Initialize && tr.To == vrrp.Master {
						t.Errorf("%+v: nobody became master", tr)
					}
				}
				if diff := cmp.Diff([]bool{false, true}, f.a.starts()); diff != "" {
					t.Errorf("processes started cautiously (want -, got +):\n%s", diff)
				}
				f.a.tell(Query{})
				synctest.Wait()
				status := seen[Status](f.a)
				if got := status[len(status)-1].Instances[0]; got.Priority != 130 || got.Contributions[0].Detail != "no answer" {
					t.Errorf("the new process has priority %d, %+v; want what was tracked", got.Priority, got.Contributions)
				}
			})
		})
	}
}

// TestSilenceIsFoundWhenItIsLongEnough: not at the next of the looks, which are
// as far apart as the signs of life.
func TestSilenceIsFoundWhenItIsLongEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(&segment{}, "192.0.2.1")
		p := parentOf(t, h, func(p *parent) {
			p.first = newChild(t, h, func(s *Speaker) {
				s.sys.Ticker = func(pace time.Duration) Ticker {
					time.Sleep(pace * 4 / 5) // after each look comes a sign of life
					return newGoTicker(pace)
				}
			})
		})
		p.tell(Configure{Instances: []Instance{instanceOf(150, vip4)}, Settings: heartbeat})
		wait(settleTime)
		pulse, frozen := p.child().pulse, time.Now()
		ago := pulse.clock() - time.Duration(pulse.theirs.Load())
		close(p.child().frozen)
		wait(settleTime)
		lost := seen[Lost](p)
		if want := frozen.Add(heartbeat.Heartbeat - ago); len(lost) != 1 || !lost[0].At.Equal(want) {
			t.Errorf("lost = %+v, want at %v", lost, want)
		}
	})
}

// TestPatienceThatGrows: a reload that makes the signs of life rarer is no
// silence.
func TestPatienceThatGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, Settings{Heartbeat: 8 * time.Second})
		wait(time.Minute)
		if got := seen[Lost](f.a); len(got) != 0 {
			t.Errorf("lost = %+v", got)
		}
		wantCustody(t, f.net, f.from, 0, vip4)
	})
}

// TestOverdueHandOverEndsAtOnce: after a silence in which a peer has taken over,
// the VIPs do not stay for the sake of its announcements.
func TestOverdueHandOverEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &segment{}
		a, peer := parentOf(t, newHost(net, "192.0.2.1"), nil), start(t, newHost(net, "192.0.2.2"))
		fast := func(priority uint8) []Instance {
			i := instanceOf(priority, vip4)
			i.AdvertInterval = 10 * time.Millisecond
			return []Instance{i}
		}
		a.tell(Configure{Instances: fast(150), Settings: heartbeat})
		wait(time.Second)
		peer.configure(fast(100)...)
		wait(settleTime)
		close(a.child().frozen)
		wait(settleTime)
		lost, moved := seen[Lost](a), seen[Moved](a)
		if len(lost) != 1 || len(moved) < 2 {
			t.Fatalf("lost = %+v, VIPs moved %+v", lost, moved)
		}
		if took := moved[1].At.Sub(lost[0].At); len(moved[1].Removed) != 1 || took >= vrrp.Linger {
			t.Errorf("%+v, %s after the loss", moved[1], took)
		}
	})
}

// TestSpeakerThatPartsHandsOverItself: it ends as it should, and nothing is left
// to adopt.
func TestSpeakerThatPartsHandsOverItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, heartbeat)
		first := f.a.child()
		lost := time.Now()
		if _, err := first.theirs.Write([]byte{0xff, 0xff, 0xff, 0xff}); err != nil { // garbled
			t.Fatal(err)
		}
		wait(4 * settleTime)
		if got := masterAt(t, f.peer, lost); got > time.Second {
			t.Errorf("the peer took over after %v", got)
		}
		if got := seen[Lost](f.a); len(got) != 1 || len(got[0].Masters) != 0 || !strings.HasPrefix(got[0].Reason, "garbled message") {
			t.Errorf("lost = %+v, want master of nothing", got)
		}
		wantMaster(t, f.a.as(), f.peer, "web")
		wantCustody(t, f.net, f.from, briefly, vip4)
	})
}

// TestSpeakerThatHoldsIsFoundAgain: the director was silent, so the process
// parted; it is adopted again with its roles.
func TestSpeakerThatHoldsIsFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, Settings{Heartbeat: time.Second, Hold: time.Minute})
		f.a.mu.Lock()
		f.a.stuck = true
		f.a.mu.Unlock()
		wait(500 * time.Millisecond)
		wait(2 * time.Second)
		f.a.mu.Lock()
		f.a.stuck = false
		f.a.mu.Unlock()
		f.a.tell(Tracked{Name: "gateway", Up: true})
		wait(4 * settleTime)
		wantMaster(t, f.a.as(), f.peer, "web")
		wantCustody(t, f.net, f.from, 0, vip4)
		started := seen[Started](f.a)
		if len(started) < 2 || !started[len(started)-1].Adopted || len(seen[Lost](f.a)) != 0 || len(f.a.starts()) != 1 {
			t.Errorf("started %+v, lost %+v; want the process to be adopted", started, seen[Lost](f.a))
		}
		f.a.tell(Query{})
		synctest.Wait()
		status := seen[Status](f.a)
		if got := status[len(status)-1].Instances[0].Priority; got != 150 {
			t.Errorf("priority %d, want 150: what was told meanwhile counts", got)
		}
	})
}

// TestEarlierSpeakerIsAdopted: a director that was replaced loses nothing.
func TestEarlierSpeakerIsAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, Settings{Heartbeat: time.Second, Hold: time.Minute})
		old := f.a.child()
		old.conn.Close() // the old director is gone
		wait(0)
		heir := parentOf(t, f.a.host, func(p *parent) { p.children = []*fakeChild{old} })
		wait(time.Second)
		heir.tell(Configure{Instances: []Instance{instanceOf(160, vip4)}, Settings: heartbeat})
		wait(4 * settleTime)
		if got := seen[Status](heir); len(got) != 1 || got[0].Instances[0].State != vrrp.Master {
			t.Errorf("status = %+v, want one, unasked", got)
		}
		if got := seen[Started](heir); len(got) != 1 || !got[0].Adopted || len(heir.starts()) != 0 {
			t.Errorf("started = %+v", got)
		}
		wantCustody(t, f.net, f.from, 0, vip4)
		// The roles of an adopted one are known: it is handed over for.
		lost := time.Now()
		heir.child().die()
		wait(time.Second)
		if got := masterAt(t, f.peer, lost); got > time.Second {
			t.Errorf("the peer took over after %v", got)
		}
		wantCustody(t, f.net, f.from, briefly, vip4)
	})
}
