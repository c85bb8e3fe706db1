// SPDX-License-Identifier: Apache-2.0

package netif

import "time"

// roundOffsets are the times of the announcement rounds after their start: five at once, since any one frame may be
// lost, spread so that one full queue does not swallow all, and the same again for switches and hosts that were not
// ready the first time.
var roundOffsets = [...]time.Duration{
	0, 25 * time.Millisecond, 50 * time.Millisecond, 75 * time.Millisecond, 100 * time.Millisecond,
	5000 * time.Millisecond, 5025 * time.Millisecond, 5050 * time.Millisecond, 5075 * time.Millisecond, 5100 * time.Millisecond,
}

// Rounds is the schedule of announcement rounds: five within 100 ms, and five more after 5 s. The zero value is a
// stopped schedule. It has no clock of its own.
type Rounds struct {
	start  time.Time
	next   int // index of the next round in roundOffsets
	active bool
}

// Start begins a schedule at now, in place of any earlier one. Its first round is due at once.
func (r *Rounds) Start(now time.Time) { *r = Rounds{start: now, active: true} }

// Stop ends the schedule.
func (r *Rounds) Stop() { *r = Rounds{} }

// Next returns when the next round is due, and whether there is one.
func (r *Rounds) Next() (time.Time, bool) {
	if !r.active {
		return time.Time{}, false
	}
	return r.start.Add(roundOffsets[r.next]), true
}

// Due reports whether a round is due at now, and takes it off the schedule. Rounds that were missed meanwhile are
// taken off with it: several at the same moment would say nothing more than one.
func (r *Rounds) Due(now time.Time) bool {
	due := false
	for at, ok := r.Next(); ok && !now.Before(at); at, ok = r.Next() {
		due = true
		if r.next++; r.next == len(roundOffsets) {
			r.Stop()
		}
	}
	return due
}
