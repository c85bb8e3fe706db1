// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"crypto/subtle"
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
	config GroupConfig
	local  netip.Addr // the interface's own
	source netip.Addr // of what we send

	peers    []peer // most recently heard first, at most maxPeers
	keyring  keyring
	heard    heardList
	template template
	counters Counters
}

// heardList is the address list that was accepted last, so that the next one
// that is equal costs nothing.
type heardList struct {
	octets    []byte
	source    netip.Addr
	addresses []netip.Addr
	same      bool // as ours
}

// NewGroup returns the virtual router that c describes.
func NewGroup(c GroupConfig) *Group {
	g := &Group{}
	g.Update(c)
	return g
}

// Update takes a new configuration of the same VRID and family. Counters, known
// peers, our sequence and the marks against replay are kept, so that a change
// of keys loses no advertisement.
func (g *Group) Update(c GroupConfig) {
	g.config = c.clone()
	g.keyring.configure(c.Auth)
	g.SetLocal(g.local)
}

// SetLocal tells the group the address of its interface: the primary IPv4 or
// the link-local IPv6 one. It is what the group sends from, unless the
// configuration of unicast says otherwise; packets from there are our own. The
// zero Addr means that the interface has none now.
func (g *Group) SetLocal(local netip.Addr) {
	g.local = local.WithZone("")
	g.source = g.local
	if u := g.config.Unicast; u != nil && u.Source.IsValid() {
		g.source = u.Source
	}
	g.heard = heardList{}
	g.template = g.newTemplate()
}

// Source is the address that the group sends from; the zero Addr when there is
// none now, and nothing can be sent.
func (g *Group) Source() netip.Addr { return g.source }

// Receive checks p and returns the advertisement in it, or a [Discard] as the
// error. now is the time of the wall clock. own are the parameters of the
// instance the group belongs to. The addresses of the result are not to be
// changed.
//
// Not every disagreement refuses a packet. In version 3 a foreign interval, a
// foreign address list and a second address owner (RFC 9568 section 7.1,
// erratum 8298) are counted and the advertisement is returned. An address owner
// hears others in version 2 too, against RFC 3768 section 7.1: it could not
// learn that a successor has taken over, or that it is not the only owner.
func (g *Group) Receive(now time.Time, p Packet, own Parameters) (Advertisement, error) {
	g.counters.Received++
	a, form, err := g.check(now, p, own)
	if err != nil {
		if d, ok := errors.AsType[Discard](err); ok {
			g.counters.Discarded[d]++
		}
		return Advertisement{}, err
	}
	g.learn(peer{source: p.Source, form: form})
	if a.MaxAdvertInterval != g.config.Version.legalInterval(own.AdvertInterval) {
		g.counters.IntervalMismatch++
	}
	if !g.heard.same {
		g.counters.AddressMismatch++
	}
	if own.Priority == PriorityOwner && a.Priority == PriorityOwner {
		g.counters.DuplicateOwner++
	}
	return a, nil
}

// check applies the receive checks in the order of [Discard].
func (g *Group) check(now time.Time, p Packet, own Parameters) (Advertisement, ChecksumForm, error) {
	refuse := func(err error) (Advertisement, ChecksumForm, error) { return Advertisement{}, 0, err }
	if err := g.checkEnvelope(p); err != nil {
		return refuse(err)
	}
	f, err := cut(p, g.config.Version)
	if err != nil {
		return refuse(err)
	}
	if n := len(f.rest); n != 0 && (g.keyring.auth == nil || n != trailerSize) {
		return refuse(DiscardLong)
	}
	form, ok := f.checksumForm(p, g.config.ChecksumCompat && g.config.Unicast != nil)
	a := f.header()
	switch {
	case !ok:
		return refuse(DiscardChecksum)
	case a.VRID != g.config.VRID:
		return refuse(DiscardVRID)
	case p.Source == g.source:
		return refuse(DiscardOwnSource)
	}
	if g.keyring.auth != nil {
		if err := g.keyring.verify(now, p, f, g.Window(own.AdvertInterval), g.maxMarks()); err != nil {
			return refuse(err)
		}
		if len(f.rest) == 0 {
			g.counters.Unsigned++
		}
	}
	if f.version == Version2 {
		if err := g.checkPassword(a); err != nil {
			return refuse(err)
		}
	}
	if err := f.checkHeader(a); err != nil {
		return refuse(err)
	}
	if a.Addresses, err = g.readList(f, p.Source); err != nil {
		return refuse(err)
	}
	if f.version == Version2 {
		switch {
		case a.MaxAdvertInterval != Version2.legalInterval(own.AdvertInterval):
			return refuse(DiscardInterval)
		case !g.heard.same && a.Priority != PriorityOwner:
			return refuse(DiscardAddresses)
		}
	}
	return a, form, nil
}

