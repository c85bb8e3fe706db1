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
	segments   int // 2: all instances of a director are one sync group
	faults     int
	// calm: the network is always whole.
	calm bool
	// crossed: who is better on one segment is worse on the other.
	crossed bool
	// allAtOnce: an obstacle to one instance is one to all of the director.
	allAtOnce bool
	// maxDelay of a packet, lateness of a timer.
	maxDelay, lateness time.Duration
	// delay is the longest of the delays of startup and preemption.
	delay time.Duration
	auth  authScenario
}

func newScenario(r *rand.Rand) scenario {
	interval := pick(r, 10*time.Millisecond, 100*time.Millisecond, time.Second, 5*time.Second)
	families := pick(r, Families{IPv4: true}, Families{IPv6: true}, Families{IPv4: true, IPv6: true})
	version := Version3
	if r.IntN(5) == 0 {
		version, families = Version2, Families{IPv4: true}
		interval = pick(r, time.Second, 5*time.Second)
	}
	sc := scenario{
		intervals: []time.Duration{interval},
		segments:  1 + r.IntN(2),
		faults:    2 + r.IntN(8),
		calm:      r.IntN(2) == 0,
		allAtOnce: r.IntN(2) == 0,
		maxDelay:  min(interval/10, 20*time.Millisecond),
		lateness:  min(interval/20, 10*time.Millisecond),
	}
	sc.crossed = sc.segments == 2 && r.IntN(8) == 0
	if version == Version3 && r.IntN(4) == 0 {
		sc.intervals = []time.Duration{interval, 2 * interval, 4 * interval}
	}
	if r.IntN(4) == 0 {
		sc.delay = 5 * interval
	}
	sc.auth = newAuthScenario(r)
	// All preempt, none does, or each as it likes.
	preempt := r.IntN(3)
	for range pick(r, 2, 2, 3, 4) {
		p := sc.anyParameters(r)
		p.Version, p.Families = version, families
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
		PreemptDelay:   pick(r, 0, sc.delay),
		StartupDelay:   pick(r, 0, sc.delay),
		InitialBackup:  r.IntN(2) == 0,
	}
}

func (sc scenario) String() string {
	return fmt.Sprintf("segments %d, calm %v, crossed %v, all at once %v, delay to %v, authentication %+v, directors %+v",
		sc.segments, sc.calm, sc.crossed, sc.allAtOnce, sc.maxDelay, sc.auth, sc.parameters)
}

func (sc scenario) maxInterval() time.Duration { return sc.intervals[len(sc.intervals)-1] }

// takeOverTime is when, after a master was last heard, some backup has surely
// taken over.
func (sc scenario) takeOverTime() time.Duration {
	return 4*sc.maxInterval() + sc.maxDelay + sc.lateness
}

// resolveTime is when, after two masters began to hear each other, one has
// surely stepped down: on a segment that does not decide after the second
// advertisement of the last one.
func (sc scenario) resolveTime() time.Duration {
	resolve := sc.maxInterval() + sc.lateness + 2*sc.maxDelay
	if sc.segments > 1 {
		resolve += 2*sc.maxInterval() + resignations*resignSpacing
	}
	return resolve
}

// handOverTime is when a hand-over has surely ended.
func (sc scenario) handOverTime() time.Duration {
	return max(sc.maxInterval(), time.Second) + HandOverMargin + Linger
}

// settleTime is when, after the last fault, nothing moves any more.
func (sc scenario) settleTime() time.Duration {
	return sc.handOverTime() + sc.delay + 2*sc.takeOverTime() + sc.resolveTime()
}

// schedule puts the start of the directors and the faults into the queue, then
// leaves time to settle.
func (sc scenario) schedule(s *simulation) {
	for _, d := range s.directors {
		s.at(s.upTo(4*sc.maxInterval()), func() {
			if !d.wanted {
				d.start(false)
			}
		})
	}
	at := 6 * sc.maxInterval()
	for range sc.faults {
		s.at(at, s.fault)
		at += s.upTo(12 * sc.maxInterval())
	}
	s.at(at, s.calmDown)
	if sc.auth.used() {
		s.at(0, s.attack)
		s.at(4*sc.maxInterval(), s.rotate)
	}
	// A speaker that was killed last is not back before.
	s.rest = sc.noticeTime() + sc.handOverTime() + sc.maxInterval() + sc.settleTime() + 6*sc.maxInterval()
	s.end = at + s.rest
}

// calmDown ends all faults except for what may last: a partition, a direction in
// which nothing is heard, and clocks that are wrong.
func (s *simulation) calmDown() {
	s.tracef("no more faults")
	s.heal()
	for _, d := range s.directors {
		if d.frozen {
			d.thaw()
		}
		d.directorComes()
		if !s.scenario.auth.used() || s.scenario.auth.replay == ReplayTime && s.random.IntN(4) > 0 {
			d.leap(0)
		}
		for _, p := range d.ports {
			if p.down {
				p.setDown(false)
			}
			if p.fault {
				p.setFault(false)
			}
		}
	}
	if s.scenario.calm {
		return
	}
	n := s.segments[s.random.IntN(len(s.segments))]
	switch s.random.IntN(4) {
	case 0:
		s.partition(2, s.segments)
	case 1:
		s.partition(2, []*lan{n})
	case 2:
		s.deafen(n)
	}
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
