// SPDX-License-Identifier: Apache-2.0

package config

import "time"

// Limits of the [vrrp.announce] table.
const (
	maxRounds         = 100
	minRoundInterval  = time.Millisecond
	maxRoundInterval  = 10 * time.Second
	minRefresh        = time.Second
	maxRefresh        = 24 * time.Hour
	minRate, maxRate  = 10, 100000 // frames per second
	defaultRounds     = 5
	defaultRate       = 5000
	defaultRoundDelay = 5 * time.Second
)

// announce reads the [vrrp.announce] table of an instance, which may be missing.
func (r *instanceReader) announce(t, instance *table) Announce {
	if t == nil {
		t = r.doc.open("[vrrp.announce]", nil, instance.place, instance)
	}
	a := Announce{
		Count:    t.integer("count", 1, maxRounds).or(defaultRounds),
		Interval: t.duration("interval", minRoundInterval, maxRoundInterval).or(25 * time.Millisecond),
		Delay:    t.duration("delay", 0, maxDelay).or(defaultRoundDelay),
		Rate:     t.integer("rate", minRate, maxRate).or(defaultRate),
	}
	refresh := t.duration("refresh", 0, maxRefresh)
	if refresh.ok && refresh.value > 0 && refresh.value < minRefresh {
		r.doc.errorf(refresh.at, `refresh is %s, expected at least %s, or "0s" for never`, show(refresh.value), show(minRefresh))
	}
	a.Refresh = refresh.value
	return a
}
