// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	typeAdvertisement = 1

	headerSize   = 8
	authDataSize = 8
	maxAddresses = 255

	// Offsets of the fields of a message that change from one to the next.
	atPriority = 2
	atInterval = 4 // in version 2 the authentication type and the interval
	atChecksum = 6
)

// MaxMessageSize is the size in octets of the longest message with its trailer.
const MaxMessageSize = headerSize + maxAddresses*16 + trailerSize

// Packet is a received IP datagram.
type Packet struct {
	// Payload is the VRRP message as the IP layer delivered it: without IP
	// header and without link-layer padding.
	Payload []byte
	// Source and Destination are the addresses of the IP header, without zone.
	Source, Destination netip.Addr
	// TTL is the TTL or hop limit of the IP header.
	TTL int
}

// AuthType is the Auth Type field of version 2 (RFC 3768 section 5.3.6).
type AuthType uint8

const (
	// NoAuthentication is the only type of RFC 3768.
	NoAuthentication AuthType = 0
	// SimpleText is a password in clear text (RFC 2338 section 5.3.6.2, since
	// then reserved): it tells virtual routers apart and protects nothing.
	SimpleText AuthType = 1
)

// Advertisement is the content of an advertisement (RFC 9568 section 5.2, RFC
// 3768 section 5.3), whatever the address family.
type Advertisement struct {
	// Version of the message.
	Version Version
	// VRID identifies the virtual router on its network: 1 to 255.
	VRID uint8
	// Priority is the sender's: 1 to 254, or [PriorityOwner], or
	// [PriorityResign].
	Priority uint8
	// MaxAdvertInterval is the sender's interval: [MinInterval] to
	// [MaxInterval] in units of [IntervalStep]; in version 2 it is 1 to 255
	// whole seconds.
	MaxAdvertInterval time.Duration
	// Addresses are those of the virtual router, 1 to 255 of one family; in
	// IPv6 over multicast a link-local one is first.
	Addresses []netip.Addr
	// AuthType and AuthData exist in version 2 only.
	AuthType AuthType
	AuthData [authDataSize]byte
}

// Parse decodes the message in p and applies every receive check that needs no
// configuration (RFC 9568 section 7.1). The error is a [Discard]. The result
// shares no memory with p.
func Parse(p Packet) (Advertisement, ChecksumForm, error) {
	version := Version3
	if len(p.Payload) > 0 && p.Payload[0]>>4 == uint8(Version2) {
		version = Version2
	}
	f, err := cut(p, version)
	if err != nil {
		return Advertisement{}, 0, err
	}
	if len(f.rest) > 0 {
		return Advertisement{}, 0, DiscardLong
	}
	form, ok := f.checksumForm(p, false)
	if !ok {
		return Advertisement{}, 0, DiscardChecksum
	}
	a := f.header()
	if err := f.checkHeader(a); err != nil {
		return Advertisement{}, 0, err
	}
	if a.Addresses, err = f.addresses(p.Destination.IsMulticast()); err != nil {
		return Advertisement{}, 0, err
	}
	return a, form, nil
}

// frame is a payload cut into its parts. Nothing but version, type and lengths
// is checked.
type frame struct {
	version Version
	family  Family
	message []byte // header, addresses, in version 2 authentication data
	list    []byte // the addresses in it
	rest    []byte // what follows the message
}

// cut takes the payload of p for a message of the given version.
func cut(p Packet, version Version) (frame, error) {
	family := FamilyOf(p.Destination)
	b := p.Payload
	switch {
	case len(b) < headerSize:
		return frame{}, DiscardShort
	case Version(b[0]>>4) != version, version == Version2 && family != IPv4:
		return frame{}, DiscardVersion
	case b[0]&0xf != typeAdvertisement:
		return frame{}, DiscardType
	}
	endOfList := headerSize + int(b[3])*family.addressSize()
	size := endOfList
	if version == Version2 {
		size += authDataSize
	}
	if len(b) < size {
		return frame{}, DiscardShort
	}
	return frame{version, family, b[:size], b[headerSize:endOfList], b[size:]}, nil
}

