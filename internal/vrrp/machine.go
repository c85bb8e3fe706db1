// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"time"
)

// Machine is the state machine of one instance (RFC 9568 section 6.4).
//
// An instance may hold both families: it is one election with advertisements on
// both wires, and hearing either keeps a backup a backup. Between equal
// priorities only the source addresses of one family decide: IPv4 when the
// instance has it, else IPv6. An advertisement of equal priority in the other
// family neither wins nor loses.
//
// The caller performs the returned actions in order, and calls Expire when the
// time of Next has come. There is one timer, and calls to Expire that come
// before its time do nothing, so that the event of a replaced timer can never
// fire. Machine is pure and not safe for concurrent use.
type Machine struct {
	own   Parameters
	local map[Family]netip.Addr

	state State
	since time.Time

	// timer is Master_Down_Timer as backup, Adver_Timer as master, and the next
	// step while handing over. Zero: not running.
	timer time.Time

	// masterInterval is Master_Adver_Interval: learned from the master once one
	// was heard, until then our own.
	masterInterval time.Duration
	// master is the source of the last advertisement we followed, zero before.
	master netip.Addr
	// resigned says that Master_Down_Timer runs for the skew time only.
	resigned bool
	// waitingSince is when Master_Down_Timer was started.
	waitingSince time.Time

	handOver handOver
}

// NewMachine returns a machine in Initialize.
func NewMachine(p Parameters) *Machine {
	return &Machine{own: p.legal(), local: make(map[Family]netip.Addr, 2)}
}

// State returns the current state. A master that hands over is still Master.
func (m *Machine) State() State { return m.state }

// HandingOver reports whether the machine is a master that was shut down and
// waits for a peer to take over.
func (m *Machine) HandingOver() bool { return m.handOver.active() }

// Since returns the time of the last transition; zero before the first.
func (m *Machine) Since() time.Time { return m.since }

// Next returns when Expire must be called; false when no timer runs.
func (m *Machine) Next() (time.Time, bool) { return m.timer, !m.timer.IsZero() }

// SetLocal tells the machine the address that advertisements of family f are
// sent from. Without one, any router of equal priority wins.
func (m *Machine) SetLocal(f Family, a netip.Addr) {
	m.local[f] = a.WithZone("")
}

// Startup starts the instance (RFC 9568 section 6.4.1). It does nothing in a
// state other than Initialize.
func (m *Machine) Startup(now time.Time) []Action {
	if m.state != Initialize {
		return nil
	}
	if m.own.Priority == PriorityOwner {
		return m.becomeMaster(now, ReasonOwner, netip.Addr{})
	}
	m.masterInterval = m.own.AdvertInterval
	m.master = netip.Addr{}
	m.waitForMaster(now, false)
	return []Action{m.transition(now, Backup, ReasonStartup, netip.Addr{})}
}

// Receive takes an advertisement that passed the checks of [Group.Receive] on
// the wire of family f. It has no effect in Initialize.
func (m *Machine) Receive(now time.Time, f Family, a Advertisement, source netip.Addr) []Action {
	if !m.own.Families.Has(f) {
		return nil
	}
	switch {
	case m.state == Initialize:
		return nil
	case m.HandingOver():
		m.handOverHeard(now, a, source)
		return nil
	}

	var actions []Action
	if m.own.Priority == PriorityOwner && a.Priority == PriorityOwner {
		actions = append(actions, Conflict{Reason: ReasonSecondOwner, Peer: source})
	}
	if m.state == Backup {
		m.receiveAsBackup(now, a, source)
		return actions
	}
	return append(actions, m.receiveAsMaster(now, f, a, source)...)
}

// Expire tells the machine the time. It does nothing before the time of Next.
func (m *Machine) Expire(now time.Time) []Action {
	switch {
	case m.timer.IsZero() || now.Before(m.timer):
		return nil
	case m.HandingOver():
		return m.expireHandOver(now)
	case m.state == Backup:
		reason := ReasonMasterDown
		if m.resigned {
			reason = ReasonPeerResigned
		}
		return m.becomeMaster(now, reason, m.master)
	default:
		return m.advertise(now)
	}
}

// Section 6.4.2, Backup.

// receiveAsBackup follows the master or lets Master_Down_Timer run on. It never
// leaves Backup.
func (m *Machine) receiveAsBackup(now time.Time, a Advertisement, source netip.Addr) {
	preempt := m.own.Preempt || m.own.Priority == PriorityOwner
	switch {
	case a.Priority == PriorityResign:
		m.master = source
		m.waitForMaster(now, true)
	case !preempt || a.Priority >= m.own.Priority:
		m.follow(now, a, source)
	}
}

// follow takes the sender of a for the master.
func (m *Machine) follow(now time.Time, a Advertisement, source netip.Addr) {
	m.master = source
	m.masterInterval = legalInterval(a.MaxAdvertInterval)
	m.waitForMaster(now, false)
}

