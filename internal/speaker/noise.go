// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// Between two events of one kind of discard lies a second at least; while the
// packets go on coming the pause doubles, up to a minute.
const (
	noisePauseMin = time.Second
	noisePauseMax = time.Minute
)

type noiseKey struct {
	ifname, instance string
	reason           vrrp.Discard
}

type noiseState struct {
	pending Discarded // Count > 0: not emitted yet
	until   time.Time // end of the pause
	pause   time.Duration
}

// noise thins out Discarded events without losing count of the packets.
type noise map[noiseKey]*noiseState

// add takes one discard and returns the event to emit now, if any.
func (n noise) add(e Discarded) (Discarded, bool) {
	key := noiseKey{e.Interface, e.Instance, e.Reason}
	st := n[key]
	if st == nil {
		n[key] = &noiseState{until: e.At.Add(noisePauseMin), pause: noisePauseMin}
		return e, true
	}
	e.Count += st.pending.Count
	st.pending = e
	return Discarded{}, false
}

// next says when flush has something to do.
func (n noise) next() (time.Time, bool) {
	var next time.Time
	for _, st := range n {
		if next.IsZero() || st.until.Before(next) {
			next = st.until
		}
	}
	return next, !next.IsZero()
}

// flush returns the events whose pause is over, and forgets what was quiet for
// a whole pause.
func (n noise) flush(now time.Time) []Discarded {
	var events []Discarded
	for key, st := range n {
		switch {
		case st.until.After(now):
		case st.pending.Count == 0:
			delete(n, key)
		default:
			events = append(events, st.pending)
			st.pending = Discarded{}
			st.pause = min(2*st.pause, noisePauseMax)
			st.until = now.Add(st.pause)
		}
	}
	return events
}
