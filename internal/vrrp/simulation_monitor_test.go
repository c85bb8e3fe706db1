// SPDX-License-Identifier: Apache-2.0

package vrrp

import "time"

// monitor checks, on each side of a partition:
//
//  1. no rivals: without loss, two masters do not coexist for longer than it
//     takes to hear each other;
//  2. no vacancy: a side with a running director has a holder of the addresses
//     within the master-down interval, whatever is lost;
//  3. no gap: without loss and fault, addresses that have a holder keep one. A
//     shutdown is no fault;
//  4. no usurper: nobody takes over from a master that it hears, unless it
//     preempts and has the higher priority;
//  5. in the end there is one master on each side, and the best one where all
//     preempt.
type monitor struct {
	*simulation
	// disturbed is the time of the last fault of any kind, networkDisturbed of
	// the last one that was not a director's coming or going.
	disturbed, networkDisturbed time.Time
	sides                       [3]sideState
}

// sideState is what the monitor remembers of one side.
type sideState struct {
	holders     int
	vacantSince time.Time // zero: not vacant
	rivalsSince time.Time // zero: no rivals
}

func newMonitor(s *simulation) monitor {
	return monitor{simulation: s, disturbed: start, networkDisturbed: start}
}

// disturb notes that a director comes, goes or changes.
func (m *monitor) disturb() { m.disturbed = m.now }

// disturbNetwork notes that who hears whom may change.
func (m *monitor) disturbNetwork() {
	m.disturbed = m.now
	m.networkDisturbed = m.now
}

// undisturbedSince returns the later of t and the last fault.
func (m *monitor) undisturbedSince(t time.Time) time.Time {
	if t.Before(m.disturbed) {
		return m.disturbed
	}
	return t
}

// before checks what may not last up to now, by the states so far.
func (m *monitor) before() {
	sc := m.scenario
	for side, st := range m.sides {
		if !st.vacantSince.IsZero() {
			if d := m.now.Sub(m.undisturbedSince(st.vacantSince)); d > sc.takeOverTime() {
				m.fail("vacancy: side %d has no holder for %v", side, d)
			}
		}
		if !st.rivalsSince.IsZero() && m.network.loss == 0 {
			if d := m.now.Sub(m.undisturbedSince(st.rivalsSince)); d > sc.resolveTime() {
				m.fail("rivals: side %d has several masters for %v", side, d)
			}
		}
	}
}

// after takes in the new states.
func (m *monitor) after() {
	for side := range m.sides {
		holders, leaders, running := m.count(side)
		st := &m.sides[side]
		vacant := running > 0 && holders == 0
		if vacant && st.holders > 0 && m.quietFor(2*m.scenario.maxDelay) {
			m.fail("gap: side %d lost its holder", side)
		}
		st.holders = holders
		m.keep(&st.vacantSince, vacant)
		if leaders > 1 && st.rivalsSince.IsZero() {
			m.tally.Rivalries++
		}
		m.keep(&st.rivalsSince, leaders > 1)
	}
}

// keep holds in since how long a condition has been true.
func (m *monitor) keep(since *time.Time, condition bool) {
	switch {
	case !condition:
		*since = time.Time{}
	case since.IsZero():
		*since = m.now
	}
}

// count returns how many directors of a side hold the addresses, are masters
// that stay, and take part.
func (m *monitor) count(side int) (holders, leaders, running int) {
	for _, d := range m.directors {
		if m.network.side[d.id] != side {
			continue
		}
		if d.machine.State() == Master {
			holders++
		}
		if d.leads() {
			leaders++
		}
		if d.running() {
			running++
		}
	}
	return holders, leaders, running
}

// quietFor reports whether there was neither loss nor fault for longer than d.
func (m *monitor) quietFor(d time.Duration) bool {
	return m.network.loss == 0 && m.now.Sub(m.disturbed) > d
}

// transition checks and tallies one change of state.
func (m *monitor) transition(d *director, t Transition) {
	switch {
	case t.Reason == ReasonHandedOver || t.Reason == ReasonHandOverBound:
		// The successor may have gone, or have come too late to hear of the
		// hand-over; or a backup that was about to preempt, and so never took
		// over our interval, has a skew time beyond our bound. What follows is
		// not the hand-over's fault.
		if m.disturbed.After(d.shutdown) || t.Reason == ReasonHandOverBound && len(m.scenario.intervals) > 1 {
			m.disturb()
		}
		if t.Reason == ReasonHandedOver {
			m.tally.HandOvers++
		}
	case t.From == Backup && t.To == Master:
		m.tally.TakeOvers++
		m.takeOver(d)
	}
}

// takeOver checks that d has not pushed aside a master whom it must have heard
// often enough to follow.
func (m *monitor) takeOver(d *director) {
	heard := m.scenario.takeOverTime() + m.scenario.resolveTime()
	for _, other := range m.directors {
		if other == d || !other.leads() || m.network.side[other.id] != m.network.side[d.id] {
			continue
		}
		if m.network.loss > 0 || m.now.Sub(m.networkDisturbed) <= heard || m.now.Sub(other.machine.Since()) <= heard {
			continue
		}
		preempts := d.parameters.Preempt || d.parameters.Priority == PriorityOwner
		switch {
		case preempts && d.parameters.Priority > other.parameters.Priority:
			m.tally.Preemptions++
		case len(m.scenario.intervals) > 1:
			// A director that starts with a shorter interval than the master's
			// may give up before it hears the master.
		default:
			m.fail("usurper: d%d takes over from d%d, which is alive", d.id, other.id)
		}
	}
}

// settled checks the outcome.
func (m *monitor) settled() {
	for side := range m.sides {
		holders, leaders, running := m.count(side)
		if running == 0 {
			continue
		}
		if leaders != 1 || holders != 1 {
			m.fail("settled: side %d has %d masters and %d holders, want 1", side, leaders, holders)
			return
		}
		m.settledBest(side)
	}
}

// settledBest checks that nobody on the side should have preempted its master.
func (m *monitor) settledBest(side int) {
	for _, master := range m.directors {
		if m.network.side[master.id] != side || !master.leads() {
			continue
		}
		for _, d := range m.directors {
			if m.network.side[d.id] == side && d.running() &&
				d.parameters.Preempt && d.parameters.Priority > master.parameters.Priority {
				m.fail("settled: d%d does not preempt d%d", d.id, master.id)
			}
		}
	}
}
