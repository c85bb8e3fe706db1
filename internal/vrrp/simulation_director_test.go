// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"time"
)

// director is one simulated machine: a speaker's process that runs an instance
// on each segment, all in one sync group, and a director's process, of which
// only the life is simulated. It does what the speaker does, and its messages go
// through the real codec.
type director struct {
	*simulation
	id         int
	clock      clock
	parameters Parameters // as configured
	weight     int        // what tracking adds to the priority
	wanted     bool       // to run
	standby    bool       // what the operator wants
	heir       bool       // the process hands over for a dead one
	dead       bool       // no process, and nobody has noticed yet
	frozen     bool
	thawed     time.Duration // when that ended last
	hold       time.Duration // how long roles are held without a director's process
	orphaned   bool          // there is none
	holdTill   time.Duration // while orphaned
	backlog    []func()      // packets that came while frozen
	process    int           // counts them, so that events of a dead one are void
	spoke      time.Duration // when the last advertisement was sent
	ports      []*port

	// Authentication, and the wall clock that it needs.
	stage   int
	used    map[voice]used
	skew    time.Duration // within the window
	days    int           // what the clock is off by beside that
	leaptAt time.Duration // when days changed last
	shown   time.Duration // the latest time of the clock, days aside, before it was last set
}

// port is one instance of a director.
type port struct {
	director *director
	segment  *lan
	machine  *Machine
	group    *SyncGroup
	wires    []wireEnd
	heard    map[netip.Addr]heard

	armed     time.Duration // when its timer fires; 0: not armed
	leaving   time.Duration // when a hand-over began; 0: none
	announced time.Duration // when the addresses were announced again last
	down      bool          // the interface
	fault     bool          // of something tracked
}

// wireEnd is a port's end of one family's wire.
type wireEnd struct {
	family Family
	source netip.Addr
	group  *Group
}

func newDirector(s *simulation, id int, p Parameters) *director {
	d := &director{
		simulation: s, id: id, parameters: p, clock: clock{boot: epoch.Add(time.Duration(id) * time.Hour)},
		stage: s.scenario.auth.first, used: make(map[voice]used),
	}
	d.hold = pick(s.random, s.scenario.holdTimes()...)
	for _, n := range s.segments {
		d.ports = append(d.ports, &port{director: d, segment: n})
	}
	d.boot(false)
	return d
}

// boot gives the director a new process, in Initialize. An heir's instances
// are alone.
func (d *director) boot(heir bool) {
	d.process++
	d.heir, d.dead, d.wanted, d.orphaned = heir, false, false, false
	group := NewSyncGroup()
	for _, p := range d.ports {
		p.machine = NewMachine(d.parametersOf(p))
		p.armed, p.leaving = 0, 0
		p.group = group
		if heir {
			p.group = NewSyncGroup()
		}
		p.group.Join(p.machine)
		p.connect()
	}
}

// connect gives a port its groups. The order of the addresses of directors
// differs from wire to wire.
func (p *port) connect() {
	id, number := uint8(p.director.id), uint8(p.segment.number)
	host := [2]uint8{id + 1, 9 - id}[number]
	ends := []wireEnd{
		{IPv4, netip.AddrFrom4([4]byte{192, 0, 2, host}), NewGroup(p.groupConfig(IPv4))},
		{IPv6, netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 15: 9 - id}), NewGroup(p.groupConfig(IPv6))},
	}
	p.wires, p.heard = p.wires[:0], make(map[netip.Addr]heard)
	for _, end := range ends {
		if p.director.parameters.Families.Has(end.family) {
			end.group.SetLocal(end.source)
			p.machine.SetLocal(end.family, end.source)
			p.wires = append(p.wires, end)
		}
	}
}

// groupConfig is what the director's configuration says at present.
func (p *port) groupConfig(f Family) GroupConfig {
	d := p.director
	c := GroupConfig{VRID: 51, Family: f, Addresses: vips4, Version: d.parameters.Version, Auth: d.scenario.auth.auth(d.stage)}
	if f == IPv6 {
		c.Addresses, c.Version = vips6, Version3
	}
	return c
}

// parametersOf are those of one port, with what tracking makes of the priority.
func (d *director) parametersOf(p *port) Parameters {
	own := d.parameters
	own.VRID = uint8(51 + p.segment.number)
	own.Priority = EffectivePriority(own.Priority, []int{d.weight})
	if d.scenario.crossed && p.segment.number == 1 && own.Priority != PriorityOwner {
		own.Priority = 255 - own.Priority
	}
	return own
}

func (d *director) read() time.Time { return d.clock.read(d.now) }