// waitForMaster starts Master_Down_Timer: for the skew time when the master
// has resigned, else for the master-down interval.
func (m *Machine) waitForMaster(now time.Time, resigned bool) {
	m.waitingSince = now
	m.resigned = resigned
	m.timer = m.masterDownTime()
}

// masterDownTime is when Master_Down_Timer ends by the current parameters.
func (m *Machine) masterDownTime() time.Time {
	if m.resigned {
		return m.waitingSince.Add(skewTime(m.own.Priority, m.masterInterval))
	}
	return m.waitingSince.Add(masterDownInterval(m.own.Priority, m.masterInterval))
}

// becomeMaster advertises before it reports the transition: peers should hear
// it before any work on addresses begins.
func (m *Machine) becomeMaster(now time.Time, r Reason, peer netip.Addr) []Action {
	m.timer = now.Add(m.own.AdvertInterval)
	return []Action{m.advert(m.own.Priority), m.transition(now, Master, r, peer)}
}

// Section 6.4.3, Master.

// receiveAsMaster resolves the meeting of two masters.
func (m *Machine) receiveAsMaster(now time.Time, f Family, a Advertisement, source netip.Addr) []Action {
	switch {
	case a.Priority == PriorityResign:
		m.timer = now.Add(m.own.AdvertInterval)
		return []Action{m.advert(m.own.Priority)}
	case a.Priority > m.own.Priority:
		return m.stepDown(now, a, ReasonHigherPriority, source)
	case a.Priority < m.own.Priority:
		return m.assert(source)
	case f != m.own.Families.decider():
		return nil
	}

	switch order := source.WithZone("").Compare(m.local[f]); {
	case order > 0:
		return m.stepDown(now, a, ReasonHigherAddress, source)
	case order < 0:
		return m.assert(source)
	default:
		return []Action{Conflict{Reason: ReasonSameAddress, Peer: source}}
	}
}

// stepDown leaves the role to the sender of a.
func (m *Machine) stepDown(now time.Time, a Advertisement, r Reason, source netip.Addr) []Action {
	m.follow(now, a, source)
	return []Action{m.transition(now, Backup, r, source)}
}

// assert answers a master that loses against us. Adver_Timer runs on.
func (m *Machine) assert(loser netip.Addr) []Action {
	return []Action{m.advert(m.own.Priority), Reannounce{Peer: loser}}
}

// advertise is the event of Adver_Timer. The timer is restarted from the time
// it should have fired, so that lateness does not add up; after a pause of an
// interval or more it is restarted from now.
func (m *Machine) advertise(now time.Time) []Action {
	m.timer = m.timer.Add(m.own.AdvertInterval)
	if !m.timer.After(now) {
		m.timer = now.Add(m.own.AdvertInterval)
	}
	return []Action{m.advert(m.own.Priority)}
}

// Events from outside the RFC's machine, and its shutdown.

// Shutdown stops the instance. A backup goes to Initialize at once. A master
// makes before it breaks: it resigns, stays Master while it hands over, and
// goes to Initialize when a peer has taken over or a bound has passed.
func (m *Machine) Shutdown(now time.Time) []Action {
	switch {
	case m.HandingOver():
		return nil
	case m.state == Master:
		return m.beginHandOver(now)
	default:
		return m.initialize(now, ReasonShutdown, netip.Addr{})
	}
}

// Halt stops the instance at once and sends nothing: there is no working
// interface to send on. Startup starts it again.
func (m *Machine) Halt(now time.Time, r Reason) []Action {
	return m.initialize(now, r, netip.Addr{})
}

// Update takes new parameters. It changes no state by itself: a backup's timer
// is computed anew and runs on from where it was started, a master tells its
// peers at once, and a hand-over goes on as it began.
func (m *Machine) Update(now time.Time, p Parameters) []Action {
	before := m.own
	m.own = p.legal()
	switch {
	case m.state == Initialize, m.HandingOver():
		return nil
	case m.state == Backup:
		if !m.master.IsValid() {
			m.masterInterval = m.own.AdvertInterval
		}
		m.timer = m.masterDownTime()
		return nil
	case before.Priority == m.own.Priority && before.AdvertInterval == m.own.AdvertInterval:
		return nil
	default:
		m.timer = now.Add(m.own.AdvertInterval)
		return []Action{m.advert(m.own.Priority)}
	}
}

// initialize goes to Initialize, if not there already.
func (m *Machine) initialize(now time.Time, r Reason, peer netip.Addr) []Action {
	if m.state == Initialize {
		return nil
	}
	m.timer = time.Time{}
	m.handOver = handOver{}
	return []Action{m.transition(now, Initialize, r, peer)}
}

func (m *Machine) transition(now time.Time, to State, r Reason, peer netip.Addr) Transition {
	from := m.state
	m.state = to
	m.since = now
	return Transition{From: from, To: to, Reason: r, Peer: peer}
}

func (m *Machine) advert(priority uint8) SendAdvert {
	return SendAdvert{Priority: priority, Interval: m.own.AdvertInterval}
}
