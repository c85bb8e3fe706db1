// SPDX-License-Identifier: Apache-2.0

// Package vrrp implements the Virtual Router Redundancy Protocol version 3
// (RFC 9568) for IPv4 and IPv6 and version 2 (RFC 3768), over multicast and
// unicast, with or without the authentication of draft-cassen-vrrp-auth-hmac.
//
// It is built in three layers, in the order a packet meets them:
//
//   - [Conn] is the sockets of one address family on one interface;
//   - [Group] is one virtual router on that wire: the codec, the receive checks
//     and their counters;
//   - [Machine] is the election of one instance, which may span two groups.
//
// Group and Machine are pure: time is an argument, effects are returned as
// values, and neither is safe for concurrent use.
//
// RFC 9568 says Active where older texts say Master. This package keeps the
// word of the MIB, the YANG model and the operators.
package vrrp

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Protocol is the IP protocol number of VRRP (RFC 9568 section 5.1.1.4).
const Protocol = 112

// TTL is the TTL or hop limit of advertisements: whoever sees a lower one knows
// that a router has forwarded the packet (RFC 9568 sections 5.1.1.3 and
// 5.1.2.3).
const TTL = 255

const (
	// PriorityResign is advertised by a master that gives up its role
	// (RFC 9568 section 5.2.4).
	PriorityResign uint8 = 0
	// PriorityOwner is the priority of the router whose interface really has
	// the virtual addresses, and of no other (RFC 9568 section 5.2.4).
	PriorityOwner uint8 = 255
)

const (
	// IntervalStep is the unit of the Max Advertise Interval field
	// (RFC 9568 section 5.2.7).
	IntervalStep = 10 * time.Millisecond
	// MinInterval is the shortest advertisement interval. Zero is not legal
	// (RFC 9568 erratum 8301).
	MinInterval = IntervalStep
	// MaxInterval is the longest advertisement interval: the field has 12 bits.
	MaxInterval = maxCentiseconds * IntervalStep

	maxCentiseconds = 1<<12 - 1
)

// legalInterval moves d into the range that the wire can carry and down to a
// whole step, so that timers run by the interval that is announced.
func legalInterval(d time.Duration) time.Duration {
	return min(max(d, MinInterval), MaxInterval).Truncate(IntervalStep)
}

// Family is an IP address family. The virtual routers of the two families are
// separate even when they share a VRID (RFC 9568 section 1).
type Family uint8

// The address families, numbered as their IP versions.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// FamilyOf returns the family of a. An IPv4-mapped IPv6 address is IPv6.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

// String returns "IPv4" or "IPv6".
func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	default:
		return fmt.Sprintf("family %d", uint8(f))
	}
}

var (
	groupIPv4 = netip.AddrFrom4([4]byte{224, 0, 0, 18})
	groupIPv6 = netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x12})
)

// Group returns the multicast group of advertisements: 224.0.0.18 or ff02::12
// (RFC 9568 sections 5.1.1.2 and 5.1.2.2).
func (f Family) Group() netip.Addr {
	if f == IPv4 {
		return groupIPv4
	}
	return groupIPv6
}

// VirtualMAC returns the MAC address of virtual router vrid in family f
// (RFC 9568 section 7.3).
func VirtualMAC(vrid uint8, f Family) net.HardwareAddr {
	family := byte(1)
	if f == IPv6 {
		family = 2
	}
	return net.HardwareAddr{0x00, 0x00, 0x5e, 0x00, family, vrid}
}

// addressSize is the length in octets of one address of the family.
func (f Family) addressSize() int {
	if f == IPv4 {
		return 4
	}
	return 16
}

// State is a state of the machine (RFC 9568 section 6.4).
type State uint8

// The states of the machine.
const (
	Initialize State = iota
	Backup
	Master
)

// String returns "initialize", "backup" or "master".
func (s State) String() string {
	switch s {
	case Initialize:
		return "initialize"
	case Backup:
		return "backup"
	case Master:
		return "master"
	default:
		return fmt.Sprintf("state %d", uint8(s))
	}
}

// MarshalText returns the state's word. It never fails.
func (s State) MarshalText() ([]byte, error) {
	return []byte(s.String()), nil
}

// UnmarshalText takes a state's word.
func (s *State) UnmarshalText(text []byte) error {
	for state := Initialize; state <= Master; state++ {
		if state.String() == string(text) {
			*s = state
			return nil
		}
	}
	return fmt.Errorf("unknown state %q", text)
}
