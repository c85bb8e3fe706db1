// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestShutdown ends with Stopped, whatever state the speaker is in.
func TestShutdownOfAProcess(t *testing.T) {
	for _, test := range []struct {
		name   string
		before func(f *family)
	}{
		{"at work", func(*family) {}},
		{"just lost", func(f *family) { f.a.child().die() }},
		{"while it is handed over for", func(f *family) {
			f.a.child().die()
			wait(300 * time.Millisecond)
		}},
		{"while a new one is waited for", func(f *family) {
			f.a.child().die()
			wait(1200 * time.Millisecond)
		}},
		{"frozen", func(f *family) {
			close(f.a.child().frozen)
			wait(500 * time.Millisecond)
		}},
		{"while it parts", func(f *family) {
			if _, err := f.a.child().theirs.Write([]byte{0xff, 0xff, 0xff, 0xff}); err != nil {
				t.Error(err)
			}
			wait(150 * time.Millisecond)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFamily(t, heartbeat)
				test.before(f)
				f.a.tell(Shutdown{})
				wait(4 * settleTime)
				f.wantStopped(t)
			})
		})
	}
}

func (f *family) wantStopped(t *testing.T) {
	t.Helper()
	events := f.a.all()
	if got, ok := events[len(events)-1].(Stopped); !ok || got.Error != "" || len(seen[Stopped](f.a)) != 1 {
		t.Errorf("last event %+v, want Stopped, once", events[len(events)-1])
	}
	select {
	case err := <-f.a.done:
		f.a.done <- err
	default:
		t.Error("it did not end")
	}
	if f.a.vipCount() != 0 || f.peer.vipCount() != 1 {
		t.Errorf("%d VIPs here, %d on the peer", f.a.vipCount(), f.peer.vipCount())
	}
	wantCustody(t, f.net, f.from, briefly, vip4)
}

// TestShutdownBeforeTheSpeakerIsFound is not forgotten.
func TestShutdownBeforeTheSpeakerIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, Settings{Heartbeat: time.Second, Hold: time.Minute})
		f.a.child().theirs.Write([]byte{0xff, 0xff, 0xff, 0xff}) //nolint:errcheck // a garbled message
		wait(10 * time.Millisecond)                              // it holds, and is about to be found again
		f.a.tell(Shutdown{})
		wait(4 * settleTime)
		f.wantStopped(t)
	})
}

// TestQueriesAreAlwaysAnswered and commands always taken.
func TestQueriesAreAlwaysAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, heartbeat)
		before := len(seen[Status](f.a))
		asked := 0
		for n := range 400 {
			f.a.tell(Query{})
			asked++
			if n%100 == 50 {
				f.a.child().die()
			}
			time.Sleep(25 * time.Millisecond)
		}
		wait(settleTime)
		if got := len(seen[Status](f.a)) - before; got != asked {
			t.Errorf("%d answers to %d queries", got, asked)
		}
		if got := len(seen[Lost](f.a)); got != 4 {
			t.Errorf("lost %d times, want 4", got)
		}
	})
}

// TestLostQueriesAreAnswered: those that a process took along.
func TestLostQueriesAreAnswered(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings Settings
		lose     func(f *family)
	}{
		{"silent", heartbeat, func(f *family) {
			close(f.a.child().frozen)
			wait(600 * time.Millisecond)
			f.a.tell(Query{})
		}},
		{"parted", Settings{Heartbeat: time.Second, Hold: time.Minute}, func(f *family) {
			if _, err := f.a.child().theirs.Write([]byte{0xff, 0xff, 0xff, 0xff}); err != nil { // garbled
				t.Error(err)
			}
			f.a.tell(Query{})
		}},
	} {
		for n := range 5 {
			t.Run(fmt.Sprint(test.name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFamily(t, test.settings)
					before := len(seen[Status](f.a))
					test.lose(f)
					wait(settleTime)
					if got := len(seen[Status](f.a)) - before; got == 0 {
						t.Error("no answer")
					}
				})
			})
		}
	}
}

