// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// play asks for rounds whenever Next says so, and returns the times of those that were due, since start.
func play(r *Rounds, start time.Time) []time.Duration {
	var due []time.Duration
	for at, ok := r.Next(); ok; at, ok = r.Next() {
		if !r.Due(at) {
			return append(due, -1) // not due at its time
		}
		due = append(due, at.Sub(start))
		if r.Due(at) {
			return append(due, -2) // due twice
		}
	}
	return due
}

const ms = time.Millisecond

func TestRoundsSchedule(t *testing.T) {
	start := time.Unix(1000, 0)
	var r Rounds
	r.Start(start)
	want := []time.Duration{0, 25 * ms, 50 * ms, 75 * ms, 100 * ms, 5000 * ms, 5025 * ms, 5050 * ms, 5075 * ms, 5100 * ms}
	if diff := cmp.Diff(want, play(&r, start)); diff != "" {
		t.Errorf("rounds (-want +got):\n%s", diff)
	}
	if r.Due(start.Add(time.Hour)) {
		t.Error("a round is due after the last one")
	}
}

func TestRoundsNotStarted(t *testing.T) {
	var r Rounds
	if _, ok := r.Next(); ok || r.Due(time.Unix(1000, 0)) {
		t.Error("the zero value has rounds")
	}
}

func TestRoundsStop(t *testing.T) {
	start := time.Unix(1000, 0)
	var r Rounds
	r.Start(start)
	r.Stop()
	if _, ok := r.Next(); ok || r.Due(start) {
		t.Error("stopped, but has rounds")
	}
}

func TestRoundsEarly(t *testing.T) {
	start := time.Unix(1000, 0)
	var r Rounds
	r.Start(start)
	if r.Due(start.Add(-1)) || !r.Due(start) || r.Due(start.Add(25*ms-1)) {
		t.Error("a round is due before its time")
	}
}

func TestRoundsLate(t *testing.T) {
	start := time.Unix(1000, 0)
	for late, next := range map[time.Duration]time.Duration{30 * ms: 50 * ms, 60 * ms: 75 * ms, time.Second: 5000 * ms} {
		var r Rounds
		r.Start(start)
		if !r.Due(start.Add(late)) || r.Due(start.Add(late)) {
			t.Errorf("%s late: want exactly one round for those that were missed", late)
		}
		if at, ok := r.Next(); !ok || at.Sub(start) != next {
			t.Errorf("%s late: next round at %s (%t), want %s", late, at.Sub(start), ok, next)
		}
	}
}

func TestRoundsStartAgain(t *testing.T) {
	start := time.Unix(1000, 0)
	var r Rounds
	r.Start(start)
	r.Due(start.Add(100 * ms))
	again := start.Add(time.Second)
	r.Start(again)
	if got := play(&r, again); len(got) != len(roundOffsets) {
		t.Errorf("rounds %v after starting again, want all %d", got, len(roundOffsets))
	}
}