// checkEnvelope checks what the IP header says.
func (g *Group) checkEnvelope(p Packet) error {
	u := g.config.Unicast
	destination := g.config.Family.Group()
	if u != nil {
		destination = g.source
	}
	switch {
	case p.Destination != destination || !destination.IsValid():
		return DiscardDestination
	case !plausibleSource(p.Source, g.config.Family, u != nil):
		return DiscardSource
	case u != nil && p.Source != g.source && !slices.Contains(u.Peers, p.Source):
		return DiscardPeer
	case p.TTL < g.config.minTTL():
		return DiscardTTL
	default:
		return nil
	}
}

// plausibleSource reports whether a router can have sent from a: its primary
// IPv4 address or a link-local IPv6 address (RFC 9568 sections 5.1.1.1 and
// 5.1.2.1); over unicast any unicast address.
func plausibleSource(a netip.Addr, f Family, unicast bool) bool {
	switch {
	case a.IsUnspecified() || a.IsLoopback() || a.IsMulticast():
		return false
	case f == IPv4:
		return a.Is4() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
	default:
		return a.Is6() && !a.Is4In6() && (unicast || a.IsLinkLocalUnicast())
	}
}

// checkPassword does what the authentication type of version 2 says (RFC 2338
// section 7.1): the data of type 0 are ignored.
func (g *Group) checkPassword(a Advertisement) error {
	want := g.config.authData()
	switch {
	case a.AuthType != g.config.authType():
		return DiscardAuthType
	case a.AuthType == SimpleText && subtle.ConstantTimeCompare(a.AuthData[:], want[:]) != 1:
		return DiscardPassword
	default:
		return nil
	}
}

// readList decodes the address list and compares it with ours.
func (g *Group) readList(f frame, source netip.Addr) ([]netip.Addr, error) {
	if source == g.heard.source && string(f.list) == string(g.heard.octets) {
		return g.heard.addresses, nil
	}
	addresses, err := f.addresses(g.config.Unicast == nil)
	if err != nil {
		return nil, err
	}
	g.heard = heardList{slices.Clone(f.list), source, addresses, g.sameAddresses(addresses, source)}
	return addresses, nil
}

// sameAddresses reports whether listed are our virtual addresses in any order.
// Over multicast, a link-local address that only makes up the head of an IPv6
// list is no virtual one: it must be the sender's own.
func (g *Group) sameAddresses(listed []netip.Addr, source netip.Addr) bool {
	ours := g.config.Addresses
	if g.leadsWithOwn() {
		if listed[0] != source {
			return false
		}
		listed = listed[1:]
	}
	if len(listed) != len(ours) {
		return false
	}
	for _, address := range ours {
		if !slices.Contains(listed, address) {
			return false
		}
	}
	return true
}

// learn remembers p as the router heard last.
func (g *Group) learn(p peer) {
	if len(g.peers) > 0 && g.peers[0] == p {
		return
	}
	i := slices.IndexFunc(g.peers, func(known peer) bool { return known.source == p.source })
	g.peers = toFront(g.peers, i, p, maxPeers)
}

// maxMarks is how many senders have a mark against replay: every configured
// peer, and enough others for multicast.
func (g *Group) maxMarks() int {
	if g.config.Unicast == nil {
		return maxPeers
	}
	return max(maxPeers, len(g.config.Unicast.Peers))
}

// Window returns how far the clock of a peer may be from ours before its
// messages are refused, for own advertisements of the given interval; 0: clocks
// do not matter.
func (g *Group) Window(interval time.Duration) time.Duration {
	if auth := g.keyring.auth; auth != nil && auth.Replay == ReplayTime {
		return auth.window(g.config.Version.legalInterval(interval))
	}
	return 0
}

// ClockSkew returns how far the clock of the router whose trailer was verified
// last is ahead of ours, the time on the way included, and its address; the
// zero Addr before the first.
func (g *Group) ClockSkew() (time.Duration, netip.Addr) {
	return g.keyring.skew, g.keyring.skewOf
}

// Mismatches returns the counters IntervalMismatch and AddressMismatch.
func (g *Group) Mismatches() (intervals, addresses uint64) {
	return g.counters.IntervalMismatch, g.counters.AddressMismatch
}

// Counters returns a copy of the group's counters.
func (g *Group) Counters() Counters {
	return g.counters
}
