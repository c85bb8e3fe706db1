// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"math/rand/v2"
	"time"
)

// authScenario is the authentication of a simulation: the stages from first to
// last, which all directors go through.
type authScenario struct {
	first, last int
	replay      ReplayMode
	window      time.Duration // as configured
	leaps       bool          // wall clocks go wrong by days, not only within the window
}

// The stages of introducing authentication, and of changing the key. Directors
// at neighbouring stages understand each other.
const (
	stageNone = iota
	stageReceiveOnly
	stagePermissive
	stageEnforce
	stageBothKeys
	stageNewActive
	stageNewKey
)

var (
	oldKey = Key{1, secret(0)}
	newKey = Key{2, secret(100)}
)

func newAuthScenario(r *rand.Rand) authScenario {
	a := authScenario{leaps: true}
	if r.IntN(4) > 0 {
		return a
	}
	a.replay = pick(r, ReplayTime, ReplayTime, ReplayMonotonic)
	a.window = pick(r, 0, 0, 2*time.Second)
	switch r.IntN(3) {
	case 0: // unsigned messages know no time: some would hear others one way
		a.first, a.last, a.leaps = stageNone, stageEnforce, false
	case 1:
		a.first, a.last = stageEnforce, stageNewKey
	case 2:
		a.first, a.last = stageEnforce, stageEnforce
	}
	return a
}

// used says whether there is any.
func (a authScenario) used() bool { return a.last > stageNone }

// splits says whether directors whose clocks are days apart do not hear each
// other.
func (a authScenario) splits() bool { return a.used() && a.leaps && a.replay == ReplayTime }

func (a authScenario) auth(stage int) *Auth {
	auth := &Auth{Mode: Enforce, Keys: []Key{oldKey}, Active: oldKey.ID, Replay: a.replay, Window: a.window}
	switch stage {
	case stageNone:
		return nil
	case stageReceiveOnly:
		auth.Mode = ReceiveOnly
	case stagePermissive:
		auth.Mode = Permissive
	case stageBothKeys:
		auth.Keys = []Key{oldKey, newKey}
	case stageNewActive:
		auth.Keys, auth.Active = []Key{oldKey, newKey}, newKey.ID
	case stageNewKey:
		auth.Keys, auth.Active = []Key{newKey}, newKey.ID
	}
	return auth
}

// windowOf is the window of a director with the given interval.
func (a authScenario) windowOf(interval time.Duration) time.Duration {
	if a.window > 0 {
		return a.window
	}
	return max(3*interval, 5*time.Second)
}

// window is the narrowest of the directors.
func (sc scenario) window() time.Duration { return sc.auth.windowOf(sc.intervals[0]) }

// maxSkew is how far a clock is off at most without a leap: two may be off in
// different directions, and a sequence may be ahead of its clock by two of it.
func (sc scenario) maxSkew() time.Duration { return sc.window() * 2 / 5 }

// rotate brings one director to the stage that all are to reach, or when all
// have, and have been heard, sets the next one. None of this is a fault.
func (s *simulation) rotate() {
	s.after(2*s.scenario.maxDelay+s.upTo(4*s.scenario.maxInterval()), s.rotate)
	var late []*director
	for _, d := range s.directors {
		if d.stage < s.stage {
			late = append(late, d)
		}
	}
	if len(late) == 0 {
		s.stage = min(s.stage+1, s.scenario.auth.last)
		return
	}
	d := pick(s.random, late...)
	if d.frozen || d.orphaned {
		return // nobody can tell it
	}
	d.stage = s.stage
	s.tally.Rotations++
	s.tracef("d%d: authentication is at stage %d", d.id, d.stage)
	for _, p := range d.ports {
		for _, end := range p.wires {
			end.group.Update(p.groupConfig(end.family))
		}
	}
}

// setSkew sets a wall clock within the window. Nothing may be lost by it, but
// what a new process, or one whose clock was wrong by days meanwhile, says in a
// time that was used before.
func (d *director) setSkew(skew time.Duration) {
	d.shown = max(d.shown, d.now+d.skew)
	d.tally.Steps++
	d.skew = skew
	d.setClock()
}

// leap makes a wall clock wrong by days, or right again.
func (d *director) leap(days int) {
	if days == d.days {
		return
	}
	d.days, d.leaptAt = days, d.now
	if d.scenario.auth.splits() {
		d.tally.Leaps++
		d.monitor.disturbNetwork()
	}
	d.setClock()
}

func (d *director) setClock() {
	d.clock.step = time.Duration(d.days)*24*time.Hour + d.skew
	d.tracef("d%d: wall clock is off by %v", d.id, d.clock.step)
}

// stepClock does anything to a wall clock that the scenario allows. A sequence
// that only has to grow forbids days back.
func (d *director) stepClock() {
	switch a := d.scenario.auth; {
	case !a.leaps || d.random.IntN(2) == 0:
		d.setSkew(d.upTo(2*d.scenario.maxSkew()) - d.scenario.maxSkew())
	case a.used() && a.replay == ReplayMonotonic:
		d.leap(d.days + 1)
	default:
		d.leap(d.random.IntN(3) - 1)
	}
}
