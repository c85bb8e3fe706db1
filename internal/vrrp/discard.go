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
	// DiscardDestination: not sent to the multicast group of the family or, over
	// unicast, not to the address that we send from.
	DiscardDestination Discard = iota
	// DiscardSource: the source address is none that a router sends
	// advertisements from: not unicast, loopback or, over IPv6 multicast, not
	// link-local.
	DiscardSource
	// DiscardPeer: the source address is none of the configured unicast peers.
	DiscardPeer
	// DiscardTTL: TTL or hop limit is not 255, so a router forwarded the packet
	// (RFC 9568 sections 5.1.1.3 and 5.1.2.3); over unicast it is less than what
	// is configured.
	DiscardTTL
	// DiscardShort: the message ends before the addresses it announces or, in
	// version 2, the authentication data.
	DiscardShort
	// DiscardVersion: the version is not the configured one.
	DiscardVersion
	// DiscardType: the type is not 1, advertisement.
	DiscardType
	// DiscardLong: octets follow the message that are no trailer, or one and
	// none is configured.
	DiscardLong
	// DiscardChecksum: the checksum is wrong in every form that the family may
	// carry.
	DiscardChecksum
	// DiscardVRID: the VRID is not the virtual router's.
	DiscardVRID
	// DiscardOwnSource: the packet carries our own source address, so it is our
	// own, reflected, or another host has taken our address.
	DiscardOwnSource
	// DiscardUnsigned: the message has no trailer, and the mode is to enforce
	// one.
	DiscardUnsigned
	// DiscardTrailer: the trailer is of an unknown type.
	DiscardTrailer
	// DiscardWindow: the time of the trailer is too far from ours: the clocks
	// differ, or somebody replays an old message.
	DiscardWindow
	// DiscardUnknownKey: the trailer was made with a key that is not configured.
	DiscardUnknownKey
	// DiscardHMAC: the HMAC is wrong: the key is another, or the message was
	// changed on the way.
	DiscardHMAC
	// DiscardReplayed: the sequence is not higher than the last one of this
	// sender.
	DiscardReplayed
	// DiscardAuthType: the authentication type of version 2 is not the
	// configured one (RFC 3768 section 7.1).
	DiscardAuthType
	// DiscardPassword: the password of version 2 is wrong.
	DiscardPassword
	// DiscardNoAddresses: the address count is 0 (RFC 9568 erratum 8299).
	DiscardNoAddresses
	// DiscardZeroInterval: the Max Advertise Interval is 0 (RFC 9568 erratum
	// 8301).
	DiscardZeroInterval
	// DiscardAddressFamily: an address of the list is not of the family of the
	// IP header (RFC 9568 section 5.2.9).
	DiscardAddressFamily
	// DiscardFirstAddress: the first IPv6 address is not link-local, over
	// multicast (RFC 9568 section 5.2.9, erratum 8300).
	DiscardFirstAddress
	// DiscardInterval: the interval of version 2 is not ours (RFC 3768 section
	// 7.1).
	DiscardInterval
	// DiscardAddresses: the addresses of version 2 are not ours, and the sender
	// is not their owner (RFC 3768 section 7.1).
	DiscardAddresses

	discardCount
)

// discards holds the word and the phrase of each reason.
var discards = [discardCount]struct{ word, phrase string }{
	DiscardDestination:   {"destination", "destination is not where VRRP is expected"},
	DiscardSource:        {"source", "source address is not one a VRRP router can send from"},
	DiscardPeer:          {"peer", "source address is not a configured peer"},
	DiscardTTL:           {"ttl", "TTL or hop limit is too low: the packet was forwarded"},
	DiscardShort:         {"short", "message is shorter than its address count says"},
	DiscardVersion:       {"version", "VRRP version is not the configured one"},
	DiscardType:          {"type", "VRRP type is not 1 (advertisement)"},
	DiscardLong:          {"long", "message has octets after its end"},
	DiscardChecksum:      {"checksum", "checksum is wrong"},
	DiscardVRID:          {"vrid", "VRID is not configured here"},
	DiscardOwnSource:     {"own_source", "source address is our own"},
	DiscardUnsigned:      {"unsigned", "message has no authentication trailer"},
	DiscardTrailer:       {"trailer", "authentication trailer is of an unknown type"},
	DiscardWindow:        {"window", "time of the message is too far from ours: clocks differ, or an old message is replayed"},
	DiscardUnknownKey:    {"unknown_key", "key of the authentication trailer is not configured"},
	DiscardHMAC:          {"hmac", "authentication failed: other secret, or the message was changed"},
	DiscardReplayed:      {"replayed", "message was heard before"},
	DiscardAuthType:      {"auth_type", "authentication type is not the configured one"},
	DiscardPassword:      {"password", "password is wrong"},
	DiscardNoAddresses:   {"no_addresses", "message lists no addresses"},
	DiscardZeroInterval:  {"zero_interval", "advertisement interval is 0"},
	DiscardAddressFamily: {"address_family", "a listed address is not of the packet's address family"},
	DiscardFirstAddress:  {"first_address", "first IPv6 address is not link-local"},
	DiscardInterval:      {"interval", "advertisement interval is not ours"},
	DiscardAddresses:     {"addresses", "addresses are not ours"},
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
