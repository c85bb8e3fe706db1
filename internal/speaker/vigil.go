// SPDX-License-Identifier: Apache-2.0

package speaker

import "time"

// beatsPerPatience is how often a process shows that it lives in the time that
// the other one is patient.
const beatsPerPatience = 2

// vigil is how one process watches for the other's silence. It has no clock of
// its own.
//
// A process that did not run cannot have heard: of the time between two looks
// at most one part of the patience counts as silence, and nothing of what was
// before, so that a machine that was stopped and resumed finds both processes
// alive.
type vigil struct {
	patience time.Duration
	ago      time.Duration // how old the last sign of life was when it was found
	silence  time.Duration // since then
	looked   time.Time
}

func newVigil(now time.Time, patience time.Duration) vigil {
	return vigil{patience: patience, looked: now}
}

// interval is the time between two looks, and between two signs of life.
func (v *vigil) interval() time.Duration { return v.patience / beatsPerPatience }

// heard takes note of a sign of life that was given some time ago: silence
// counts from there.
func (v *vigil) heard(now time.Time, ago time.Duration) {
	v.ago, v.silence, v.looked = min(max(ago, 0), v.interval()), 0, now
}

// look reports whether the other is to be given up.
func (v *vigil) look(now time.Time) bool {
	gap := now.Sub(v.looked)
	if gap > v.interval()+lateness {
		v.ago = 0
	}
	v.silence += min(gap, v.interval())
	v.looked = now
	return v.ago+v.silence >= v.patience
}

// allow makes a longer patience count at once: the other's signs of life become
// rarer. A shorter one counts from the next sign.
func (v *vigil) allow(patience time.Duration) { v.patience = max(v.patience, patience) }

// next is how long after a look the next one is due: so that the end of the
// patience is not missed.
func (v *vigil) next() time.Duration {
	return max(min(v.interval(), v.patience-v.ago-v.silence), time.Millisecond)
}