// TestCommandsAreTakenWhileAProcessStarts: one that does not greet costs two
// seconds, which the director must not stand still for.
func TestCommandsAreTakenWhileAProcessStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mute, other := socketPair(10)
		defer other.Close()
		net := &segment{}
		p := parentOf(t, newHost(net, "192.0.2.1"), func(p *parent) {
			dead := &fakeChild{served: &served{successors: newFakeListener(), done: make(chan struct{}), cancel: func() {}}, conn: mute}
			dead.pulse, _ = pulsesOfOne()
			close(dead.done)
			p.first = dead
		})
		wait(time.Second)
		p.tell(Query{})
		p.tell(Configure{Instances: []Instance{instanceOf(100, vip4)}})
		wait(6 * settleTime)
		if got := masters(p); len(got) != 1 {
			t.Errorf("masters %v, want the next process to do the work", got)
		}
		if got := seen[Status](p); len(got) != 1 {
			t.Errorf("%d answers", len(got))
		}
	})
}

// TestRestartsComeInGrowingPauses, until a process has lived for a while.
func TestRestartsComeInGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := parentOf(t, newHost(&segment{}, "192.0.2.1"), nil)
		wait(time.Second)
		restart := func() time.Duration {
			before, died := len(p.starts()), time.Now()
			p.child().die()
			for len(p.starts()) == before {
				wait(10 * time.Millisecond)
			}
			pause := time.Since(died).Round(100 * time.Millisecond)
			wait(time.Second)
			return pause
		}
		var pauses []time.Duration
		for range 9 {
			pauses = append(pauses, restart())
		}
		wait(2 * restartForgiven)
		pauses = append(pauses, restart())
		ms := func(n ...int) (d []time.Duration) {
			for _, n := range n {
				d = append(d, time.Duration(n)*time.Millisecond)
			}
			return d
		}
		if diff := cmp.Diff(ms(500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000, 500), pauses); diff != "" {
			t.Errorf("pauses (want -, got +):\n%s", diff)
		}
	})
}

func TestProcessThatCannotBeStartedAgainIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, heartbeat)
		f.a.mu.Lock()
		f.a.startErr = errors.New("no such file")
		f.a.mu.Unlock()
		f.a.child().die()
		wait(settleTime)
		failed := seen[Failed](f.a)
		if len(failed) < 2 || failed[0].Error != "start the speaker's process again: no such file" {
			t.Errorf("failures = %+v", failed)
		}
		f.a.mu.Lock()
		f.a.startErr = nil
		f.a.mu.Unlock()
		wait(4 * settleTime)
		wantMaster(t, f.a.as(), f.peer, "web")
		wantCustody(t, f.net, f.from, briefly, vip4)
	})
}

// TestBusyDirectorGivesSignsOfLife: commands that come faster than signs of life
// keep none back, nor the look after the speaker.
func TestBusyDirectorGivesSignsOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, heartbeat)
		tracking := instanceOf(150, vip4)
		commands := []Command{Query{}, Tracked{Name: "gateway", Up: true}, Configure{Instances: []Instance{tracking}, Settings: heartbeat}}
		for n := range 600 {
			f.a.tell(commands[n%len(commands)])
			wait(100 * time.Millisecond)
		}
		wantMaster(t, f.a.as(), f.peer, "web")
		wantCustody(t, f.net, f.from, 0, vip4)
		close(f.a.child().frozen)
		for n := range 60 {
			f.a.tell(commands[n%len(commands)])
			wait(50 * time.Millisecond)
		}
		if got := seen[Lost](f.a); len(got) != 1 || !strings.HasPrefix(got[0].Reason, "silent") {
			t.Errorf("lost = %+v, want the frozen speaker alone", got)
		}
	})
}

// TestCommandsAreTakenWhileTheLastEventsWait: the director may be about to send
// one before it takes them.
func TestCommandsAreTakenWhileTheLastEventsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commands, events := make(chan Command), make(chan Event)
		p := NewProcess(ProcessOptions{}, commands, events)
		p.outbox = []Event{Moved{}, Stopped{}}
		ctx, cancel := context.WithCancel(t.Context())
		go p.deliver(ctx)
		synctest.Wait()
		select {
		case commands <- Query{}:
		default:
			t.Error("a command was not taken")
		}
		cancel()
		synctest.Wait()
	})
}
