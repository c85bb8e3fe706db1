// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"time"
)

// Master_Down_Timer: what a backup waits for.

// follow takes source for the master.
func (m *Machine) follow(now time.Time, interval time.Duration, source netip.Addr) {
	m.master = source
	m.masterInterval = m.own.learned(interval)
	m.waitForMaster(now, false)
}

// waitForAny starts Master_Down_Timer without a master to follow.
func (m *Machine) waitForAny(now time.Time) {
	m.lowerSince = time.Time{}
	m.follow(now, m.own.AdvertInterval, netip.Addr{})
}

// waitForMaster starts Master_Down_Timer: for the skew time when the master
// has resigned, else for the master-down interval.
func (m *Machine) waitForMaster(now time.Time, resigned bool) {
	m.waitingSince = now
	m.preempted = netip.Addr{}
	m.resigned = resigned
	m.setMasterDownTimer()
}

// setMasterDownTimer sets the timer by the current parameters.
func (m *Machine) setMasterDownTimer() {
	switch {
	case m.standby:
		m.timer = time.Time{}
		return
	case m.resigned:
		m.timer = m.waitingSince.Add(m.own.Version.skewTime(m.own.Priority, m.masterInterval))
	default:
		m.timer = m.waitingSince.Add(m.own.Version.masterDownInterval(m.own.Priority, m.masterInterval))
	}
	m.timer = later(m.timer, m.listenUntil)
}
