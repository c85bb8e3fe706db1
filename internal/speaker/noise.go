// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"maps"
	"net/netip"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// Between two events of one kind lies a second at least; while their cause goes
// on the pause doubles, up to a minute. After a minute without it, it has ended.
const (
	noisePauseMin = time.Second
	noisePauseMax = time.Minute
)

// pacer says when what happens again and again is worth another event.
type pacer struct {
	last  time.Time // when it happened
	until time.Time // end of the pause
	pause time.Duration
}

// happens takes note of it, and reports whether no pause is on.
func (p *pacer) happens(now time.Time) bool {
	p.last = now
	if now.Before(p.until) {
		return false
	}
	p.told(now)
	return true
}

// told begins the next pause.
func (p *pacer) told(now time.Time) {
	p.pause = min(max(2*p.pause, noisePauseMin), noisePauseMax)
	p.until = now.Add(p.pause)
}

// forgetAt is when it has ended.
func (p *pacer) forgetAt() time.Time { return p.last.Add(noisePauseMax) }

type noiseKey struct {
	ifname, instance string
	reason           vrrp.Discard
}

type noiseState struct {
	pacer
	pending drop // Count > 0: not emitted yet
}

// noise thins out Discarded events without losing count of the packets.
type noise struct {
	states map[noiseKey]*noiseState
	wake   time.Time // when flush may have something to do; zero: never
}

func newNoise() noise { return noise{states: make(map[noiseKey]*noiseState)} }

// add takes one discard and returns the event to emit now, if any.
func (n *noise) add(e drop) (drop, bool) {
	key := noiseKey{e.Interface, e.Instance, e.Reason}
	st := n.states[key]
	if st == nil {
		st = &noiseState{}
		n.states[key] = st
	}
	if e.Count += st.pending.Count; st.happens(e.At) {
		st.pending = drop{}
		n.wakeAt(st.forgetAt())
		return e, true
	}
	st.pending = e
	n.wakeAt(st.until)
	return drop{}, false
}

// next says when to call flush.
func (n *noise) next() (time.Time, bool) { return n.wake, !n.wake.IsZero() }

func (n *noise) wakeAt(t time.Time) {
	if n.wake.IsZero() || t.Before(n.wake) {
		n.wake = t
	}
}

// flush returns the events whose pause is over, and forgets what has ended.
func (n *noise) flush(now time.Time) []drop {
	if !due(n.wake, now) {
		return nil
	}
	n.wake = time.Time{}
	var events []drop
	for key, st := range n.states {
		if st.pending.Count > 0 && !st.until.After(now) {
			events = append(events, st.pending)
			st.pending = drop{}
			st.told(now)
		}
		switch {
		case st.pending.Count > 0:
			n.wakeAt(st.until)
		case !st.forgetAt().After(now):
			delete(n.states, key)
		default:
			n.wakeAt(st.forgetAt())
		}
	}
	return events
}

// conflictKey is a kind of disagreement with one router.
type conflictKey struct {
	kind string
	peer netip.Addr
}

// maxConflicts bounds how many an instance tells apart, against forged sources:
// further routers share one pause.
const maxConflicts = 16

// conflicts says which conflicts of an instance are worth an event.
type conflicts map[conflictKey]*pacer

// tell takes one conflict, and reports whether to emit it.
func (c conflicts) tell(now time.Time, key conflictKey) bool {
	p := c[key]
	if p == nil && len(c) >= maxConflicts {
		maps.DeleteFunc(c, func(_ conflictKey, p *pacer) bool { return !p.forgetAt().After(now) })
		if len(c) >= maxConflicts {
			key.peer = netip.Addr{}
			p = c[key]
		}
	}
	if p == nil || !p.forgetAt().After(now) {
		p = &pacer{}
		c[key] = p
	}
	return p.happens(now)
}
