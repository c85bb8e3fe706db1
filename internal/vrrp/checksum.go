// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// ChecksumForm is what the checksum of a message covers. In version 2 it is
// always the message alone.
type ChecksumForm uint8

const (
	// MessageOnly covers the VRRP message alone: RFC 9568 section 5.2.8, IPv4.
	MessageOnly ChecksumForm = iota
	// PseudoHeader covers a pseudo-header and the message: RFC 5798 as
	// keepalived and others deployed it for IPv4, and the only form of IPv6.
	PseudoHeader
	// GroupPseudoHeader is PseudoHeader with the multicast group in place of a
	// unicast destination: IPv4 as keepalived sent it before 1.3.7, and later
	// with old_unicast_checksum.
	GroupPseudoHeader
)

// String returns "message only", "pseudo-header" or "pseudo-header of the
// multicast group".
func (f ChecksumForm) String() string {
	switch f {
	case MessageOnly:
		return "message only"
	case PseudoHeader:
		return "pseudo-header"
	case GroupPseudoHeader:
		return "pseudo-header of the multicast group"
	default:
		return fmt.Sprintf("checksum form %d", uint8(f))
	}
}

// onesSum adds b to sum as a sequence of 16-bit words (RFC 1071). The sum of
// the longest message and its pseudo-header does not overflow 32 bits.
func onesSum(sum uint32, b []byte) uint32 {
	for len(b) >= 2 {
		sum += uint32(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

// fold reduces a sum of 16-bit words to its 16-bit one's complement sum.
func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// pseudoHeaderSum is what the form adds to the sum of a message of the given
// length.
func (f ChecksumForm) pseudoHeaderSum(source, destination netip.Addr, length int) uint32 {
	switch f {
	case MessageOnly:
		return 0
	case GroupPseudoHeader:
		destination = FamilyOf(destination).Group()
	}
	return pseudoHeaderSum(source, destination, length)
}

// pseudoHeaderSum is the sum of the pseudo-header before a message of the
// given length. The layouts of RFC 8200 section 8.1 (IPv6) and of TCP (IPv4)
// differ, their sums do not.
func pseudoHeaderSum(source, destination netip.Addr, length int) uint32 {
	return uint32(Protocol) + uint32(length) + addressSum(source) + addressSum(destination)
}

func addressSum(a netip.Addr) uint32 {
	if a.Is4() {
		octets := a.As4()
		return onesSum(0, octets[:])
	}
	octets := a.As16()
	return onesSum(0, octets[:])
}

// checksumForm reports which form makes the checksum right. An IPv4 checksum
// covers the message, an IPv6 one also what follows it. With compat
// [GroupPseudoHeader] is accepted as well.
//
// For one source address in 65536 the IPv4 pseudo-header adds nothing and both
// forms are right. That reads as PseudoHeader: whoever knows only one form is
// likelier to be keepalived before 2.2.8, and the others take both.
func (f frame) checksumForm(p Packet, compat bool) (ChecksumForm, bool) {
	const right = 0xffff
	sum := onesSum(0, f.message)
	is := func(form ChecksumForm, length int) bool {
		return fold(sum+form.pseudoHeaderSum(p.Source, p.Destination, length)) == right
	}
	length := len(f.message)
	switch {
	case f.family == IPv6:
		sum += onesSum(0, f.rest)
		return PseudoHeader, is(PseudoHeader, length+len(f.rest))
	case f.version == Version2:
		return MessageOnly, is(MessageOnly, length)
	case is(PseudoHeader, length):
		return PseudoHeader, true
	case compat && is(GroupPseudoHeader, length):
		return GroupPseudoHeader, true
	default:
		return MessageOnly, is(MessageOnly, length)
	}
}
