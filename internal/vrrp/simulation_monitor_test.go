// SPDX-License-Identifier: Apache-2.0

package vrrp

import "time"

// monitor checks, for each segment and each component of its directors:
//
//  1. no rivals: two masters do not coexist for longer than it takes to hear
//     each other on a segment that loses nothing;
//  2. no vacancy: a component with a director that could be master has a holder
//     of the addresses within the master-down interval, whatever is lost;
//  3. no gap: without loss and fault, addresses that have a holder keep one. A
//     shutdown or standby is no fault, nor is the loss of a director's process,
//     and addresses of a dead speaker count; crossed priorities are a fault;
//  4. no usurper: nobody takes over from a master that it hears, unless it
//     preempts and has the higher priority;
//  5. no flapping: some time after the last fault no role moves, even where one
//     direction of a segment loses everything;
//  6. one for all: the instances of a director lead together or not at all;
//  7. no master is in standby, nor was it paused for longer than others wait;
//  8. standby is not refused where another can take over;
//  9. a hand-over ends within its bound, and a new director's process changes
//     nothing by itself;
//  10. no forgery is accepted, and what is authentic is, unless it is from a
//     time outside the window; a step of a clock within the window and a change
//     of keys or modes are no faults, and lose nothing;
//  11. the better of two masters announces its addresses again, on all segments,
//     when the other one gives way;
//  12. in the end there is one master in each component, the same for all
//     segments, and the best one where all preempt.
//
// Where messages are signed with the time, directors whose clocks are days apart
// are in different components.
type monitor struct {
	*simulation
	// disturbed is the time of the last fault of any kind, networkDisturbed of
	// the last one that was not a director's coming or going, handedOver of the
	// last begin or end of a hand-over.
	disturbed, networkDisturbed, handedOver time.Duration
	muted                                   time.Duration // when a director spoke last that others do not believe
	places                                  [2][]place    // by segment and component
}

// place is what the monitor remembers of a segment in a component.
type place struct {
	kept                       int // by holders, and by directors whose speaker is dead
	holders, leaders, eligible int
	vacantSince                time.Duration // never: not vacant
	rivalsSince                time.Duration // never: no rivals
	best, bestBefore           uint8         // the highest priority of a leader
}

const never time.Duration = -1

func newMonitor(s *simulation) monitor {
	m := monitor{simulation: s}
	for segment := range m.segments {
		for range s.components() {
			m.places[segment] = append(m.places[segment], place{vacantSince: never, rivalsSince: never})
		}
	}
	return m
}

// disturb notes that a director comes, goes or changes.
func (m *monitor) disturb() { m.disturbed = m.now }

// disturbNetwork notes that who hears whom may change.
func (m *monitor) disturbNetwork() { m.disturbed, m.networkDisturbed = m.now, m.now }

// lasts returns how long a state has lasted that began at since, without fault.
func (m *monitor) lasts(since time.Duration) time.Duration { return m.now - max(since, m.disturbed) }

// before checks what may not last up to now, by the states so far.
func (m *monitor) before() {
	resolvable := m.resolvable()
	for segment := range m.segments {
		for component, p := range m.places[segment] {
			if p.vacantSince != never && m.lasts(p.vacantSince) > m.scenario.takeOverTime() {
				m.fail("vacancy: segment %d, component %d has no holder for %v", segment, component, m.lasts(p.vacantSince))
			}
			if p.rivalsSince != never && resolvable && m.lasts(p.rivalsSince) > m.scenario.resolveTime() {
				m.fail("rivals: segment %d, component %d has several masters for %v", segment, component, m.lasts(p.rivalsSince))
			}
		}
	}
}

// resolvable reports whether there is a segment on which all directors of a
// component hear each other.
func (m *monitor) resolvable() bool {
	for _, n := range m.segments {
		good := n.loss == 0 && !n.oneWay()
		for _, d := range m.directors {
			good = good && n.side[d.id] == m.side(d)
		}
		if good {
			return true
		}
	}
	return false
}

// after takes in the new states.
func (m *monitor) after() {
	m.count()
	for segment := range m.segments {
		for component := range m.places[segment] {
			p := &m.places[segment][component]
			m.keep(&p.vacantSince, p.eligible > 0 && p.holders == 0)
			if p.leaders > 1 && p.rivalsSince == never {
				m.tally.Rivalries++
			}
			m.keep(&p.rivalsSince, p.leaders > 1)
			if p.leaders > 1 && p.best > p.bestBefore {
				p.rivalsSince = m.now // with another one than before
			}
		}
	}
	for _, d := range m.directors {
		m.checkDirector(d)
	}
}

