// SPDX-License-Identifier: Apache-2.0

package vrrp

import "time"

// Parameters configure a [Machine]. They are comparable. Values out of range
// are moved to the nearest legal one.
type Parameters struct {
	// Version is [Version3] unless it is [Version2].
	Version Version
	// VRID orders the members of a [SyncGroup]; a lone machine needs none.
	VRID uint8
	// Priority is 1 to 254, or [PriorityOwner] for the router whose interface
	// really has the virtual addresses.
	Priority uint8
	// AdvertInterval is the time between advertisements as master: in version 3
	// [MinInterval] to [MaxInterval] in units of [IntervalStep], in version 2
	// 1 to 255 whole seconds.
	AdvertInterval time.Duration
	// Preempt lets a backup take over from a master of lower priority. An owner
	// always does.
	Preempt bool
	// PreemptDelay turns Preempt off until a living master of lower priority was
	// heard for so long without a better one in between. An owner does not wait.
	PreemptDelay time.Duration
	// StartupDelay is how long the instance only listens after each Startup,
	// owner or not: it follows every master, and becomes none itself even where
	// there is none.
	StartupDelay time.Duration
	// InitialBackup makes an owner start as backup and wait for one master-down
	// interval, as others do.
	InitialBackup bool
	// VirtualMAC says that advertisements leave from the virtual MAC address.
	VirtualMAC bool
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
	if p.Version != Version2 {
		p.Version = Version3
	}
	p.Priority = max(p.Priority, 1)
	p.AdvertInterval = p.Version.legalInterval(p.AdvertInterval)
	p.PreemptDelay = max(p.PreemptDelay, 0)
	p.StartupDelay = max(p.StartupDelay, 0)
	return p
}

// listensFirst reports whether Startup leads to Backup.
func (p Parameters) listensFirst() bool {
	return p.Priority != PriorityOwner || p.InitialBackup || p.StartupDelay > 0
}

// learned is the interval that a backup times out by when the master advertises
// heard: in version 2 its own (RFC 3768 section 6.1).
func (p Parameters) learned(heard time.Duration) time.Duration {
	if p.Version == Version2 {
		return p.AdvertInterval
	}
	return legalInterval(heard)
}

// skewTime is how much longer than three intervals a backup of the given
// priority waits, so that the best one takes over first (RFC 9568 section 6.1;
// RFC 3768 section 6.1, where a second takes the place of the interval). It is
// never 0, and exact to the nanosecond.
func (v Version) skewTime(priority uint8, masterInterval time.Duration) time.Duration {
	if v == Version2 {
		masterInterval = time.Second
	}
	return time.Duration(256-int(priority)) * masterInterval / 256
}

// masterDownInterval is the silence after which a backup declares the master
// dead (RFC 9568 section 6.1, RFC 3768 section 6.1).
func (v Version) masterDownInterval(priority uint8, masterInterval time.Duration) time.Duration {
	return 3*masterInterval + v.skewTime(priority, masterInterval)
}

// EffectivePriority is the priority base with what tracked conditions add to it
// or take from it, within 1 to 254. That of an owner never changes.
func EffectivePriority(base uint8, contributions []int) uint8 {
	if base == PriorityOwner {
		return base
	}
	sum := int(base)
	for _, c := range contributions {
		sum += c
	}
	return uint8(min(max(sum, 1), 254))
}
