// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// scenario is what a seed chooses before the simulation begins.
type scenario struct {
	parameters []Parameters // by director
	intervals  []time.Duration
	faults     int
	// calm: the network loses nothing and is never partitioned.
	calm bool
	// maxDelay of a packet, lateness of a timer.
	maxDelay, lateness time.Duration
}

func newScenario(r *rand.Rand) scenario {
	interval := pick(r, 10*time.Millisecond, 100*time.Millisecond, time.Second, 5*time.Second)
	sc := scenario{
		intervals: []time.Duration{interval},
		faults:    2 + r.IntN(8),
		calm:      r.IntN(2) == 0,
		maxDelay:  min(interval/10, 20*time.Millisecond),
		lateness:  min(interval/20, 10*time.Millisecond),
	}
	if r.IntN(4) == 0 {
		sc.intervals = []time.Duration{interval, 2 * interval, 4 * interval}
	}
	families := pick(r, Families{IPv4: true}, Families{IPv6: true}, Families{IPv4: true, IPv6: true})
	// All preempt, none does, or each as it likes.
	preempt := r.IntN(3)
	for range 2 + r.IntN(4) {
		p := sc.anyParameters(r)
		p.Families = families
		if preempt < 2 {
			p.Preempt = preempt == 1
		}
		sc.parameters = append(sc.parameters, p)
	}
	return sc
}

// anyParameters draws what a reload may change. Few priorities, so that equal
// ones are frequent.
func (sc scenario) anyParameters(r *rand.Rand) Parameters {
	return Parameters{
		Priority:       pick(r, 1, 100, 100, 100, 150, 254, PriorityOwner),
		AdvertInterval: pick(r, sc.intervals...),
		Preempt:        r.IntN(2) == 0,
	}
}

func (sc scenario) String() string {
	return fmt.Sprintf("calm %v, delay to %v, directors %+v", sc.calm, sc.maxDelay, sc.parameters)
}

func (sc scenario) maxInterval() time.Duration { return sc.intervals[len(sc.intervals)-1] }

// takeOverTime is when, after a master was last heard, some backup has surely
// taken over.
func (sc scenario) takeOverTime() time.Duration {
	return 4*sc.maxInterval() + sc.maxDelay + sc.lateness
}

// resolveTime is when, after two masters began to hear each other, one has
// surely stepped down.
func (sc scenario) resolveTime() time.Duration {
	return sc.maxInterval() + sc.lateness + 2*sc.maxDelay
}

// schedule puts the start of the directors and the faults into the queue, then
// leaves time to settle.
func (sc scenario) schedule(s *simulation) {
	for _, d := range s.directors {
		s.at(start.Add(s.upTo(4*sc.maxInterval())), func() { s.start(d) })
	}
	at := start.Add(6 * sc.maxInterval())
	for range sc.faults {
		s.at(at, s.fault)
		at = at.Add(s.upTo(12 * sc.maxInterval()))
	}
	s.at(at, func() {
		s.setLoss(0)
		if s.random.IntN(2) == 0 {
			s.partition(1)
		}
	})
	handOver := sc.maxInterval() + HandOverMargin + Linger
	s.end = at.Add(handOver + 3*sc.takeOverTime())
}

// fault does one random thing to the world.
func (s *simulation) fault() {
	s.tally.Faults++
	if !s.scenario.calm {
		switch s.random.IntN(8) {
		case 0, 1:
			s.setLoss(s.random.Float64() * 0.5)
			return
		case 2, 3:
			s.partition(1 + s.random.IntN(3))
			return
		case 4:
			s.setLoss(0)
			return
		}
	}
	d := s.directors[s.random.IntN(len(s.directors))]
	if d.machine.State() == Initialize {
		s.start(d)
		return
	}
	switch s.random.IntN(5) {
	case 0, 1:
		s.tracef("d%d shuts down", d.id)
		if !d.machine.HandingOver() {
			d.shutdown = s.now
		}
		d.perform(d.machine.Shutdown(s.now))
	case 2:
		s.tracef("d%d crashes", d.id)
		s.monitor.disturb()
		d.boot()
	case 3:
		s.tracef("d%d loses its interface", d.id)
		s.monitor.disturb()
		d.perform(d.machine.Halt(s.now, ReasonInterfaceDown))
	case 4:
		s.reload(d)
	}
}

func (s *simulation) start(d *director) {
	s.tracef("d%d starts", d.id)
	s.monitor.disturb()
	d.perform(d.machine.Startup(s.now))
}

func (s *simulation) reload(d *director) {
	p := s.scenario.anyParameters(s.random)
	p.Families, p.Preempt = d.parameters.Families, d.parameters.Preempt
	s.tracef("d%d reloads: %+v", d.id, p)
	s.monitor.disturbNetwork()
	d.parameters = p
	d.perform(d.machine.Update(s.now, p))
}

func (s *simulation) setLoss(loss float64) {
	s.tracef("loss is %.2f", loss)
	s.monitor.disturbNetwork()
	s.network.loss = loss
}

// partition puts each director on one of so many sides.
func (s *simulation) partition(sides int) {
	for id := range s.network.side {
		s.network.side[id] = s.random.IntN(sides)
	}
	s.tracef("partition: sides %v", s.network.side)
	s.monitor.disturbNetwork()
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
