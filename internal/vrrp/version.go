// SPDX-License-Identifier: Apache-2.0

package vrrp

import "time"

// Version is a version of the protocol. The zero value means [Version3].
type Version uint8

// The versions of the protocol.
const (
	// Version2 is RFC 3768: IPv4 only, intervals of whole seconds.
	Version2 Version = 2
	// Version3 is RFC 9568.
	Version3 Version = 3
)

// orDefault is the version that v stands for.
func (v Version) orDefault() Version {
	if v == 0 {
		return Version3
	}
	return v
}

// legalInterval is the interval that version v announces for d: in version 2
// 1 to 255 whole seconds (RFC 3768 section 5.3.7).
func (v Version) legalInterval(d time.Duration) time.Duration {
	if v == Version2 {
		return min(max(d, time.Second), 255*time.Second).Truncate(time.Second)
	}
	return legalInterval(d)
}
