// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestVigilLooksWhenThePatienceEnds: looks at half the patience find out at its
// end, whenever the last sign of life was given.
func TestVigilLooksWhenThePatienceEnds(t *testing.T) {
	const patience = 300 * time.Millisecond
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		ago := time.Duration(rapid.IntRange(0, int(patience/beatsPerPatience)).Draw(t, "ago"))
		v := newVigil(start, patience)
		v.heard(start, ago)
		now := start
		for range 10 {
			late := time.Duration(rapid.IntRange(0, int(time.Millisecond)).Draw(t, "late"))
			now = now.Add(v.next() + late)
			if v.look(now) {
				break
			}
		}
		if took := now.Sub(start) + ago; took < patience || took > patience+5*time.Millisecond {
			t.Errorf("given up %s after the last sign of life, want %s", took, patience)
		}
	})
}

func TestVigil(t *testing.T) {
	const ms = time.Millisecond
	type step struct {
		after  time.Duration
		heard  bool
		ago    time.Duration
		giveUp bool
	}
	looks := func(n int, after time.Duration) []step {
		steps := make([]step, n)
		for i := range steps {
			steps[i].after = after
		}
		return steps
	}
	then := func(steps []step, more ...step) []step { return append(steps, more...) }
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"silent from the start", then(looks(3, 250*ms), step{after: 250 * ms, giveUp: true})},
		{"just in time", then(looks(3, 250*ms), step{after: 249 * ms})},
		{"heard", then(looks(3, 250*ms), step{after: 100 * ms, heard: true}, step{after: 250 * ms}, step{after: 250 * ms}, step{after: 250 * ms}, step{after: 249 * ms}, step{after: 1 * ms, giveUp: true})},
		{"silence counts from what was heard last", then(nil, step{after: 240 * ms, heard: true}, step{after: 10 * ms}, step{after: 250 * ms}, step{after: 250 * ms}, step{after: 250 * ms}, step{after: 250 * ms, giveUp: true})},
		{"silence counts from when the sign was given", then(nil, step{heard: true, ago: 200 * ms}, step{after: 500 * ms}, step{after: 299 * ms}, step{after: ms, giveUp: true})},
		{"half of the patience is the oldest that a sign can be", then(nil, step{heard: true, ago: time.Hour}, step{after: 499 * ms}, step{after: ms, giveUp: true})},
		{"a sign from the future is from now", then(nil, step{heard: true, ago: -time.Hour}, step{after: 500 * ms}, step{after: 499 * ms}, step{after: ms, giveUp: true})},
		{"own pause counts for half at most", then(nil, step{after: time.Hour}, step{after: 499 * ms}, step{after: 1 * ms, giveUp: true})},
		{"before an own pause nothing counts", then(nil, step{heard: true, ago: 400 * ms}, step{after: time.Hour}, step{after: 499 * ms}, step{after: ms, giveUp: true})},
		{"two own pauses are enough", then(nil, step{after: time.Hour}, step{after: time.Hour, giveUp: true})},
		{"own pause, then heard", then(nil, step{after: time.Hour}, step{heard: true}, step{after: time.Hour}, step{heard: true}, step{after: time.Hour})},
		{"own pause between sign of life and look", then(nil, step{after: 250 * ms, heard: true}, step{after: time.Hour}, step{after: 250 * ms}, step{after: 250 * ms, giveUp: true})},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			v := newVigil(now, time.Second)
			if got := v.interval(); got != time.Second/beatsPerPatience {
				t.Errorf("interval %v, want %v", got, time.Second/beatsPerPatience)
			}
			for n, s := range test.steps {
				now = now.Add(s.after)
				if s.heard {
					v.heard(now, s.ago)
				} else if got := v.look(now); got != s.giveUp {
					t.Fatalf("step %d: give up = %t, want %t", n, got, s.giveUp)
				}
			}
		})
	}
}
