// SPDX-License-Identifier: Apache-2.0

package vrrp

import "fmt"

// Discard is the reason why a received packet was refused. It is the error of
// [Parse] and [Group.Receive], the index of [Counters].Discarded and, through
// String, the word in the log and the counter's label.
type Discard uint8

// The reasons to refuse a packet, in the order in which they are checked. The
// first check that fails gives the reason.
const (
	// DiscardDestination: not sent to the multicast group of the family.
	DiscardDestination Discard = iota
	// DiscardSource: the source address is none that a router sends
	// advertisements from: not unicast, loopback or, in IPv6, not link-local.
	DiscardSource
	// DiscardTTL: TTL or hop limit is not 255, so a router forwarded the packet
	// (RFC 9568 sections 5.1.1.3 and 5.1.2.3).
	DiscardTTL
	// DiscardShort: the message ends before the addresses it announces.
	DiscardShort
	// DiscardVersion: the version is not 3.
	DiscardVersion
	// DiscardType: the type is not 1, advertisement.
	DiscardType
	// DiscardNoAddresses: the address count is 0 (RFC 9568 erratum 8299).
	DiscardNoAddresses
	// DiscardLong: octets follow the last address.
	DiscardLong
	// DiscardChecksum: the checksum is wrong in every form that the family may
	// carry.
	DiscardChecksum
	// DiscardZeroInterval: the Max Advertise Interval is 0 (RFC 9568 erratum
	// 8301).
	DiscardZeroInterval
	// DiscardAddressFamily: an address of the list is not of the family of the
	// IP header (RFC 9568 section 5.2.9).
	DiscardAddressFamily
	// DiscardFirstAddress: the first IPv6 address is not link-local (RFC 9568
	// section 5.2.9, erratum 8300).
	DiscardFirstAddress
	// DiscardVRID: the VRID is not the virtual router's.
	DiscardVRID
	// DiscardOwnSource: the packet carries our own source address, so it is our
	// own, reflected, or another host has taken our address.
	DiscardOwnSource

	discardCount
)

// discards holds the word and the phrase of each reason.
var discards = [discardCount]struct{ word, phrase string }{
	DiscardDestination:   {"destination", "destination is not the VRRP multicast group"},
	DiscardSource:        {"source", "source address is not one a VRRP router can send from"},
	DiscardTTL:           {"ttl", "TTL or hop limit is not 255: the packet was forwarded"},
	DiscardShort:         {"short", "message is shorter than its address count says"},
	DiscardVersion:       {"version", "VRRP version is not 3"},
	DiscardType:          {"type", "VRRP type is not 1 (advertisement)"},
	DiscardNoAddresses:   {"no_addresses", "message lists no addresses"},
	DiscardLong:          {"long", "message has octets after its last address"},
	DiscardChecksum:      {"checksum", "checksum is wrong"},
	DiscardZeroInterval:  {"zero_interval", "advertisement interval is 0"},
	DiscardAddressFamily: {"address_family", "a listed address is not of the packet's address family"},
	DiscardFirstAddress:  {"first_address", "first IPv6 address is not link-local"},
	DiscardVRID:          {"vrid", "VRID is not configured here"},
	DiscardOwnSource:     {"own_source", "source address is our own"},
}

// Discards returns all reasons in ascending order.
func Discards() []Discard {
	all := make([]Discard, discardCount)
	for i := range all {
		all[i] = Discard(i)
	}
	return all
}

// String returns the reason as one word in snake case.
func (d Discard) String() string {
	if d >= discardCount {
		return fmt.Sprintf("discard_%d", uint8(d))
	}
	return discards[d].word
}

// Error returns the reason as a phrase.
func (d Discard) Error() string {
	if d >= discardCount {
		return fmt.Sprintf("unknown reason %d", uint8(d))
	}
	return discards[d].phrase
}
