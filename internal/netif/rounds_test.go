// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const ms = time.Millisecond

// usual is a schedule of two series.
var usual = Schedule{Count: 5, Interval: 25 * ms, Delay: 5 * time.Second}

// play asks for rounds whenever Next says so, and returns the times of the first ones that were due, since start.
func play(r *Rounds, start time.Time, most int) []time.Duration {
	var due []time.Duration
	for at, ok := r.Next(); ok && len(due) < most; at, ok = r.Next() {
		if !r.Due(at) {
			return append(due, -1) // not due at its time
		}
		due = append(due, at.Sub(start))
	}
	return due
}

func TestRoundsSchedule(t *testing.T) {
	start := time.Unix(1000, 0)
	for name, tt := range map[string]struct {
		schedule Schedule
		want     []time.Duration
	}{
		"two series": {usual, []time.Duration{
			0, 25 * ms, 50 * ms, 75 * ms, 100 * ms, 5000 * ms, 5025 * ms, 5050 * ms, 5075 * ms, 5100 * ms,
		}},
		"one series": {Schedule{Count: 3, Interval: 10 * ms}, []time.Duration{0, 10 * ms, 20 * ms}},
		"refreshed": {Schedule{Count: 2, Interval: 10 * ms, Delay: 50 * ms, Refresh: time.Minute},
			[]time.Duration{0, 10 * ms, 50 * ms, 60 * ms, 60060 * ms, 120060 * ms, 180060 * ms}},
		"refresh only":                    {Schedule{Refresh: time.Second}, []time.Duration{1000 * ms, 2000 * ms, 3000 * ms}},
		"delay shorter than the series":   {Schedule{Count: 3, Interval: 20 * ms, Delay: 5 * ms}, []time.Duration{0, 20 * ms, 40 * ms, 60 * ms, 80 * ms, 100 * ms}},
		"no interval: one round a series": {Schedule{Count: 3, Delay: time.Second}, []time.Duration{0, 1000 * ms}},
		"nothing":                         {Schedule{}, nil},
		"below zero":                      {Schedule{Count: -1, Interval: -1, Delay: -1, Refresh: -1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var r Rounds
			r.Start(start, tt.schedule)
			most := len(tt.want)
			if tt.schedule.Refresh <= 0 {
				most++
			}
			if diff := cmp.Diff(tt.want, play(&r, start, most)); diff != "" {
				t.Errorf("rounds (-want +got):\n%s", diff)
			}
			if _, ok := r.Next(); ok != (tt.schedule.Refresh > 0) {
				t.Errorf("another round: %t", ok)
			}
		})
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
	r.Start(start, usual)
	r.Stop()
	if _, ok := r.Next(); ok || r.Due(start) {
		t.Error("stopped, but has rounds")
	}
}

func TestRoundsEarly(t *testing.T) {
	start := time.Unix(1000, 0)
	var r Rounds
	r.Start(start, usual)
	if r.Due(start.Add(-1)) || !r.Due(start) || r.Due(start.Add(25*ms-1)) {
		t.Error("a round is due before its time")
	}
}

func TestRoundsLate(t *testing.T) {
	start := time.Unix(1000, 0)
	refreshed := usual
	refreshed.Refresh = time.Minute
	for late, next := range map[time.Duration]time.Duration{
		30 * ms: 50 * ms, 60 * ms: 75 * ms, time.Second: 5000 * ms,
		24 * time.Hour: 24*time.Hour + 5100*ms, // the refresh after that moment
	} {
		var r Rounds
		r.Start(start, refreshed)
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
	r.Start(start, usual)
	r.Due(start.Add(100 * ms))
	again := start.Add(time.Second)
	r.Start(again, usual)
	if got := play(&r, again, 20); len(got) != 10 {
		t.Errorf("rounds %v after starting again, want all 10", got)
	}
}

// TestRoundsProperty looks at a schedule at random moments: it is due exactly when a round's time has passed since the
// moment before.
func TestRoundsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.IntRange(0, 40)
		s := Schedule{
			Count: rapid.IntRange(0, 5).Draw(t, "count"), Interval: time.Duration(small.Draw(t, "interval")),
			Delay: time.Duration(small.Draw(t, "delay")), Refresh: time.Duration(small.Draw(t, "refresh")),
		}
		const end = 1000
		var times []time.Duration
		for i := range s.Count {
			times = append(times, time.Duration(i)*s.Interval)
		}
		if s.Delay > 0 {
			second := max(s.Delay, time.Duration(s.Count)*s.Interval)
			for i := range s.Count {
				times = append(times, second+time.Duration(i)*s.Interval)
			}
		}
		if s.Refresh > 0 {
			last := time.Duration(0)
			if len(times) > 0 {
				last = slices.Max(times)
			}
			for at := last + s.Refresh; at < end; at += s.Refresh {
				times = append(times, at)
			}
		}

		start := time.Unix(1000, 0)
		var r Rounds
		r.Start(start, s)
		before := time.Duration(-1)
		for now := time.Duration(0); now < end; now += time.Duration(rapid.IntRange(1, 100).Draw(t, "step")) {
			want := slices.ContainsFunc(times, func(at time.Duration) bool { return before < at && at <= now })
			if got := r.Due(start.Add(now)); got != want {
				t.Fatalf("%+v: due %t at %d after %d, want %t; rounds at %d", s, got, now, before, want, times)
			}
			before = now
		}
	})
}
