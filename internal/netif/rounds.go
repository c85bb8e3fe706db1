// SPDX-License-Identifier: Apache-2.0

package netif

import "time"

// Schedule says how often VIPs are announced once they are there. Values below zero count as zero.
type Schedule struct {
	// Count is the number of rounds in a series: any one frame may be lost.
	Count int
	// Interval is the time between two rounds of a series, so that one full queue does not swallow all of them.
	Interval time.Duration
	// Delay is the time from the first series to a second one, for switches and hosts that were not ready before; the
	// second begins no earlier than an Interval after the last round of the first. Zero: no second series.
	Delay time.Duration
	// Refresh is the time between single rounds after the last series. Zero: none.
	Refresh time.Duration
}

// Rounds is a schedule of announcement rounds in progress. The zero value is a stopped one. It has no clock of its own.
type Rounds struct {
	schedule Schedule
	start    time.Time
	next     int // number of the next round, from 0
	active   bool
}

// Start begins a schedule at now, in place of any earlier one. The first round of a series is due at once.
func (r *Rounds) Start(now time.Time, s Schedule) {
	s.Count, s.Interval = max(s.Count, 0), max(s.Interval, 0)
	s.Delay, s.Refresh = max(s.Delay, 0), max(s.Refresh, 0)
	*r = Rounds{schedule: s, start: now, active: s.Count > 0 || s.Refresh > 0}
}

// Stop ends the schedule.
func (r *Rounds) Stop() { *r = Rounds{} }

// Next returns when the next round is due, and whether there is one.
func (r *Rounds) Next() (time.Time, bool) {
	if !r.active {
		return time.Time{}, false
	}
	return r.start.Add(r.schedule.offset(r.next)), true
}

// Due reports whether a round is due at now, and takes it off the schedule. Rounds that were missed meanwhile are
// taken off with it: several at the same moment would say nothing more than one.
func (r *Rounds) Due(now time.Time) bool {
	if at, ok := r.Next(); !ok || now.Before(at) {
		return false
	}
	past := now.Sub(r.start)
	for r.next++; r.next < r.schedule.series() && r.schedule.offset(r.next) <= past; r.next++ {
	}
	if r.next < r.schedule.series() {
		return true
	}
	if r.schedule.Refresh == 0 {
		r.Stop()
		return true
	}
	if late := past - r.schedule.offset(r.next); late >= 0 {
		r.next += 1 + int(late/r.schedule.Refresh)
	}
	return true
}

// series returns the number of rounds that belong to a series.
func (s Schedule) series() int {
	if s.Delay == 0 {
		return s.Count
	}
	return 2 * s.Count
}

// offset returns the time from the start to round n.
func (s Schedule) offset(n int) time.Duration {
	switch series := s.series(); {
	case n < s.Count:
		return time.Duration(n) * s.Interval
	case n < series:
		second := max(s.Delay, time.Duration(s.Count)*s.Interval)
		return second + time.Duration(n-s.Count)*s.Interval
	case series == 0:
		return time.Duration(n+1) * s.Refresh
	default:
		return s.offset(series-1) + time.Duration(n-series+1)*s.Refresh
	}
}
