// SPDX-License-Identifier: Apache-2.0

package vrrp

import "time"

// The deaths of a director's two processes. The one that speaks is simulated as
// a whole; of the other one only its life is.

// killSpeaker kills the process that speaks. The other one notices after a
// while, or so late that others have taken over by then, and hands over on its
// behalf, then starts a new one. Where there is no other one everything is lost.
func (d *director) killSpeaker() {
	if d.orphaned {
		d.killAll()
		return
	}
	d.tracef("d%d: speaker is killed", d.id)
	d.monitor.disturb()
	d.dead = true
	process := d.process
	notice := pick(d.random, 2*d.scenario.maxInterval(), 2*d.scenario.maxInterval(), d.scenario.noticeTime())
	d.after(d.upTo(notice), func() {
		if process == d.process {
			d.succeed()
		}
	})
}

// killAll kills both processes.
func (d *director) killAll() {
	d.tracef("d%d is killed", d.id)
	d.monitor.disturb()
	d.boot(false)
}

func (d *director) succeed() {
	d.tally.Adoptions++
	d.tracef("d%d: the heir takes over", d.id)
	var masters []*port
	for _, p := range d.ports {
		if p.machine.State() == Master && !p.down {
			masters = append(masters, p)
		}
	}
	d.boot(true)
	for _, p := range masters {
		p.machine.Adopt(d.read(), d.now-d.spoke)
		if p.machine.overdue {
			d.tally.Overdue++
		}
	}
	for _, p := range masters {
		d.do(p, func() []Action { return p.machine.Yield(d.read(), ReasonSpeakerLost) })
	}
	d.tidy()
}

// loseDirector kills or silences the other process. The speaker hands over, at
// once or at the end of the time that it holds its roles, unless a new director
// has come by then. Neither is a fault: nothing of it may leave a gap.
func (d *director) loseDirector() {
	d.tally.Orphans++
	d.tracef("d%d: director's process is lost, hold %v", d.id, d.hold)
	d.orphaned, d.holdTill = true, d.now+d.hold
	d.endHold()
	d.after(d.hold, d.whileProcess(d.endHold))
	d.after(d.upTo(2*d.hold+d.scenario.maxInterval()), d.whileProcess(d.directorComes))
}

// endHold hands over when no new director came in time.
func (d *director) endHold() {
	if d.orphaned && d.wanted && !d.frozen && d.now >= d.holdTill {
		d.stop()
	}
}

// directorComes brings a new director's process. It adopts the speaker that
// holds its roles, and waits for one that hands over, to start its own.
func (d *director) directorComes() {
	switch {
	case !d.orphaned:
	case d.frozen || !d.wanted && !d.left():
		d.after(d.scenario.maxInterval(), d.whileProcess(d.directorComes))
	case d.wanted:
		d.adoptSpeaker()
	default:
		d.boot(false)
		d.start(d.random.IntN(2) == 0)
	}
}

// adoptSpeaker configures the speaker as it is.
func (d *director) adoptSpeaker() {
	d.tally.Holds++
	d.tracef("d%d: a new director adopts the speaker", d.id)
	d.orphaned = false
	for _, p := range d.ports {
		state, adverts := p.machine.State(), d.tally.Adverts
		d.do(p, func() []Action { return p.machine.Update(d.read(), d.parametersOf(p)) })
		if p.machine.State() != state || d.tally.Adverts != adverts {
			d.fail("d%d.%d notices that a new director came", d.id, p.segment.number)
		}
	}
	d.review()
}

// left reports whether all instances are in Initialize.
func (d *director) left() bool {
	for _, p := range d.ports {
		if p.machine.State() != Initialize {
			return false
		}
	}
	return true
}

// noticeTime is when the death of a speaker has surely been noticed.
func (sc scenario) noticeTime() time.Duration { return 8*sc.maxInterval() + 2*Linger }

// holdTimes are those of on_director_loss; 0 hands over at once.
func (sc scenario) holdTimes() []time.Duration {
	return []time.Duration{0, 2 * sc.maxInterval(), 10 * sc.maxInterval()}
}
