// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// TestPulse works the same within a process and over memory that is mapped
// twice.
func TestPulse(t *testing.T) {
	f, err := newPulseFile()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mapped := func() (director, speaker *Pulse) {
		director, speaker, err := MapPulse(f)
		if err != nil {
			t.Fatal(err)
		}
		return director, speaker
	}
	director, _ := mapped()
	_, speaker := mapped()
	ends := map[string][2]*Pulse{"mapped": {director, speaker}}
	director, speaker = pulsesOfOne()
	ends["of one process"] = [2]*Pulse{director, speaker}
	for name, pair := range ends {
		t.Run(name, func(t *testing.T) {
			for _, ends := range [][2]*Pulse{pair, {pair[1], pair[0]}} {
				mine, theirs := ends[0], ends[1]
				want := func(p *Pulse, want bool) {
					t.Helper()
					if _, got := p.Heard(); got != want {
						t.Errorf("heard %t, want %t", got, want)
					}
				}
				want(theirs, false)
				mine.Beat()
				mine.Beat()
				want(mine, false)
				want(theirs, true)
				want(theirs, false)
				mine.Beat()
				want(theirs, true)
			}
		})
	}
}

// TestPulseTellsHowLongAgo: what was found late counts from when it was given.
func TestPulseTellsHowLongAgo(t *testing.T) {
	now := time.Second
	director, speaker := newPulses(new([2]atomic.Int64), func() time.Duration { return now })
	speaker.Beat()
	now += 70 * time.Millisecond
	if ago, heard := director.Heard(); ago != 70*time.Millisecond || !heard {
		t.Errorf("heard %t, %s ago, want 70 ms", heard, ago)
	}
	before := sinceBoot()
	if after := sinceBoot(); before <= 0 || after < before {
		t.Errorf("clock went from %s to %s", before, after)
	}
}

func TestPulseOfWhatIsNoPulse(t *testing.T) {
	if _, err := pulseOf(-1); err == nil {
		t.Error("found the heartbeat of no process")
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, _, err := MapPulse(f); err == nil {
		t.Error("mapped what is no memory")
	}
}
