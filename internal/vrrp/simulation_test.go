// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"container/heap"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var (
	seedsFlag = flag.Uint64("vrrp.seeds", 10_000, "number of simulations, seeds 0 to n-1")
	seedFlag  = flag.Int64("vrrp.seed", -1, "run only the simulation of this seed and print its trace")
)

// TestSimulation runs directors on a simulated network through random faults
// and checks the invariants of monitor at every event. A seed decides
// everything, so that a failure is repeated with -vrrp.seed.
func TestSimulation(t *testing.T) {
	if *seedFlag >= 0 {
		s := simulate(uint64(*seedFlag), true)
		t.Logf("seed %d:\n%s", *seedFlag, s.trace.String())
		if s.failure != "" {
			t.Error(s.failure)
		}
		return
	}
	var total tally
	for seed := range *seedsFlag {
		s := simulate(seed, false)
		if s.failure != "" {
			t.Fatalf("seed %d: %s\n%s", seed, s.failure, simulate(seed, true).trace.String())
		}
		total.add(s.tally)
	}
	t.Logf("%d seeds: %+v", *seedsFlag, total)
	if *seedsFlag >= 1000 && (total.HandOvers == 0 || total.TakeOvers == 0 || total.Preemptions == 0 || total.Rivalries == 0) {
		t.Errorf("the simulation does not reach all it should: %+v", total)
	}
}

// tally says what the simulations went through.
type tally struct {
	Events, Adverts, Faults                      int
	TakeOvers, Preemptions, HandOvers, Rivalries int
}

func (t *tally) add(o tally) {
	t.Events += o.Events
	t.Adverts += o.Adverts
	t.Faults += o.Faults
	t.TakeOvers += o.TakeOvers
	t.Preemptions += o.Preemptions
	t.HandOvers += o.HandOvers
	t.Rivalries += o.Rivalries
}

// simulation is virtual time, the events in it, and the world they act on.
type simulation struct {
	random   *rand.Rand
	scenario scenario
	now      time.Time
	end      time.Time
	queue    eventQueue
	sequence int

	directors []*director
	network   network
	monitor   monitor

	tally   tally
	tracing bool
	trace   strings.Builder
	failure string
}

func simulate(seed uint64, tracing bool) *simulation {
	s := &simulation{
		random:  rand.New(rand.NewPCG(seed, 0x5652_5250)),
		now:     start,
		tracing: tracing,
	}
	s.scenario = newScenario(s.random)
	s.tracef("%s", s.scenario)
	s.network = newNetwork(s.scenario)
	for id, p := range s.scenario.parameters {
		s.directors = append(s.directors, newDirector(s, id, p))
	}
	s.monitor = newMonitor(s)
	s.scenario.schedule(s)
	s.run()
	return s
}

// run processes events until the end or the first violation.
func (s *simulation) run() {
	for len(s.queue) > 0 && s.failure == "" {
		e := heap.Pop(&s.queue).(event)
		if e.at.After(s.end) {
			break
		}
		s.now = e.at
		s.tally.Events++
		s.monitor.before()
		e.do()
		s.monitor.after()
	}
	if s.failure == "" {
		s.now = s.end
		s.monitor.before()
		s.monitor.settled()
	}
}

// at schedules do.
func (s *simulation) at(when time.Time, do func()) {
	s.sequence++
	heap.Push(&s.queue, event{at: when, sequence: s.sequence, do: do})
}

// upTo draws a duration from 0 to d.
func (s *simulation) upTo(d time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(d) + 1))
}

func (s *simulation) fail(format string, args ...any) {
	if s.failure == "" {
		s.failure = fmt.Sprintf("at %v: ", s.now.Sub(start)) + fmt.Sprintf(format, args...)
		s.tracef("VIOLATION: %s", s.failure)
	}
}

func (s *simulation) tracef(format string, args ...any) {
	if s.tracing {
		fmt.Fprintf(&s.trace, "%12v  %s\n", s.now.Sub(start), fmt.Sprintf(format, args...))
	}
}

// event is something that happens at a time; the sequence orders equal times.
type event struct {
	at       time.Time
	sequence int
	do       func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }

func (q eventQueue) Less(i, j int) bool {
	if c := q[i].at.Compare(q[j].at); c != 0 {
		return c < 0
	}
	return q[i].sequence < q[j].sequence
}

func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *eventQueue) Push(e any) { *q = append(*q, e.(event)) }

func (q *eventQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	*q = (*q)[:last]
	return e
}
