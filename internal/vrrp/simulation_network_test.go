// SPDX-License-Identifier: Apache-2.0

package vrrp

import "time"

// lan is a segment: it carries packets between directors: in order from one to another, with
// delay, loss, partition, and loss in one direction.
type lan struct {
	number   int
	maxDelay time.Duration
	loss     float64
	side     []int             // of the partition, by director
	deaf     [][]bool          // by sender and receiver
	arrival  [][]time.Duration // of the last packet, by sender and receiver
}

func newLAN(number int, sc scenario) *lan {
	n := &lan{number: number, maxDelay: sc.maxDelay, side: make([]int, len(sc.parameters))}
	for range sc.parameters {
		n.arrival = append(n.arrival, make([]time.Duration, len(sc.parameters)))
		n.deaf = append(n.deaf, make([]bool, len(sc.parameters)))
	}
	return n
}

// carries reports whether packets get from one port to another.
func (n *lan) carries(from, to *port) bool {
	a, b := from.director.id, to.director.id
	return !from.down && !to.down && n.side[a] == n.side[b] && !n.deaf[a][b]
}

func (n *lan) send(from *port, g *datagram) {
	s := from.director.simulation
	s.tally.Adverts++
	if s.scenario.auth.used() {
		s.eavesdrop(from, g)
	}
	for _, d := range s.directors {
		to := d.ports[n.number]
		if d == from.director || !n.carries(from, to) || n.loss > 0 && s.random.Float64() < n.loss {
			continue
		}
		last := &n.arrival[from.director.id][d.id]
		at := max(s.now+s.upTo(n.maxDelay), *last)
		*last = at
		s.at(at, func() {
			if to := d.ports[n.number]; n.carries(from, to) {
				d.deliver(n.number, g)
			}
		})
	}
}

// clean reports whether all that are to hear each other do.
func (s *simulation) clean() bool {
	if s.tally.Mutes > 0 && s.now-s.monitor.muted <= s.scenario.settleTime() {
		return false
	}
	for _, n := range s.segments {
		if n.loss > 0 || n.oneWay() {
			return false
		}
	}
	return !s.splitUnevenly()
}

func (n *lan) oneWay() bool {
	for _, row := range n.deaf {
		for _, deaf := range row {
			if deaf {
				return true
			}
		}
	}
	return false
}

// splitUnevenly reports whether one segment is partitioned and another is not.
func (s *simulation) splitUnevenly() bool {
	for id := range s.directors {
		if s.segments[0].side[id] != s.segments[len(s.segments)-1].side[id] {
			return true
		}
	}
	return false
}

// side says on which side of the network a director is: a partition concerns
// all segments or one.
func (s *simulation) side(d *director) int {
	return min(s.segments[0].side[d.id], s.segments[len(s.segments)-1].side[d.id])
}

const maxSides = 3

// component says which directors are connected over some segment, and believe
// each other's time.
func (s *simulation) component(d *director) int {
	if !s.scenario.auth.splits() {
		return s.side(d)
	}
	return s.side(d) + maxSides*(d.days+1)
}

// components is how many there may be.
func (s *simulation) components() int {
	if !s.scenario.auth.splits() {
		return maxSides
	}
	return 3 * maxSides
}
