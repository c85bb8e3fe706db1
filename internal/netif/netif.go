// SPDX-License-Identifier: Apache-2.0

// Package netif is a director's view of its network interfaces: which there are, what this director holds on them while
// it is master (VIPs, routes, rules, virtual MAC addresses), and the announcements that tell the segment so.
//
// A VIP is a lease. [Keeper] adds it with a valid lifetime and renews it at every [Keeper.Hold], so that the kernel
// drops it by itself when nobody renews it any more, whatever became of the process. A file names the addresses that
// are ours; no other address is ever touched, and whatever a dead process left behind is removed by the next Hold.
//
// Every VIP is added with a preferred lifetime of zero, so the kernel shows it as "deprecated":
//   - IPv6 never chooses a deprecated address as source while another one of sufficient scope exists (RFC 6724 rule 3).
//   - IPv4 only reports the flag. There the order decides: a VIP in the subnet of an older address is secondary, and one
//     with a netmask of its own (a /32) comes after the older primaries, and neither is chosen as source. A VIP that
//     is the first IPv4 address of its subnet on the interface is primary, and is chosen: give the interface an
//     address of its own first. It needs one for another reason too: with the last IPv4 address of an interface the
//     kernel removes all IPv4 routes through it, whoever added them.
//
// The flag also tells our addresses from others: one that the file names and that is not deprecated was put there by
// somebody else since, and is theirs.
//
// The file names the macvlan interfaces and the changed settings of their base interfaces too. Routes and rules need no
// file: they carry [Protocol]. The nftables table of refused VIPs is known by its name, [RefuseTable].
package netif

import (
	"net/netip"
	"time"
)

// Address is an IP address with its prefix length on a network interface.
type Address struct {
	// Interface is the kernel's name of the interface.
	Interface string `json:"interface"`
	// Prefix is the address, host bits included, and the prefix length: 192.0.2.10/24.
	Prefix netip.Prefix `json:"prefix"`
}

// String returns the address in the form of iproute2: "192.0.2.10/24 dev eth0".
func (a Address) String() string { return a.Prefix.String() + " dev " + a.Interface }

// key is what an address is known by: an interface has an IP address once, whatever its prefix length.
type key struct {
	iface string
	addr  netip.Addr
}

func (a Address) key() key { return key{a.Interface, a.Prefix.Addr()} }

// Lease is an address that is wanted for a time.
type Lease struct {
	Address
	// Valid is the time after which the kernel drops the address unless the lease is renewed, rounded up to whole
	// seconds (the kernel looks about once a second, so it may stay up to a second longer). Zero or less: no lease,
	// the address stays until it is removed.
	Valid time.Duration
	// Label is the name under which ifconfig(8) shows an IPv4 address (IFA_LABEL), at most 15 bytes; empty: the
	// interface's name. IPv6 has none.
	Label string
	// Scope is the scope of an IPv4 address (RT_SCOPE_*, linux/rtnetlink.h); 0 is global. IPv6 derives it from the address.
	Scope int
}

// label returns the label that the kernel shows for the lease.
func (l Lease) label() string {
	if l.Label == "" && l.Prefix.Addr().Is4() {
		return l.Interface
	}
	return l.Label
}

// infinity is the lifetime of an address that never expires (INFINITY_LIFE_TIME, linux/if_addr.h).
const infinity = 0xffffffff

// seconds returns the valid lifetime in the kernel's form.
func (l Lease) seconds() uint32 {
	if l.Valid <= 0 {
		return infinity
	}
	s := l.Valid / time.Second
	if l.Valid%time.Second != 0 {
		s++
	}
	return uint32(min(s, infinity-1))
}

// Changes are the addresses that one [Keeper.Hold] added and removed. Renewals are not changes.
type Changes struct {
	Added   []Address `json:"added,omitempty"`
	Removed []Address `json:"removed,omitempty"`
	// Foreign are the wanted addresses that somebody else has put on the interface; they stay theirs.
	Foreign []Address `json:"foreign,omitempty"`
}