// acts reports whether the director's process does anything.
func (d *director) acts() bool { return !d.frozen && !d.dead }

// eligible reports whether the director could be master of its segments.
func (d *director) eligible() bool {
	if !d.acts() || d.heir {
		return false
	}
	for _, p := range d.ports {
		m := p.machine
		if m.State() == Initialize || m.HandingOver() || m.InStandby() || d.read().Before(m.listenUntil) {
			return false
		}
	}
	return true
}

// do lets a machine act, and performs what its group decides.
func (d *director) do(p *port, act func() []Action) {
	for _, a := range p.group.Do(d.read(), p.machine, act) {
		for _, of := range d.ports {
			if of.machine == a.Machine {
				d.perform(of, a.Action)
			}
		}
	}
	d.tidy()
}

func (d *director) perform(p *port, action Action) {
	switch a := action.(type) {
	case SendAdvert:
		d.tracef("d%d.%d sends priority %d", d.id, p.segment.number, a.Priority)
		d.spoke = d.now
		for _, end := range p.wires {
			message := end.group.Advertisement(d.read(), a.Priority, a.Interval, nil)
			p.segment.send(p, d.datagram(p, end, message))
		}
	case Transition:
		d.tracef("d%d.%d %v -> %v: %v%s", d.id, p.segment.number, a.From, a.To, a.Reason, because(a.Peer))
		d.monitor.transition(p, a)
	case Reannounce:
		d.tracef("d%d.%d announces again%s", d.id, p.segment.number, because(a.Peer))
		p.announced = d.now
	case StandbyRefused:
		d.standby = false
		d.monitor.refusal(p)
		d.tracef("d%d.%d %T%+v", d.id, p.segment.number, a, a)
	default:
		d.tracef("d%d.%d %T%+v", d.id, p.segment.number, a, a)
	}
}

func because(peer netip.Addr) string {
	if !peer.IsValid() {
		return ""
	}
	return ", " + peer.String()
}

// tidy sets the timers, starts again what may run, and lets a new process
// follow an heir that is done.
func (d *director) tidy() {
	for _, p := range d.ports {
		switch {
		case !p.machine.HandingOver():
			p.leaving = 0
		case p.leaving == 0:
			p.leaving, d.monitor.handedOver = d.now, d.now
		}
		d.arm(p)
	}
	if d.heir && d.left() {
		d.heir = false
		d.after(d.upTo(d.scenario.maxInterval()), d.whileProcess(func() {
			d.boot(false)
			d.start(true)
		}))
	}
}

// arm schedules the port's timer a little late, as real timers are. A timer
// that moved to a later time is armed again when the old time has come.
func (d *director) arm(p *port) {
	next, ok := p.machine.Next()
	at := d.clock.since(next)
	if !ok || p.armed != 0 && p.armed <= at {
		return
	}
	at = max(at, d.now)
	p.armed = at
	d.at(at+d.upTo(d.scenario.lateness), d.whileProcess(func() {
		if p.armed == at {
			p.armed = 0
			if !d.frozen {
				d.expire(p)
			}
		}
	}))
}

// expire does what the port's timer says.
func (d *director) expire(p *port) {
	next, ok := p.machine.Next()
	if due := p.machine.timer; !due.IsZero() && !d.read().Before(due) && (!ok || d.read().Before(next)) {
		d.tally.Vetoes++
	}
	if ok && !d.read().Before(next) {
		d.do(p, func() []Action { return p.machine.Expire(d.read()) })
	}
	d.arm(p)
}

// whileProcess makes do void once another process runs.
func (d *director) whileProcess(do func()) func() {
	process := d.process
	return func() {
		if process == d.process && !d.dead {
			do()
		}
	}
}

// whenAwake does it now, or when the director is thawed.
func (d *director) whenAwake(do func()) {
	if !d.frozen {
		do()
		return
	}
	d.backlog = append(d.backlog, d.whileProcess(do))
}

// deliver takes a packet off the wire.
func (d *director) deliver(number int, g *datagram) {
	if !d.dead {
		d.whenAwake(func() { d.receive(d.ports[number], g) })
	}
}

func (d *director) receive(p *port, g *datagram) {
	for _, end := range p.wires {
		if end.family != FamilyOf(g.Source) {
			continue
		}
		want := p.expects(g)
		if g.forgery != 0 && want != refusal {
			return
		}
		a, err := end.group.Receive(d.read(), g.Packet, d.parameters)
		if !p.judge(g, want, err) {
			return
		}
		d.do(p, func() []Action { return p.machine.Receive(d.read(), end.family, a, g.Source) })
	}
}
