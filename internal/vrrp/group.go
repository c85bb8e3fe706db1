// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"errors"
	"net/netip"
	"slices"
	"time"
)

// maxPeers bounds the memory of a [Group] against forged sources.
const maxPeers = 16

// peer is what a group remembers of another router.
type peer struct {
	source netip.Addr
	form   ChecksumForm
}

// Group is one virtual router on the wire: a VRID in one address family on one
// interface (RFC 9568 section 1). It is pure and not safe for concurrent use.
type Group struct {
	vrid      uint8
	family    Family
	addresses []netip.Addr // as configured
	listed    []netip.Addr // as advertised
	local     netip.Addr
	peers     []peer // most recently heard first, at most maxPeers
	counters  Counters
}

// Counters counts what a [Group] sent and received since it was made.
type Counters struct {
	// Received counts all packets handed to the group, refused ones included.
	Received uint64
	// Sent counts the messages the group made.
	Sent uint64
	// Discarded counts the refused packets by reason: index it with a [Discard].
	Discarded [discardCount]uint64
	// IntervalMismatch counts accepted advertisements whose interval is not
	// ours (RFC 9568 section 7.1: log, never drop).
	IntervalMismatch uint64
	// AddressMismatch counts accepted advertisements whose addresses are not
	// ours, in whatever order (RFC 9568 section 7.1: log, never drop).
	AddressMismatch uint64
	// DuplicateOwner counts accepted advertisements of an address owner while
	// we are one too (RFC 9568 section 8.3.2).
	DuplicateOwner uint64
}

// NewGroup returns the virtual router vrid (1 to 255) with the given virtual
// addresses, 1 to 255 of the family.
func NewGroup(vrid uint8, family Family, addresses []netip.Addr) *Group {
	g := &Group{
		vrid:      vrid,
		family:    family,
		addresses: slices.Clone(addresses),
		peers:     make([]peer, 0, maxPeers),
	}
	g.SetLocal(netip.Addr{})
	return g
}

// SetLocal tells the group the address it sends from: the interface's primary
// IPv4 or its link-local IPv6 address. Packets from it are our own. The zero
// Addr means that the interface has none now.
func (g *Group) SetLocal(source netip.Addr) {
	g.local = source.WithZone("")
	g.listed = g.advertised()
}

// SetAddresses replaces the virtual addresses, 1 to 255 of the family; peers
// and counters are kept.
func (g *Group) SetAddresses(addresses []netip.Addr) {
	g.addresses = slices.Clone(addresses)
	g.listed = g.advertised()
}

// advertised returns the address list of our advertisements. In IPv6 the first
// address must be link-local (RFC 9568 section 5.2.9): the virtual link-local
// address where one is configured, else the interface's own.
func (g *Group) advertised() []netip.Addr {
	if g.family == IPv4 {
		return g.addresses
	}
	linkLocal := g.local
	rest := g.addresses
	if i := slices.IndexFunc(rest, netip.Addr.IsLinkLocalUnicast); i >= 0 {
		linkLocal = rest[i]
		rest = slices.Delete(slices.Clone(rest), i, i+1)
	}
	if !linkLocal.IsValid() {
		return rest
	}
	return append([]netip.Addr{linkLocal}, rest...)
}

// Receive checks p and returns the advertisement in it, or a [Discard] as the
// error. own are the parameters of the instance the group belongs to.
//
// Not every disagreement refuses a packet: a foreign interval, a foreign
// address list and a second address owner (RFC 9568 section 7.1, erratum 8298)
// are counted and the advertisement is returned.
func (g *Group) Receive(p Packet, own Parameters) (Advertisement, error) {
	g.counters.Received++
	a, form, err := Parse(p)
	switch {
	case err != nil:
	case p.Destination != g.family.Group():
		err = DiscardDestination
	case a.VRID != g.vrid:
		err = DiscardVRID
	case p.Source == g.local:
		err = DiscardOwnSource
	}
	if err != nil {
		if d, ok := errors.AsType[Discard](err); ok {
			g.counters.Discarded[d]++
		}
		return Advertisement{}, err
	}

	g.learn(peer{source: p.Source, form: form})
	if a.MaxAdvertInterval != legalInterval(own.AdvertInterval) {
		g.counters.IntervalMismatch++
	}
	if !g.sameAddresses(a, p.Source) {
		g.counters.AddressMismatch++
	}
	if own.Priority == PriorityOwner && a.Priority == PriorityOwner {
		g.counters.DuplicateOwner++
	}
	return a, nil
}

// learn moves p to the front of the peers and forgets the one that was silent
// for longest when there are too many.
func (g *Group) learn(p peer) {
	i := slices.IndexFunc(g.peers, func(known peer) bool { return known.source == p.source })
	switch {
	case i >= 0:
	case len(g.peers) < maxPeers:
		i = len(g.peers)
		g.peers = append(g.peers, p)
	default:
		i = maxPeers - 1
	}
	copy(g.peers[1:i+1], g.peers[:i])
	g.peers[0] = p
}

// sameAddresses reports whether a lists our virtual addresses in any order. A
// link-local address that only makes up the head of an IPv6 list is no virtual
// one: it must be the sender's own.
func (g *Group) sameAddresses(a Advertisement, source netip.Addr) bool {
	listed := a.Addresses
	if g.family == IPv6 && !slices.ContainsFunc(g.addresses, netip.Addr.IsLinkLocalUnicast) {
		if listed[0] != source {
			return false
		}
		listed = listed[1:]
	}
	if len(listed) != len(g.addresses) {
		return false
	}
	for _, address := range g.addresses {
		if !slices.Contains(listed, address) {
			return false
		}
	}
	return true
}

// Advertisement appends to b the message to send with the given priority and
// interval, counts it as sent, and returns the extended slice; it does not
// allocate when b has room. It needs the address of [Group.SetLocal].
//
// IPv4 messages have the checksum form that all known peers understand:
// PseudoHeader as soon as one peer was heard to use it, MessageOnly until then.
// An IPv6 list that has no link-local virtual address begins with the
// interface's own.
func (g *Group) Advertisement(priority uint8, interval time.Duration, b []byte) []byte {
	g.counters.Sent++
	a := Advertisement{
		VRID:              g.vrid,
		Priority:          priority,
		MaxAdvertInterval: interval,
		Addresses:         g.listed,
	}
	return a.AppendTo(b, g.local, g.family.Group(), g.form())
}

// form is the checksum form of our messages.
func (g *Group) form() ChecksumForm {
	if slices.ContainsFunc(g.peers, func(p peer) bool { return p.form == PseudoHeader }) {
		return PseudoHeader
	}
	return MessageOnly
}

// Counters returns a copy of the group's counters.
func (g *Group) Counters() Counters {
	return g.counters
}