// header decodes everything but the addresses.
func (f frame) header() Advertisement {
	b := f.message
	a := Advertisement{Version: f.version, VRID: b[1], Priority: b[atPriority]}
	if f.version == Version2 {
		a.AuthType = AuthType(b[atInterval])
		a.MaxAdvertInterval = time.Duration(b[atInterval+1]) * time.Second
		copy(a.AuthData[:], b[len(b)-authDataSize:])
		return a
	}
	// The four bits before the interval are reserved: ignored on receipt.
	a.MaxAdvertInterval = time.Duration(binary.BigEndian.Uint16(b[atInterval:])&maxCentiseconds) * IntervalStep
	return a
}

func (f frame) checkHeader(a Advertisement) error {
	switch {
	case len(f.list) == 0:
		return DiscardNoAddresses
	case a.MaxAdvertInterval == 0:
		return DiscardZeroInterval
	default:
		return nil
	}
}

// addresses decodes the list, which is not empty.
func (f frame) addresses(linkLocalFirst bool) ([]netip.Addr, error) {
	size := f.family.addressSize()
	addresses := make([]netip.Addr, 0, len(f.list)/size)
	for b := f.list; len(b) > 0; b = b[size:] {
		a, _ := netip.AddrFromSlice(b[:size])
		if a.Is4In6() {
			return nil, DiscardAddressFamily
		}
		addresses = append(addresses, a)
	}
	if linkLocalFirst && f.family == IPv6 && !addresses[0].IsLinkLocalUnicast() {
		return nil, DiscardFirstAddress
	}
	return addresses, nil
}

// PeekVRID returns the VRID of a message that is not checked yet, so that the
// reader of a socket finds the [Group] that checks it; false when the message
// is too short to have one.
func PeekVRID(payload []byte) (uint8, bool) {
	if len(payload) < headerSize {
		return 0, false
	}
	return payload[1], true
}

// PeekKey returns the id of the key in the trailer of a message that is not
// checked yet; false when it is too short to have one.
func PeekKey(payload []byte) (uint8, bool) {
	if len(payload) < headerSize+trailerSize {
		return 0, false
	}
	return parseTrailer(payload[len(payload)-trailerSize:]).key, true
}

// AppendTo appends the message to b and returns the extended slice; it does
// not allocate when b has room. The addresses of a, source and destination are
// of one family. Messages of IPv6 are always in the PseudoHeader form and those
// of version 2 in the MessageOnly form, whatever form says. An interval out of
// range is moved to the nearest legal one, and addresses after the 255th are
// left out.
func (a Advertisement) AppendTo(b []byte, source, destination netip.Addr, form ChecksumForm) []byte {
	version := a.Version.orDefault()
	addresses := a.Addresses[:min(len(a.Addresses), maxAddresses)]
	start := len(b)
	b = append(b, uint8(version)<<4|typeAdvertisement, a.VRID, a.Priority, uint8(len(addresses)))
	b = binary.BigEndian.AppendUint16(b, intervalField(version, a.AuthType, a.MaxAdvertInterval))
	b = append(b, 0, 0)
	for _, address := range addresses {
		if address.Is4() {
			octets := address.As4()
			b = append(b, octets[:]...)
		} else {
			octets := address.As16()
			b = append(b, octets[:]...)
		}
	}
	if version == Version2 {
		b = append(b, a.AuthData[:]...)
		form = MessageOnly
	} else if FamilyOf(destination) == IPv6 {
		form = PseudoHeader
	}
	message := b[start:]
	sum := onesSum(0, message) + form.pseudoHeaderSum(source, destination, len(message))
	binary.BigEndian.PutUint16(message[atChecksum:], ^fold(sum))
	return b
}

// intervalField is the 16 bits that hold the interval.
func intervalField(v Version, t AuthType, interval time.Duration) uint16 {
	interval = v.legalInterval(interval)
	if v == Version2 {
		return uint16(t)<<8 | uint16(interval/time.Second)
	}
	return uint16(interval / IntervalStep)
}
