// SPDX-License-Identifier: Apache-2.0

package vrrp

import "slices"

// fault does one random thing to the world.
func (s *simulation) fault() {
	s.tally.Faults++
	if !s.scenario.calm && s.random.IntN(2) == 0 {
		s.networkFault()
		return
	}
	d := s.directors[s.random.IntN(len(s.directors))]
	p := d.ports[s.random.IntN(len(d.ports))]
	switch {
	case s.scenario.auth.used() && s.random.IntN(3) == 0:
		d.stepClock()
	case d.dead || d.heir:
		if s.random.IntN(4) == 0 {
			d.killAll()
		}
	case d.frozen:
		d.thaw()
	case d.orphaned:
		s.faultOrphan(d, p)
	case !d.wanted:
		d.boot(false)
		d.start(false)
	default:
		switch s.random.IntN(14) {
		case 0:
			d.stop()
		case 1:
			d.killAll()
		case 2:
			d.killSpeaker()
		case 3, 4:
			p.setDown(!p.down)
		case 5:
			p.setFault(!p.fault)
		case 6:
			d.weigh(pick(s.random, 0, -60, 60))
		case 7:
			d.reload()
		case 8, 9:
			d.setStandby(p, !d.standby)
		case 10:
			d.freeze()
		case 11:
			d.stepClock()
		case 12, 13:
			d.loseDirector()
		}
	}
}

// faultOrphan does one thing to a speaker without a director, which nobody can
// tell anything.
func (s *simulation) faultOrphan(d *director, p *port) {
	switch s.random.IntN(4) {
	case 0:
		d.killSpeaker()
	case 1:
		p.setDown(!p.down)
	case 2:
		d.freeze()
	case 3:
		d.directorComes()
	}
}

func (s *simulation) networkFault() {
	n := s.segments[s.random.IntN(len(s.segments))]
	switch s.random.IntN(7) {
	case 0, 1:
		s.setLoss(s.random.Float64()*0.5, pick(s.random, s.segments, []*lan{n}))
	case 2:
		s.partition(1+s.random.IntN(3), s.segments)
	case 3:
		s.partition(1+s.random.IntN(2), []*lan{n})
	case 4, 5:
		s.deafen(n)
	case 6:
		s.heal()
	}
}

func (s *simulation) setLoss(loss float64, on []*lan) {
	s.monitor.disturbNetwork()
	for _, n := range on {
		s.tracef("segment %d: loss is %.2f", n.number, loss)
		n.loss = loss
	}
}

// partition puts each director on one of so many sides of the given segments,
// and on the same side of the others.
func (s *simulation) partition(sides int, on []*lan) {
	s.monitor.disturbNetwork()
	for id := range s.directors {
		side := s.random.IntN(sides)
		for _, n := range s.segments {
			n.side[id] = 0
			if slices.Contains(on, n) {
				n.side[id] = side
			}
		}
	}
	for _, n := range s.segments {
		s.tracef("segment %d: sides %v", n.number, n.side)
	}
}

// deafen makes one director deaf to another on a segment, or hear again.
func (s *simulation) deafen(n *lan) {
	s.monitor.disturbNetwork()
	from := s.random.IntN(len(s.directors))
	to := (from + 1 + s.random.IntN(len(s.directors)-1)) % len(s.directors)
	n.deaf[from][to] = !n.deaf[from][to]
	s.tracef("segment %d: d%d hears d%d: %v", n.number, to, from, !n.deaf[from][to])
}

// heal repairs the network.
func (s *simulation) heal() {
	s.setLoss(0, s.segments)
	s.partition(1, s.segments)
	for _, n := range s.segments {
		for _, row := range n.deaf {
			clear(row)
		}
	}
}

// start starts the instances. A cautious one is not master at once.
func (d *director) start(cautious bool) {
	d.tracef("d%d starts, cautious %v", d.id, cautious)
	d.monitor.disturb()
	d.wanted = true
	for _, p := range d.ports {
		own := d.parametersOf(p)
		own.InitialBackup = own.InitialBackup || cautious
		p.machine.Update(d.read(), own)
		if d.standby {
			d.do(p, func() []Action { return p.machine.Standby(d.read()) })
		}
	}
	d.review()
	d.after(d.parameters.StartupDelay, d.monitor.disturb)
}

