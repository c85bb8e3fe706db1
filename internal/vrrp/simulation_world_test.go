// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"time"
)

// director is one simulated machine with a Machine and the Groups of its
// families. Its messages go through the real codec.
type director struct {
	*simulation
	id         int
	parameters Parameters
	machine    *Machine
	wires      []wireEnd
	timer      time.Time // the machine's, as scheduled
	shutdown   time.Time // when the last one began
	process    int       // counts starts, so that events of a dead process are void
}

// wireEnd is a director's end of one family's wire.
type wireEnd struct {
	family Family
	source netip.Addr
	group  *Group
}

func newDirector(s *simulation, id int, p Parameters) *director {
	d := &director{simulation: s, id: id, parameters: p}
	d.boot()
	return d
}

// boot gives the director a new process, in Initialize.
func (d *director) boot() {
	d.process++
	d.timer = time.Time{}
	d.machine = NewMachine(d.parameters)
	d.wires = d.wires[:0]
	ends := []wireEnd{
		{family: IPv4, source: netip.AddrFrom4([4]byte{192, 0, 2, uint8(d.id + 1)}), group: NewGroup(51, IPv4, vips4)},
		// The order of addresses differs from that of IPv4.
		{family: IPv6, source: linkLocal(netip.AddrFrom16([16]byte{15: uint8(9 - d.id)})), group: NewGroup(51, IPv6, vips6)},
	}
	for _, end := range ends {
		if d.parameters.Families.Has(end.family) {
			end.group.SetLocal(end.source)
			d.machine.SetLocal(end.family, end.source)
			d.wires = append(d.wires, end)
		}
	}
}

// running reports whether the director takes part in the election.
func (d *director) running() bool {
	return d.machine.State() != Initialize && !d.machine.HandingOver()
}

// leads reports whether the director is a master that means to stay.
func (d *director) leads() bool {
	return d.machine.State() == Master && !d.machine.HandingOver()
}

// perform does what the machine asked for and schedules its timer.
func (d *director) perform(actions []Action) {
	for _, action := range actions {
		switch action := action.(type) {
		case SendAdvert:
			for _, end := range d.wires {
				message := end.group.Advertisement(action.Priority, action.Interval, nil)
				d.tracef("d%d sends %s priority %d", d.id, end.family, action.Priority)
				d.network.send(d, Packet{Payload: message, Source: end.source, Destination: end.family.Group(), TTL: 255})
			}
		case Transition:
			d.tracef("d%d %v -> %v: %v (%v)", d.id, action.From, action.To, action.Reason, action.Peer)
			d.monitor.transition(d, action)
		default:
			d.tracef("d%d %T%+v", d.id, action, action)
		}
	}
	d.armTimer()
}

// armTimer schedules Expire a little late, as real timers are.
func (d *director) armTimer() {
	next, ok := d.machine.Next()
	if !ok || next.Equal(d.timer) {
		return
	}
	d.timer = next
	process := d.process
	d.at(next.Add(d.upTo(d.scenario.lateness)), func() {
		if process == d.process {
			d.perform(d.machine.Expire(d.now))
		}
	})
}

// deliver takes a packet off the wire.
func (d *director) deliver(p Packet) {
	for _, end := range d.wires {
		if end.family != FamilyOf(p.Source) {
			continue
		}
		a, err := end.group.Receive(p, d.parameters)
		if err != nil {
			d.fail("d%d discards %x from %s: %v", d.id, p.Payload, p.Source, err)
			return
		}
		d.perform(d.machine.Receive(d.now, end.family, a, p.Source))
	}
}

// network carries packets between directors: in order from one to another, as
// a segment does, with delay, loss and partition.
type network struct {
	maxDelay time.Duration
	loss     float64
	side     []int         // of the partition, by director
	arrival  [][]time.Time // of the last packet, by sender and receiver
}

func newNetwork(sc scenario) network {
	n := network{maxDelay: sc.maxDelay, side: make([]int, len(sc.parameters))}
	for range sc.parameters {
		n.arrival = append(n.arrival, make([]time.Time, len(sc.parameters)))
	}
	return n
}

func (n *network) send(from *director, p Packet) {
	s := from.simulation
	s.tally.Adverts++
	for _, to := range s.directors {
		if to == from || n.side[to.id] != n.side[from.id] || s.random.Float64() < n.loss {
			continue
		}
		at := s.now.Add(s.upTo(n.maxDelay))
		if last := n.arrival[from.id][to.id]; at.Before(last) {
			at = last
		}
		n.arrival[from.id][to.id] = at
		s.at(at, func() {
			if n.side[to.id] == n.side[from.id] {
				to.deliver(p)
			}
		})
	}
}
