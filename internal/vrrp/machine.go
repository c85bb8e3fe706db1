// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"time"
)

// Machine is the state machine of one instance (RFC 9568 section 6.4, RFC 3768
// section 6.4).
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
// fire. A machine in a [SyncGroup] is told everything through [SyncGroup.Do].
// Machine is pure and not safe for concurrent use.
type Machine struct {
	own   Parameters
	local map[Family]netip.Addr
	group *SyncGroup // nil: alone

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
	// resignedAt is when the last resignation was heard.
	resignedAt time.Time
	// listenUntil is the end of the startup delay.
	listenUntil time.Time
	// lowerSince is when the first of an unbroken row of advertisements of
	// lower priority was heard; zero: none was.
	lowerSince time.Time
	// preempted is the source of the last advertisement that we did not follow
	// while Master_Down_Timer ran; zero: there was none.
	preempted netip.Addr
	// standby: Master_Down_Timer does not run.
	standby bool
	// overdue: peers that can take over have done so before our hand-over.
	overdue bool

	handOver handOver
	rivals   [2]rival // over IPv4 and IPv6
}

// NewMachine returns a machine in Initialize.
func NewMachine(p Parameters) *Machine {
	return &Machine{own: p.legal(), local: make(map[Family]netip.Addr, 2)}
}

// State returns the current state. A master that hands over is still Master.
func (m *Machine) State() State { return m.state }

// HandingOver reports whether the machine is a master that gives its role up
// and waits for a peer to take over.
func (m *Machine) HandingOver() bool { return m.handOver.purpose != noHandOver }

// InStandby reports whether the machine is in standby: it never becomes master.
// One that still hands over is not.
func (m *Machine) InStandby() bool { return m.standby && !m.HandingOver() }

// Since returns the time of the last transition; zero before the first.
func (m *Machine) Since() time.Time { return m.since }

// Next returns when Expire must be called; false when no timer runs.
func (m *Machine) Next() (time.Time, bool) {
	if m.timer.IsZero() {
		return time.Time{}, false
	}
	if m.state == Backup {
		return m.group.takeOverTime(m)
	}
	return m.timer, true
}

// SetLocal tells the machine the address that advertisements of family f are
// sent from. Without one, any router of equal priority wins.
func (m *Machine) SetLocal(f Family, a netip.Addr) {
	m.local[f] = a.WithZone("")
}

// ran reports whether the machine was ever started.
func (m *Machine) ran() bool { return !m.since.IsZero() }

// leads reports whether the machine is a master that means to stay.
func (m *Machine) leads() bool { return m.state == Master && !m.HandingOver() }

// Startup starts the instance (RFC 9568 section 6.4.1). It does nothing in a
// state other than Initialize.
func (m *Machine) Startup(now time.Time) []Action {
	if m.state != Initialize {
		return nil
	}
	owner, other := ReasonOwner, ReasonStartup
	if m.ran() {
		owner, other = ReasonRecovered, ReasonRecovered
	}
	if !m.own.listensFirst() && !m.standby && !m.group.blocks(m) {
		return m.becomeMaster(now, owner, netip.Addr{})
	}
	m.listenUntil = now.Add(m.own.StartupDelay)
	m.waitForAny(now)
	return []Action{m.transition(now, Backup, other, netip.Addr{})}
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
	next, ok := m.Next()
	switch {
	case !ok || now.Before(next):
		return nil
	case m.HandingOver():
		return m.expireHandOver(now)
	case m.state == Backup:
		reason, peer := ReasonMasterDown, m.master
		switch {
		case m.preempted.IsValid():
			reason, peer = ReasonPreempts, m.preempted
		case m.resigned:
			reason = ReasonPeerResigned
		}
		return m.becomeMaster(now, reason, peer)
	default:
		return m.advertise(now)
	}
}

// Section 6.4.2, Backup.

// receiveAsBackup follows the master or lets Master_Down_Timer run on. It never
// leaves Backup.
func (m *Machine) receiveAsBackup(now time.Time, a Advertisement, source netip.Addr) {
	switch {
	case a.Priority == PriorityResign:
		m.master = source
		m.resignedAt = now
		m.lowerSince = time.Time{}
		m.waitForMaster(now, true)
	case m.preempts(now, a.Priority):
		m.preempted = source
	default:
		m.follow(now, a.MaxAdvertInterval, source)
	}
}

// preempts reports whether a living master of the given priority is not to be
// followed.
func (m *Machine) preempts(now time.Time, priority uint8) bool {
	if priority >= m.own.Priority {
		m.lowerSince = time.Time{}
		return false
	}
	if m.lowerSince.IsZero() {
		m.lowerSince = now
	}
	switch {
	case m.standby || now.Before(m.listenUntil):
		return false
	case m.own.Priority == PriorityOwner:
		return true
	default:
		return m.own.Preempt && now.Sub(m.lowerSince) >= m.own.PreemptDelay
	}
}

// becomeMaster advertises before it reports the transition: peers should hear
// it before any work on addresses begins.
func (m *Machine) becomeMaster(now time.Time, r Reason, peer netip.Addr) []Action {
	m.timer = now.Add(m.own.AdvertInterval)
	m.rivals = [2]rival{}
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

// stepDown leaves the role to the sender of a, with a last advertisement.
//
// RFC 9568 section 6.4.3 sends none, which is enough with the virtual MAC
// address: hosts know no other, and the advertisement that we heard has taught
// bridges its new port, as one of ours would teach them the wrong one. Without
// it hosts keep the MAC address of who announced last. Where two masters meet
// and we hear the better one first, that one would never learn of us, nor
// announce again; our last advertisement makes it (see assert), with all of its
// sync group. Whoever else hears it follows us, if at all, for as long as the
// better one takes to answer.
func (m *Machine) stepDown(now time.Time, a Advertisement, r Reason, source netip.Addr) []Action {
	if !m.group.decides(m) && !m.insists(now, a, source) {
		return nil
	}
	var actions []Action
	if !m.group.onVirtualMAC(m) {
		actions = append(actions, m.advert(m.own.Priority))
	}
	m.lowerSince = time.Time{}
	m.follow(now, a.MaxAdvertInterval, source)
	return append(actions, m.transition(now, Backup, r, source))
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

func (m *Machine) transition(now time.Time, to State, r Reason, peer netip.Addr) Transition {
	from := m.state
	m.state = to
	m.since = now
	return Transition{From: from, To: to, Reason: r, Peer: peer}
}

func (m *Machine) advert(priority uint8) SendAdvert {
	return SendAdvert{Priority: priority, Interval: m.own.AdvertInterval}
}