// keep holds in since when a condition has been true.
func (m *monitor) keep(since *time.Duration, condition bool) {
	switch {
	case !condition:
		*since = never
	case *since == never:
		*since = m.now
	}
}

// count counts for each place the directors that hold the addresses, that are
// masters and mean to stay, and that could be master.
func (m *monitor) count() {
	var before [2][3 * maxSides]int
	for segment := range m.segments {
		for component := range m.places[segment] {
			p := &m.places[segment][component]
			before[segment][component] = p.kept
			p.kept, p.holders, p.leaders, p.eligible = 0, 0, 0, 0
			p.bestBefore, p.best = p.best, 0
		}
	}
	for _, d := range m.directors {
		eligible, component := d.eligible(), m.component(d)
		for segment, port := range d.ports {
			p := &m.places[segment][component]
			if port.keeps() {
				p.kept++
			}
			if d.acts() && port.machine.State() == Master {
				p.holders++
			}
			if d.acts() && port.machine.leads() {
				p.leaders++
				p.best = max(p.best, port.machine.own.Priority)
			}
			if eligible {
				p.eligible++
			}
		}
	}
	// Two groups that begin to hear each other may both step down.
	quiet := 2 * m.scenario.maxDelay
	if len(m.segments) > 1 {
		quiet += m.scenario.resolveTime()
	}
	for segment := range m.segments {
		for component, p := range m.places[segment] {
			if before[segment][component] > 0 && p.kept == 0 && p.eligible > 0 && m.quietFor(quiet) && !m.scenario.crossed {
				m.fail("gap: segment %d, component %d lost its holder", segment, component)
			}
		}
	}
}

// keeps reports whether the port's addresses are in the kernel. Those of a dead
// process stay there until the heir takes them away.
func (p *port) keeps() bool {
	return p.machine.State() == Master && !p.down && !p.director.frozen
}

// quietFor reports whether the network is clean and there was no fault for
// longer than d.
func (m *monitor) quietFor(d time.Duration) bool { return m.now-m.disturbed > d && m.clean() }

// checkDirector checks what holds for a director at every moment.
func (m *monitor) checkDirector(d *director) {
	if !d.acts() {
		return
	}
	for _, p := range d.ports {
		if !d.heir && p.machine.leads() != d.ports[0].machine.leads() {
			m.fail("d%d leads on one segment only", d.id)
		}
		if p.leaving != 0 && m.now-max(p.leaving, d.thawed) > m.scenario.handOverTime()+m.scenario.lateness {
			m.fail("d%d.%d hands over for %v", d.id, p.segment.number, m.now-p.leaving)
		}
		if p.machine.InStandby() && p.machine.State() == Master {
			m.fail("d%d.%d is master in standby", d.id, p.segment.number)
		}
	}
}

// transition checks and tallies one change of state.
func (m *monitor) transition(p *port, t Transition) {
	if t.Reason == ReasonSyncGroup {
		m.tally.GroupMoves++
	}
	if t.Reason == ReasonHandedOver {
		m.tally.HandOvers++
	}
	if t.From == Master && t.To == Backup {
		m.givesWay(p, t)
	}
	switch {
	case p.leaving != 0:
		m.handedOver = m.now
		// The successor may have gone, or have come too late to hear of the
		// hand-over; or a backup that was about to preempt, and so never took
		// over our interval, has a skew time beyond our bound. What follows is
		// not the hand-over's fault.
		if m.disturbed > p.leaving || !t.Peer.IsValid() && len(m.scenario.intervals) > 1 {
			m.disturb()
		}
	case t.From == Initialize || t.To == Initialize:
	case m.lasts(m.handedOver) > m.scenario.settleTime() && m.lossless():
		m.fail("flapping: d%d.%d moves long after the last fault", p.director.id, p.segment.number)
	}
	if t.From == Backup && t.To == Master && t.Reason != ReasonSyncGroup {
		m.tally.TakeOvers++
		m.takeOver(p)
	}
}

func (m *monitor) lossless() bool {
	for _, n := range m.segments {
		if n.loss > 0 {
			return false
		}
	}
	return true
}
