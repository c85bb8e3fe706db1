// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/netip"
	"time"
)

const (
	hmacSize    = 16
	trailerSize = 12 + hmacSize

	// typeSHA256 is HMAC-SHA256 cut to 128 bits.
	typeSHA256 = 1
)

// sequence is the 64-bit sequence of a trailer: 32 bits of seconds of UTC since
// 1970, 16 bits of a binary fraction of a second, and 16 bits of a counter. It
// wraps in 2106 and is compared by serial number arithmetic (RFC 1982).
type sequence uint64

func sequenceAt(t time.Time) sequence {
	fraction := uint64(t.Nanosecond()) << 16 / uint64(time.Second)
	return sequence(uint64(uint32(t.Unix()))<<32 | fraction<<16)
}

func (s sequence) after(o sequence) bool { return int64(s-o) > 0 }

// ahead is how far the time in s lies after now.
func (s sequence) ahead(now time.Time) time.Duration {
	units := int64(s-sequenceAt(now)) >> 16 // of 1/65536 s
	return time.Duration(units>>16)*time.Second + time.Duration(units&0xffff)*time.Second>>16
}

// within says whether the time in s is no further from now than window.
func (s sequence) within(now time.Time, window time.Duration) bool {
	return s.ahead(now).Abs() <= window
}

// trailer is what follows a signed message.
type trailer struct {
	kind     uint8
	key      uint8
	reserved uint16
	sequence sequence
	hmac     [hmacSize]byte
}

// parseTrailer decodes b, which has trailerSize octets.
func parseTrailer(b []byte) trailer {
	t := trailer{
		kind:     b[0],
		key:      b[1],
		reserved: binary.BigEndian.Uint16(b[2:]),
		sequence: sequence(binary.BigEndian.Uint64(b[4:])),
	}
	copy(t.hmac[:], b[12:])
	return t
}

func (t trailer) appendTo(b []byte) []byte {
	b = append(b, t.kind, t.key)
	b = binary.BigEndian.AppendUint16(b, t.reserved)
	b = binary.BigEndian.AppendUint64(b, uint64(t.sequence))
	return append(b, t.hmac[:]...)
}

// signer computes HMACs with one key.
type signer struct {
	id  uint8
	mac hash.Hash
	in  [pseudoSize + headerSize]byte
	out [sha256.Size]byte
}

// pseudoSize is the size of what is put before the message: family, version,
// VRID, zero, and the source padded to 16 octets.
const pseudoSize = 20

var zeroHMAC [hmacSize]byte

func newSigner(k Key) *signer {
	return &signer{id: k.ID, mac: hmac.New(sha256.New, k.Secret)}
}

// sum returns the HMAC of a message that is followed by a trailer. signed
// reaches up to the trailer's HMAC. The checksum in it is read as zero, since it
// depends on the destination.
func (s *signer) sum(source netip.Addr, signed []byte) []byte {
	clear(s.in[:])
	s.in[0], s.in[1], s.in[2] = uint8(FamilyOf(source)), signed[0]>>4, signed[1]
	if source.Is4() {
		octets := source.As4()
		copy(s.in[4:], octets[:])
	} else {
		octets := source.As16()
		copy(s.in[4:], octets[:])
	}
	copy(s.in[pseudoSize:], signed[:atChecksum])
	s.mac.Reset()
	s.mac.Write(s.in[:])
	s.mac.Write(signed[headerSize:])
	s.mac.Write(zeroHMAC[:])
	return s.mac.Sum(s.out[:0])[:hmacSize]
}

// verify reports in constant time whether t is the trailer of the message that
// signed begins with.
func (s *signer) verify(source netip.Addr, signed []byte, t trailer) bool {
	return hmac.Equal(s.sum(source, signed), t.hmac[:])
}
