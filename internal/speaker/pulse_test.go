// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"os"
	"testing"
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
	director, speaker = NewPulses()
	ends["of one process"] = [2]*Pulse{director, speaker}
	for name, pair := range ends {
		t.Run(name, func(t *testing.T) {
			for _, ends := range [][2]*Pulse{pair, {pair[1], pair[0]}} {
				mine, theirs := ends[0], ends[1]
				want := func(p *Pulse, want bool) {
					t.Helper()
					if got := p.Heard(); got != want {
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