// review starts what may run and gives up what may not. A director either
// gives all instances up when one has an obstacle, or leaves the others to the
// group.
func (d *director) review() {
	if !d.wanted || !d.acts() || d.heir {
		return
	}
	obstacle := func(p *port) bool { return p.down || p.fault }
	any := slices.ContainsFunc(d.ports, obstacle)
	for _, p := range d.ports {
		state := p.machine.State()
		switch {
		case p.down && state != Initialize:
			d.do(p, func() []Action { return p.machine.Halt(d.read(), ReasonInterfaceDown) })
		case (obstacle(p) || any && d.scenario.allAtOnce) && state != Initialize:
			d.do(p, func() []Action { return p.machine.Yield(d.read(), ReasonFault) })
		case !obstacle(p) && !(any && d.scenario.allAtOnce) && state == Initialize:
			d.do(p, func() []Action { return p.machine.Startup(d.read()) })
		}
	}
}

func (d *director) stop() {
	d.tracef("d%d shuts down", d.id)
	d.wanted = false
	for _, p := range d.ports {
		d.do(p, func() []Action { return p.machine.Shutdown(d.read()) })
	}
}

func (p *port) setDown(down bool) {
	d := p.director
	d.tracef("d%d.%d interface down: %v", d.id, p.segment.number, down)
	d.monitor.disturbNetwork()
	p.down = down
	d.review()
}

func (p *port) setFault(fault bool) {
	d := p.director
	d.tracef("d%d.%d tracked fault: %v", d.id, p.segment.number, fault)
	if !fault {
		d.monitor.disturb()
	}
	p.fault = fault
	d.review()
}

// weigh changes the priority of all instances.
func (d *director) weigh(weight int) {
	d.tracef("d%d tracked weight %d", d.id, weight)
	d.weight = weight
	d.update()
}

func (d *director) reload() {
	p := d.scenario.anyParameters(d.random)
	p.Version, p.Families, p.Preempt = d.parameters.Version, d.parameters.Families, d.parameters.Preempt
	d.tracef("d%d reloads: %+v", d.id, p)
	d.parameters = p
	d.update()
}

func (d *director) update() {
	d.monitor.disturbNetwork()
	for _, p := range d.ports {
		d.do(p, func() []Action { return p.machine.Update(d.read(), d.parametersOf(p)) })
	}
}

func (d *director) setStandby(p *port, standby bool) {
	d.tracef("d%d standby: %v", d.id, standby)
	d.standby = standby
	if standby {
		d.do(p, func() []Action { return p.machine.Standby(d.read()) })
		d.tally.Standbys++
	} else {
		d.monitor.disturb()
		if p.leaving != 0 {
			d.monitor.disturbNetwork() // what was said of it is on its way
		}
		d.do(p, func() []Action { return p.machine.Resume(d.read()) })
	}
}

// freeze stops the director's process for a while. The packets wait for it, or
// are lost.
func (d *director) freeze() {
	pause := d.upTo(8 * d.scenario.maxInterval())
	d.tracef("d%d stands still for %v", d.id, pause)
	d.monitor.disturb()
	d.frozen = true
	since := d.now
	d.after(pause, d.whileProcess(func() {
		if d.frozen && d.now-since == pause {
			d.thaw()
		}
	}))
}

func (d *director) thaw() {
	d.tracef("d%d goes on", d.id)
	d.monitor.disturbNetwork()
	backlog := d.backlog
	d.frozen, d.backlog, d.thawed = false, nil, d.now
	for _, p := range d.ports {
		if m := p.machine; m.Paused(d.read()) {
			d.tally.Stalls++
			d.do(p, func() []Action { return m.Stalled(d.read()) })
			if m.State() == Master {
				d.fail("d%d.%d is master after a pause", d.id, p.segment.number)
			}
		}
	}
	if d.random.IntN(2) == 0 {
		for _, packet := range backlog {
			packet()
		}
	}
	d.review()
	d.endHold()
	d.tidy()
}
