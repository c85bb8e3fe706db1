// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// ChecksumForm is what the checksum of a message covers.
type ChecksumForm uint8

const (
	// MessageOnly covers the VRRP message alone: RFC 9568 section 5.2.8, IPv4.
	MessageOnly ChecksumForm = iota
	// PseudoHeader covers a pseudo-header and the message: RFC 5798 as
	// keepalived and others deployed it for IPv4, and the only form of IPv6.
	PseudoHeader
)

// String returns "message only" or "pseudo-header".
func (f ChecksumForm) String() string {
	switch f {
	case MessageOnly:
		return "message only"
	case PseudoHeader:
		return "pseudo-header"
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

// pseudoHeaderSum is the sum of the pseudo-header before a message of the
// given length. The layouts of RFC 8200 section 8.1 (IPv6) and of TCP (IPv4)
// differ, their sums do not.
func pseudoHeaderSum(source, destination netip.Addr, length int) uint32 {
	sum := uint32(Protocol) + uint32(length)
	for _, a := range [...]netip.Addr{source, destination} {
		if a.Is4() {
			octets := a.As4()
			sum = onesSum(sum, octets[:])
		} else {
			octets := a.As16()
			sum = onesSum(sum, octets[:])
		}
	}
	return sum
}

// verifyChecksum reports which form makes the message's checksum right.
//
// For one source address in 65536 the IPv4 pseudo-header adds nothing and both
// forms are right. That reads as PseudoHeader: whoever knows only one form is
// likelier to be keepalived before 2.2.8, and the others take both.
func verifyChecksum(message []byte, source, destination netip.Addr) (ChecksumForm, bool) {
	const right = 0xffff
	sum := onesSum(0, message)
	switch {
	case fold(sum+pseudoHeaderSum(source, destination, len(message))) == right:
		return PseudoHeader, true
	case source.Is4() && fold(sum) == right:
		return MessageOnly, true
	default:
		return 0, false
	}
}
