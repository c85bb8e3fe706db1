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

// handOver is the progress of a master's shutdown. The zero value means that
// none is under way.
type handOver struct {
	// bound is when the master stops waiting for a successor.
	bound time.Time
	// resignations still to be sent.
	resignations int
	// successor is the first peer heard after the last resignation; zero
	// before.
	successor netip.Addr
}

func (h handOver) active() bool { return !h.bound.IsZero() }

// beginHandOver resigns and goes on serving. No other advertisement is sent
// from here on, so that no backup is held back.
func (m *Machine) beginHandOver(now time.Time) []Action {
	m.handOver = handOver{
		bound:        now.Add(skewTime(1, m.own.AdvertInterval) + HandOverMargin),
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
// successor that stays answers the last resignation (section 6.4.3).
func (m *Machine) handOverHeard(now time.Time, a Advertisement, source netip.Addr) {
	h := &m.handOver
	if a.Priority == PriorityResign || h.resignations > 0 || h.successor.IsValid() {
		return
	}
	h.successor = source
	m.timer = now.Add(Linger)
}

// expireHandOver takes the next step of the hand-over.
func (m *Machine) expireHandOver(now time.Time) []Action {
	switch {
	case m.handOver.successor.IsValid():
		return m.initialize(now, ReasonHandedOver, m.handOver.successor)
	case m.handOver.resignations > 0:
		return m.resign(now)
	default:
		return m.initialize(now, ReasonHandOverBound, netip.Addr{})
	}
}
