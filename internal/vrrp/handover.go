// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"time"
)

const (
	// Linger is how long a master that hands over stays master after it heard
	// its successor, so that the successor's gratuitous ARP reaches the segment
	// before the addresses go.
	Linger = 100 * time.Millisecond
	// HandOverMargin is added to the longest skew time of a backup to bound the
	// wait for a successor: time to be scheduled, to send and to be heard.
	HandOverMargin = 500 * time.Millisecond

	// A resignation that is lost costs the master-down interval, so it is sent
	// three times. Each one restarts the skew time of the backups, hence the
	// short spacing. Whoever is master already answers each one.
	resignations  = 3
	resignSpacing = 20 * time.Millisecond
)

// purpose is what a hand-over is for, and so how it ends. Of two that meet the
// later one in this list counts.
type purpose uint8

const (
	noHandOver purpose = iota
	// handOverToGroup ends in Backup: the sync group cannot lead.
	handOverToGroup
	// handOverToStandby ends in Backup, in standby; or not at all.
	handOverToStandby
	// handOverToYield and handOverToStop end in Initialize.
	handOverToYield
	handOverToStop
)

// handOver is the progress of a master that gives its role up. The zero value
// means that none is under way.
type handOver struct {
	purpose purpose
	// reason of the transition at the end.
	reason Reason
	// bound is when the master stops waiting for a successor.
	bound time.Time
	// resignations still to be sent.
	resignations int
	// successor is the first peer heard after the last resignation; zero
	// before.
	successor netip.Addr
	// interval is the successor's.
	interval time.Duration
}

// handOverFor resigns and goes on serving. No other advertisement is sent from
// here on, so that no backup is held back. A hand-over that is under way takes
// the new purpose, if that counts more, and goes on.
func (m *Machine) handOverFor(now time.Time, p purpose, r Reason) []Action {
	h := &m.handOver
	switch {
	case p <= h.purpose:
		return nil
	case m.HandingOver():
		m.standby = m.standby || h.purpose == handOverToStandby
		h.purpose, h.reason = p, r
		return nil
	}
	*h = handOver{
		purpose:      p,
		reason:       r,
		bound:        now.Add(m.own.Version.skewTime(1, m.own.AdvertInterval) + HandOverMargin),
		resignations: resignations,
	}
	return m.resign(now)
}

// resign sends one resignation and sets the timer to the next step.
func (m *Machine) resign(now time.Time) []Action {
	m.handOver.resignations--
	m.timer = m.handOver.bound
	if m.handOver.resignations > 0 {
		m.timer = now.Add(resignSpacing)
	}
	return []Action{m.advert(PriorityResign)}
}

// handOverHeard takes the first peer that advertises itself after the last
// resignation for the successor. One heard before that may have sent before it
// heard of the hand-over, and step down in favour of our last advertisement; a
// successor that stays answers the last resignation (section 6.4.3). Where the
// hand-over is overdue, whoever is heard has been master for a while.
func (m *Machine) handOverHeard(now time.Time, a Advertisement, source netip.Addr) {
	h := &m.handOver
	if a.Priority == PriorityResign || h.resignations > 0 && !m.overdue || h.successor.IsValid() {
		return
	}
	h.successor = source
	h.interval = a.MaxAdvertInterval
	m.timer = now.Add(Linger)
	if m.overdue {
		h.resignations = 0
		m.timer = now
	}
}

// expireHandOver takes the next step of the hand-over.
func (m *Machine) expireHandOver(now time.Time) []Action {
	h := m.handOver
	switch {
	case h.resignations > 0:
		return m.resign(now)
	case h.purpose == handOverToStandby && !m.taken():
		return m.refuseStandby(now)
	case h.purpose != handOverToStop:
		return m.endHandOver(now, h.reason)
	case h.successor.IsValid():
		return m.endHandOver(now, ReasonHandedOver)
	default:
		return m.endHandOver(now, ReasonHandOverBound)
	}
}

// taken reports whether the role of this machine or of a member of its group,
// which moves as one at the peers too, was taken over.
func (m *Machine) taken() bool {
	return m.handOver.successor.IsValid() || m.group.taken()
}

// endHandOver leaves the role in the way that the hand-over was for.
func (m *Machine) endHandOver(now time.Time, r Reason) []Action {
	h := m.handOver
	m.handOver = handOver{}
	if h.purpose >= handOverToYield {
		m.timer = time.Time{}
		return []Action{m.transition(now, Initialize, r, h.successor)}
	}
	m.standby = m.standby || h.purpose == handOverToStandby
	actions := m.retreat(now, r, h.successor)
	if h.successor.IsValid() {
		m.follow(now, h.interval, h.successor)
	}
	return actions
}

// stay calls the hand-over off and goes on as master.
func (m *Machine) stay(now time.Time) []Action {
	m.handOver = handOver{}
	m.timer = now.Add(m.own.AdvertInterval)
	return []Action{m.advert(m.own.Priority)}
}

// refuseStandby goes on as master since nobody has taken over.
func (m *Machine) refuseStandby(now time.Time) []Action {
	return append(m.stay(now), StandbyRefused{Reason: ReasonNoSuccessor})
}

// extendHandOver moves the bound of a hand-over to a later time.
func (m *Machine) extendHandOver(bound time.Time) {
	m.handOver.bound = bound
	if m.handOver.resignations == 0 && !m.handOver.successor.IsValid() {
		m.timer = bound
	}
}
