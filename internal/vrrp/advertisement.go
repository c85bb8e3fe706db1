// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	version           = 3
	typeAdvertisement = 1

	headerSize   = 8
	maxAddresses = 255
)

// ReadBufferSize is the room in octets that a receiver needs: the longest
// message and one octet more, so that a longer one is seen to be so.
const ReadBufferSize = headerSize + maxAddresses*16 + 1

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

// Advertisement is the content of a VRRPv3 advertisement (RFC 9568 section
// 5.2), whatever the address family.
type Advertisement struct {
	// VRID identifies the virtual router on its network: 1 to 255.
	VRID uint8
	// Priority is the sender's: 1 to 254, or [PriorityOwner], or
	// [PriorityResign].
	Priority uint8
	// MaxAdvertInterval is the sender's interval: [MinInterval] to
	// [MaxInterval] in units of [IntervalStep].
	MaxAdvertInterval time.Duration
	// Addresses are those of the virtual router, 1 to 255 of one family; in
	// IPv6 a link-local one is first.
	Addresses []netip.Addr
}

// Parse decodes the message in p and applies every receive check of RFC 9568
// section 7.1 that needs no local knowledge. The error is a [Discard]. The
// result shares no memory with p.
func Parse(p Packet) (Advertisement, ChecksumForm, error) {
	family := FamilyOf(p.Destination)
	b := p.Payload
	switch {
	case p.Destination != family.Group():
		return refuse(DiscardDestination)
	case !plausibleSource(p.Source, family):
		return refuse(DiscardSource)
	case p.TTL != 255:
		return refuse(DiscardTTL)
	case len(b) < headerSize:
		return refuse(DiscardShort)
	case b[0]>>4 != version:
		return refuse(DiscardVersion)
	case b[0]&0xf != typeAdvertisement:
		return refuse(DiscardType)
	}

	count := int(b[3])
	size := headerSize + count*family.addressSize()
	switch {
	case count == 0:
		return refuse(DiscardNoAddresses)
	case len(b) < size:
		return refuse(DiscardShort)
	case len(b) > size:
		return refuse(DiscardLong)
	}
	form, ok := verifyChecksum(b, p.Source, p.Destination)
	if !ok {
		return refuse(DiscardChecksum)
	}

	// The four bits before the interval are reserved: ignored on receipt.
	centiseconds := binary.BigEndian.Uint16(b[4:]) & maxCentiseconds
	if centiseconds == 0 {
		return refuse(DiscardZeroInterval)
	}
	addresses, err := parseAddresses(b[headerSize:], count, family)
	if err != nil {
		return Advertisement{}, 0, err
	}
	return Advertisement{
		VRID:              b[1],
		Priority:          b[2],
		MaxAdvertInterval: time.Duration(centiseconds) * IntervalStep,
		Addresses:         addresses,
	}, form, nil
}

func refuse(d Discard) (Advertisement, ChecksumForm, error) {
	return Advertisement{}, 0, d
}

// plausibleSource reports whether a router can have sent from a: its primary
// IPv4 address or a link-local IPv6 address (RFC 9568 sections 5.1.1.1 and
// 5.1.2.1).
func plausibleSource(a netip.Addr, f Family) bool {
	if f == IPv6 {
		return a.Is6() && !a.Is4In6() && a.IsLinkLocalUnicast()
	}
	limitedBroadcast := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	return a.Is4() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && a != limitedBroadcast
}

// parseAddresses decodes the list in b, which holds exactly count addresses.
func parseAddresses(b []byte, count int, f Family) ([]netip.Addr, error) {
	addresses := make([]netip.Addr, 0, count)
	size := f.addressSize()
	for ; len(b) > 0; b = b[size:] {
		a, _ := netip.AddrFromSlice(b[:size])
		if a.Is4In6() {
			return nil, DiscardAddressFamily
		}
		addresses = append(addresses, a)
	}
	if f == IPv6 && !addresses[0].IsLinkLocalUnicast() {
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

// AppendTo appends the message to b and returns the extended slice; it does
// not allocate when b has room. The addresses of a, source and destination are
// of one family. IPv6 messages are always in the PseudoHeader form, whatever
// form says. An interval out of range is moved to the nearest legal one, and
// addresses after the 255th are left out.
func (a Advertisement) AppendTo(b []byte, source, destination netip.Addr, form ChecksumForm) []byte {
	addresses := a.Addresses[:min(len(a.Addresses), maxAddresses)]
	start := len(b)
	b = append(b, version<<4|typeAdvertisement, a.VRID, a.Priority, uint8(len(addresses)))
	b = binary.BigEndian.AppendUint16(b, uint16(legalInterval(a.MaxAdvertInterval)/IntervalStep))
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

	message := b[start:]
	sum := onesSum(0, message)
	if form == PseudoHeader || FamilyOf(destination) == IPv6 {
		sum += pseudoHeaderSum(source, destination, len(message))
	}
	binary.BigEndian.PutUint16(message[6:], ^fold(sum))
	return b
}
