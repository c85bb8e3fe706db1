// SPDX-License-Identifier: Apache-2.0

package vrrp

import "time"

// Parameters configure a [Machine]. They are comparable. Values out of range
// are moved to the nearest legal one.
type Parameters struct {
	// Priority is 1 to 254, or [PriorityOwner] for the router whose interface
	// really has the virtual addresses.
	Priority uint8
	// AdvertInterval is the time between advertisements as master:
	// [MinInterval] to [MaxInterval] in units of [IntervalStep].
	AdvertInterval time.Duration
	// Preempt lets a backup take over from a master of lower priority. An owner
	// always does.
	Preempt bool
	// Families are those the instance has virtual addresses in.
	Families Families
}

// Families is a set of address families.
type Families struct {
	IPv4, IPv6 bool
}

// Has reports whether f is in the set.
func (s Families) Has(f Family) bool {
	return f == IPv4 && s.IPv4 || f == IPv6 && s.IPv6
}

// decider is the family whose source addresses decide between equal
// priorities. Were they compared in both families, each of two masters could
// lose in one, and both step down.
func (s Families) decider() Family {
	if s.IPv4 {
		return IPv4
	}
	return IPv6
}

// legal returns p with each value in its range.
func (p Parameters) legal() Parameters {
	p.Priority = max(p.Priority, 1)
	p.AdvertInterval = legalInterval(p.AdvertInterval)
	return p
}

// skewTime is how much longer than three intervals a backup of the given
// priority waits, so that the best one takes over first (RFC 9568 section 6.1).
// It is never 0, and exact to the nanosecond.
func skewTime(priority uint8, masterInterval time.Duration) time.Duration {
	return time.Duration(256-int(priority)) * masterInterval / 256
}

// masterDownInterval is the silence after which a backup declares the master
// dead (RFC 9568 section 6.1).
func masterDownInterval(priority uint8, masterInterval time.Duration) time.Duration {
	return 3*masterInterval + skewTime(priority, masterInterval)
}
