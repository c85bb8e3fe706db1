// SPDX-License-Identifier: Apache-2.0

package vrrp

// takeOver checks that nobody was pushed aside whom p must have heard often
// enough to follow.
func (m *monitor) takeOver(p *port) {
	heard := m.scenario.takeOverTime() + m.scenario.resolveTime()
	if !m.clean() || m.scenario.crossed || m.now-m.networkDisturbed <= heard {
		return
	}
	d := p.director
	if m.now-m.handedOver <= m.scenario.takeOverTime() {
		return // a resignation may come later than the master's answer to it
	}
	for _, other := range m.directors {
		if other.ports[p.segment.number].machine.HandingOver() {
			return
		}
	}
	for _, other := range m.directors {
		rival := other.ports[p.segment.number].machine
		if other == d || !other.acts() || !rival.leads() || m.component(other) != m.component(d) {
			continue
		}
		if m.now-other.clock.since(rival.Since()) <= heard {
			continue
		}
		preempts := d.parameters.Preempt || d.parameters.Priority == PriorityOwner
		switch {
		case preempts && p.machine.own.Priority > rival.own.Priority:
			m.tally.Preemptions++
		case len(m.scenario.intervals) > 1:
			// A director that starts with a shorter interval than the master's
			// may give up before it hears the master.
		default:
			m.fail("usurper: d%d takes over from d%d, which is alive", d.id, other.id)
		}
	}
}

// refusal checks that nobody could take over from p.
func (m *monitor) refusal(p *port) {
	m.tally.Refusals++
	if !m.clean() || m.disturbed > p.leaving || len(m.scenario.intervals) > 1 {
		return
	}
	for _, d := range m.directors {
		if d != p.director && d.eligible() && m.component(d) == m.component(p.director) {
			m.fail("refused: d%d.%d stays though d%d could take over", p.director.id, p.segment.number, d.id)
		}
	}
}

// settled checks the outcome.
func (m *monitor) settled() {
	if !m.resolvable() {
		return
	}
	for segment := range m.segments {
		for component, p := range m.places[segment] {
			if p.eligible > 0 && (p.leaders != 1 || p.holders != 1) {
				m.fail("settled: segment %d, component %d has %d masters and %d holders, want 1", segment, component, p.leaders, p.holders)
				return
			}
		}
	}
	for _, d := range m.directors {
		if d.acts() && d.ports[0].machine.leads() && !m.scenario.crossed {
			m.settledBest(d)
		}
	}
}

// settledBest checks that nobody should have preempted a master.
func (m *monitor) settledBest(master *director) {
	for _, d := range m.directors {
		if m.component(d) == m.component(master) && d.eligible() && d.parameters.Preempt &&
			d.ports[0].machine.own.Priority > master.ports[0].machine.own.Priority {
			m.fail("settled: d%d does not preempt d%d", d.id, master.id)
		}
	}
}
