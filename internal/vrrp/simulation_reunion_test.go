// SPDX-License-Identifier: Apache-2.0

package vrrp

import "net/netip"

// givesWay checks that the better of two masters hears of the one that steps
// down for it, and announces again on all segments.
func (m *monitor) givesWay(p *port, t Transition) {
	if t.Reason != ReasonHigherPriority && t.Reason != ReasonHigherAddress || !m.clean() {
		return
	}
	winner := m.portAt(p.segment, t.Peer)
	if !p.segment.carries(p, winner) || !winner.leadsFor(p) {
		return
	}
	since, process := m.now, winner.director.process
	m.simulation.after(m.scenario.maxDelay, func() {
		if m.disturbed >= since || process != winner.director.process || !winner.leadsFor(p) {
			return
		}
		for _, of := range winner.director.ports {
			if of.announced < since {
				m.fail("reunion: d%d.%d has not announced again after d%d gave way at %v",
					winner.director.id, of.segment.number, p.director.id, since)
			}
		}
		if winner.director.clock.since(winner.machine.Since()) < m.networkDisturbed {
			m.tally.Reunions++
		}
	})
}

// leadsFor reports whether the port is a master that p may give way to.
func (p *port) leadsFor(loser *port) bool {
	d := p.director
	return d.acts() && p.machine.leads() && d.monitor.component(d) == d.monitor.component(loser.director)
}

// portAt finds the port of a segment that has the address a.
func (s *simulation) portAt(n *lan, a netip.Addr) *port {
	for _, d := range s.directors {
		for _, end := range d.ports[n.number].wires {
			if end.source == a {
				return d.ports[n.number]
			}
		}
	}
	return nil
}
