// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"testing"
	"time"
)

func TestVigil(t *testing.T) {
	const ms = time.Millisecond
	type step struct {
		after  time.Duration
		heard  bool
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
		{"own pause counts for half at most", then(nil, step{after: time.Hour}, step{after: 499 * ms}, step{after: 1 * ms, giveUp: true})},
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
					v.heard(now)
				} else if got := v.look(now); got != s.giveUp {
					t.Fatalf("step %d: give up = %t, want %t", n, got, s.giveUp)
				}
			}
		})
	}
}
