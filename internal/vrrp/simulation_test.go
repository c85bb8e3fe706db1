// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"container/heap"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

var (
	seedsFlag = flag.Uint64("vrrp.seeds", 10_000, "number of simulations, seeds 0 to n-1")
	seedFlag  = flag.Int64("vrrp.seed", -1, "run only the simulation of this seed and print its trace")
)

// TestSimulation runs directors on simulated networks through random faults
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
	if *seedsFlag >= 10_000 {
		total.wantAll(t)
	}
}

// tally says what the simulations went through.
type tally struct {
	Events, Adverts, Faults                      int
	TakeOvers, Preemptions, HandOvers, Rivalries int
	Standbys, Refusals, Stalls, Adoptions        int
	GroupMoves, Vetoes, Orphans, Holds           int
	Overdue, Reunions                            int
	Rotations, Steps, Leaps, Mutes, Discards     int
}

func (t *tally) add(o tally) {
	sum, more := reflect.ValueOf(t).Elem(), reflect.ValueOf(o)
	for i := range sum.NumField() {
		sum.Field(i).SetInt(sum.Field(i).Int() + more.Field(i).Int())
	}
}

// wantAll checks that everything was reached.
func (t tally) wantAll(tt *testing.T) {
	v := reflect.ValueOf(t)
	for i := range v.NumField() {
		if v.Field(i).Int() == 0 {
			tt.Errorf("the simulation does not reach %s", v.Type().Field(i).Name)
		}
	}
}

// simulation is virtual time, the events in it, and the world they act on.
type simulation struct {
	random   *rand.Rand
	scenario scenario
	now      time.Duration // since the begin
	end      time.Duration
	rest     time.Duration // from the last fault to the end
	queue    eventQueue
	sequence int

	directors []*director
	segments  []*lan
	monitor   monitor
	forger    forger
	stage     int // of authentication, that all are to reach

	tally   tally
	tracing bool
	trace   strings.Builder
	failure string
}

func simulate(seed uint64, tracing bool) *simulation {
	s := &simulation{random: rand.New(rand.NewPCG(seed, 0x5652_5250)), tracing: tracing}
	s.scenario = newScenario(s.random)
	s.tracef("%s", s.scenario)
	for number := range s.scenario.segments {
		s.segments = append(s.segments, newLAN(number, s.scenario))
	}
	s.stage = s.scenario.auth.first
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
		if e.at > s.end {
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
func (s *simulation) at(when time.Duration, do func()) {
	s.sequence++
	heap.Push(&s.queue, event{at: when, sequence: s.sequence, do: do})
}

// after schedules do at d from now.
func (s *simulation) after(d time.Duration, do func()) { s.at(s.now+d, do) }

// upTo draws a duration from 0 to d.
func (s *simulation) upTo(d time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(d) + 1))
}

func (s *simulation) fail(format string, args ...any) {
	if s.failure == "" {
		s.failure = fmt.Sprintf("at %v: ", s.now) + fmt.Sprintf(format, args...)
		s.tracef("VIOLATION: %s", s.failure)
	}
}

func (s *simulation) tracef(format string, args ...any) {
	if s.tracing {
		fmt.Fprintf(&s.trace, "%14v  %s\n", s.now, fmt.Sprintf(format, args...))
	}
}

// event is something that happens at a time; the sequence orders equal times.
type event struct {
	at       time.Duration
	sequence int
	do       func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }

func (q eventQueue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
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
