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
// at most one part of the patience counts as silence, so that a machine that
// was stopped and resumed finds both processes alive.
type vigil struct {
	patience time.Duration
	silence  time.Duration
	looked   time.Time
}

func newVigil(now time.Time, patience time.Duration) vigil {
	return vigil{patience: patience, looked: now}
}

// interval is the time between two looks, and between two signs of life.
func (v *vigil) interval() time.Duration { return v.patience / beatsPerPatience }

// heard takes note of a sign of life: silence counts from here.
func (v *vigil) heard(now time.Time) { v.silence, v.looked = 0, now }

// look reports whether the other is to be given up.
func (v *vigil) look(now time.Time) bool {
	v.silence += min(now.Sub(v.looked), v.patience/2)
	v.looked = now
	return v.silence >= v.patience
}
