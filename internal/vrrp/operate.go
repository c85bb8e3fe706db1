// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"time"
)

// The events from outside the RFC's machine, and its shutdown.

// Shutdown stops the instance. A backup goes to Initialize at once. A master
// makes before it breaks: it resigns, stays Master while it hands over, and
// goes to Initialize when a peer has taken over or a bound has passed.
func (m *Machine) Shutdown(now time.Time) []Action {
	return m.leave(now, handOverToStop, ReasonShutdown)
}

// Yield gives the role up as Shutdown does, for a reason that will pass:
// something that the instance depends on fails, while its own wire works.
// Startup starts it again.
func (m *Machine) Yield(now time.Time, r Reason) []Action {
	return m.leave(now, handOverToYield, r)
}

func (m *Machine) leave(now time.Time, p purpose, r Reason) []Action {
	if m.state == Master {
		return m.handOverFor(now, p, r)
	}
	return m.Halt(now, r)
}

// Halt stops the instance at once and sends nothing: there is no working
// interface to send on. Startup starts it again.
func (m *Machine) Halt(now time.Time, r Reason) []Action {
	if m.state == Initialize {
		return nil
	}
	m.standby = m.standby || m.handOver.purpose == handOverToStandby
	m.handOver = handOver{}
	m.timer = time.Time{}
	return []Action{m.transition(now, Initialize, r, netip.Addr{})}
}

// Standby takes the instance out of the election until Resume. A backup, or an
// instance that does not run, is in standby at once: it follows the masters it
// hears and never takes over. A master hands over first; where nobody takes
// over in time it remains master, out of standby, and says so with
// [StandbyRefused].
//
// Standby outlasts Update, Halt, Shutdown and Yield. One of these that ends the
// hand-over to standby leaves the instance in standby.
func (m *Machine) Standby(now time.Time) []Action {
	switch {
	case m.leads():
		return m.handOverFor(now, handOverToStandby, ReasonStandby)
	case m.handOver.purpose == handOverToStandby:
	default:
		m.standby = true
		if m.state == Backup {
			m.setMasterDownTimer()
		}
	}
	return nil
}

// Resume ends standby: a backup waits for a full master-down interval. A
// hand-over to standby is called off where nobody has taken over yet.
func (m *Machine) Resume(now time.Time) []Action {
	switch {
	case m.handOver.purpose == handOverToStandby && m.taken():
		m.handOver.purpose = handOverToGroup
	case m.handOver.purpose == handOverToStandby:
		return m.stay(now)
	case m.InStandby() && m.state == Backup:
		m.standby = false
		m.waitForMaster(now, false)
	default:
		m.standby = false
	}
	return nil
}

// Paused reports whether this machine, of which nothing was heard since the
// time of Next, stood still for so long that others may have taken its part:
// then Stalled is to be called, before anything else.
//
// For a master that is when the master-down interval of its peers has passed
// since its last advertisement was due: three of our intervals and the skew
// time of the highest priority, 254, so the earliest that a peer may have taken
// over. For a backup it is one interval of the master after its timer should
// have fired: it cannot say that it has listened all the time.
func (m *Machine) Paused(now time.Time) bool {
	next, ok := m.Next()
	if !ok {
		return false
	}
	if m.state == Backup {
		return now.Sub(next) > m.masterInterval
	}
	return now.Sub(next) > m.own.Version.masterDownInterval(254, m.own.AdvertInterval)-m.own.AdvertInterval
}

// Stalled says that this machine stood still for longer than its peers wait
// (see Paused). A master is a backup at once and sends nothing; a backup waits
// for a full master-down interval again; a hand-over ends as if a successor had
// been heard.
func (m *Machine) Stalled(now time.Time) []Action {
	switch {
	case m.HandingOver():
		return m.endHandOver(now, ReasonStalled)
	case m.state == Master:
		return m.retreat(now, ReasonStalled, netip.Addr{})
	case m.state == Backup:
		m.waitForMaster(now, false)
	}
	return nil
}

// Adopt makes a machine that was never started master, without an action, since
// nothing changes: the survivor of two processes takes the place of the dead
// one, to hand its role over with Yield. silent is for how long at least nothing
// was sent: after long enough, peers have taken over already, and nothing is
// left to be waited for once one is heard. It does nothing in a state other than
// Initialize.
func (m *Machine) Adopt(now time.Time, silent time.Duration) {
	if m.state != Initialize {
		return
	}
	m.overdue = silent >= m.own.Version.masterDownInterval(1, m.own.AdvertInterval)+Linger
	m.timer = now.Add(m.own.AdvertInterval)
	m.state, m.since = Master, now
}

// Update takes new parameters. It changes no state by itself: a backup's timer
// is computed anew and runs on from where it was started, a master tells its
// peers at once, and a hand-over goes on as it began. A startup delay that runs
// is kept.
func (m *Machine) Update(now time.Time, p Parameters) []Action {
	before := m.own
	m.own = p.legal()
	switch {
	case m.state == Initialize, m.HandingOver():
		return nil
	case m.state == Backup:
		if !m.master.IsValid() || m.own.Version == Version2 {
			m.masterInterval = m.own.AdvertInterval
		}
		m.setMasterDownTimer()
		return nil
	case before.Priority == m.own.Priority && before.AdvertInterval == m.own.AdvertInterval:
		return nil
	default:
		m.timer = now.Add(m.own.AdvertInterval)
		return []Action{m.advert(m.own.Priority)}
	}
}

// retreat leaves the role without knowing who has it now.
func (m *Machine) retreat(now time.Time, r Reason, peer netip.Addr) []Action {
	m.waitForAny(now)
	return []Action{m.transition(now, Backup, r, peer)}
}
