// SPDX-License-Identifier: Apache-2.0

package rig

import "time"

// Silence is the longest time without an answer.
type Silence struct {
	// Start is when the last answer before it came.
	Start time.Time
	// Length is without Pause.
	Length time.Duration
	// Pause is how long, during it, the machine or the meter itself was starved.
	Pause time.Duration
}

// LongestSilence returns the longest time without an answer between from and
// to. pulse are answers that nothing but a starved machine delays, one each
// interval. Both are in the order of time.
func LongestSilence(pulse, answers []time.Time, interval time.Duration, from, to time.Time) Silence {
	var longest Silence
	last := from
	judge := func(until time.Time) {
		if length := until.Sub(last); length > longest.Length {
			pause := pauseIn(pulse, interval, last, until)
			if length-pause > longest.Length {
				longest = Silence{last, length - pause, pause}
			}
		}
	}
	for _, at := range answers {
		if at.Before(from) || at.After(to) {
			continue
		}
		judge(at)
		last = at
	}
	judge(to)
	return longest
}

// pauseIn returns how long, next to from and to, the pulse was overdue: a pause
// in the middle of a silence does not lengthen it. A delay of less than an
// interval is none.
func pauseIn(pulse []time.Time, interval time.Duration, from, to time.Time) time.Duration {
	var pause time.Duration
	for k := 1; k < len(pulse); k++ {
		due, came := pulse[k-1].Add(interval), pulse[k]
		if came.Sub(due) < interval {
			continue
		}
		if due.Before(from) {
			due = from
		}
		if came.After(to) {
			came = to
		}
		atStart, atEnd := !due.After(from.Add(interval)), !came.Before(to.Add(-interval))
		if came.After(due) && (atStart || atEnd) {
			pause += came.Sub(due)
		}
	}
	return pause
}
