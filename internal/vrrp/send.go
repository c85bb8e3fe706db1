// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Outgoing is one message to send with [Conn.Write].
type Outgoing struct {
	// Payload is the VRRP message.
	Payload []byte
	// Source and Destination are the addresses of the IP header, without zone.
	Source, Destination netip.Addr
	// TTL is the TTL or hop limit, 1 to 255.
	TTL int
	// HardwareSource is the source MAC address of a multicast message; nil: the
	// interface's own.
	HardwareSource net.HardwareAddr
}

// Outbox collects messages for [Conn.Write], without allocations once it has
// grown. The zero value is empty.
type Outbox struct {
	Messages []Outgoing
	octets   []byte
}

// Reset empties the outbox; the payloads of its messages are overwritten by the
// next ones.
func (o *Outbox) Reset() {
	o.Messages, o.octets = o.Messages[:0], o.octets[:0]
}

// template is an encoded message without the fields that change.
type template struct {
	octets []byte // priority, interval and checksum are zero
	sum    uint32 // of octets
}

func (g *Group) newTemplate() template {
	c := g.config
	a := Advertisement{Version: c.Version, VRID: c.VRID, Addresses: g.advertised(), AuthData: c.authData()}
	octets := a.AppendTo(nil, g.source, c.Family.Group(), MessageOnly)
	clear(octets[atInterval:headerSize])
	return template{octets: octets, sum: onesSum(0, octets)}
}

// advertised returns the address list of our advertisements. Over IPv6 multicast
// the first address must be link-local (RFC 9568 section 5.2.9): the virtual
// link-local address where one is configured, else the interface's own.
func (g *Group) advertised() []netip.Addr {
	addresses := g.config.Addresses
	if g.config.Family == IPv4 {
		return addresses
	}
	if i := slices.IndexFunc(addresses, netip.Addr.IsLinkLocalUnicast); i >= 0 {
		rest := slices.Delete(slices.Clone(addresses), i, i+1)
		return slices.Insert(rest, 0, addresses[i])
	}
	if g.leadsWithOwn() && g.local.IsValid() {
		return slices.Insert(slices.Clone(addresses), 0, g.local)
	}
	return addresses
}

// leadsWithOwn says whether a list has to begin with the link-local address of
// its sender, because no virtual one is link-local.
func (g *Group) leadsWithOwn() bool {
	return g.config.Family == IPv6 && g.config.Unicast == nil &&
		!slices.ContainsFunc(g.config.Addresses, netip.Addr.IsLinkLocalUnicast)
}

// Advertisement appends to b the message to send with the given priority and
// interval to the multicast group or, over unicast, to the first peer, counts it
// as sent, and returns the extended slice; it does not allocate when b has room
// for [MaxMessageSize] octets. now is the time of the wall clock. The group must
// have a [Group.Source].
//
// IPv4 messages of version 3 have the checksum form that all known peers
// understand: PseudoHeader as soon as one peer was heard to use it, MessageOnly
// until then; GroupPseudoHeader where it is configured. An IPv6 list that has no
// link-local virtual address begins with the interface's own, over multicast.
func (g *Group) Advertisement(now time.Time, priority uint8, interval time.Duration, b []byte) []byte {
	start := len(b)
	b = g.encode(now, priority, interval, b)
	destination := g.config.Family.Group()
	if u := g.config.Unicast; u != nil && len(u.Peers) > 0 {
		destination = u.Peers[0]
	}
	g.address(b[start:], destination)
	return b
}

// AppendOutgoing adds the same advertisement to o, once for the multicast group
// or once for each peer. It adds nothing when the group has no [Group.Source].
func (g *Group) AppendOutgoing(now time.Time, priority uint8, interval time.Duration, o *Outbox) {
	if !g.source.IsValid() {
		return
	}
	start := len(o.octets)
	o.octets = g.encode(now, priority, interval, o.octets)
	end := len(o.octets)
	if g.config.Unicast == nil {
		g.post(o, start, end, g.config.Family.Group())
		return
	}
	for i, peer := range g.config.Unicast.Peers {
		if i > 0 {
			o.octets = append(o.octets, o.octets[start:end]...)
			start, end = end, len(o.octets)
		}
		g.post(o, start, end, peer)
	}
}

// post makes the octets of o from start to end a message to destination.
func (g *Group) post(o *Outbox, start, end int, destination netip.Addr) {
	payload := o.octets[start:end:end]
	g.address(payload, destination)
	o.Messages = append(o.Messages, Outgoing{
		Payload: payload, Source: g.source, Destination: destination, TTL: g.config.ttl(),
	})
}

// encode appends the message and its trailer, all but the checksum.
func (g *Group) encode(now time.Time, priority uint8, interval time.Duration, b []byte) []byte {
	start := len(b)
	b = append(b, g.template.octets...)
	b[start+atPriority] = priority
	field := intervalField(g.config.Version, g.config.authType(), interval)
	binary.BigEndian.PutUint16(b[start+atInterval:], field)
	if g.keyring.signs() {
		b = g.keyring.sign(now, g.Window(interval), g.source, b, start)
	}
	return b
}

// address makes the checksum of payload that of a message to destination, and
// counts it as sent.
func (g *Group) address(payload []byte, destination netip.Addr) {
	g.counters.Sent++
	size := len(g.template.octets)
	sum := g.template.sum + uint32(payload[atPriority])<<8 + uint32(binary.BigEndian.Uint16(payload[atInterval:]))
	form := g.form()
	if g.config.Family == IPv6 {
		sum += onesSum(0, payload[size:])
		size = len(payload)
	}
	sum += form.pseudoHeaderSum(g.source, destination, size)
	binary.BigEndian.PutUint16(payload[atChecksum:], ^fold(sum))
}

// form is the checksum form of our messages.
func (g *Group) form() ChecksumForm {
	switch {
	case g.config.Family == IPv6:
		return PseudoHeader
	case g.config.Version == Version2:
		return MessageOnly
	case g.config.ChecksumCompat && g.config.Unicast != nil:
		return GroupPseudoHeader
	case slices.ContainsFunc(g.peers, func(p peer) bool { return p.form == PseudoHeader }):
		return PseudoHeader
	default:
		return MessageOnly
	}
}
