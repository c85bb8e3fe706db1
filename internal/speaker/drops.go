// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// drop is a dropped packet: the event, and what its text is made of.
type drop struct {
	Discarded
	wire        wire
	by          *instance // nil: it belongs to none
	destination netip.Addr
	ttl, length int
	head        [8]byte // of the message
	key         uint8   // id in the trailer, if there is one
}

func dropOf(now time.Time, w wire, p vrrp.Packet, i *instance, d vrrp.Discard) drop {
	e := drop{
		Discarded: Discarded{At: now, Interface: w.ifname, Reason: d, Source: p.Source, Count: 1},
		wire:      w, by: i, destination: p.Destination, ttl: p.TTL, length: len(p.Payload),
	}
	copy(e.head[:], p.Payload)
	e.key, _ = vrrp.PeekKey(p.Payload)
	if i != nil {
		e.Instance = i.config.Name
	}
	return e
}

// event is the packet's event, with what was wrong and what to do about it.
func (d drop) event() Discarded {
	d.Detail = d.text()
	return d.Discarded
}

func (d drop) text() string {
	if d.by == nil {
		return d.unclaimed()
	}
	c := d.by.config
	switch d.Reason {
	case vrrp.DiscardTTL, vrrp.DiscardDestination, vrrp.DiscardPeer, vrrp.DiscardSource, vrrp.DiscardOwnSource:
		return d.envelope(c)
	case vrrp.DiscardUnsigned, vrrp.DiscardTrailer, vrrp.DiscardWindow, vrrp.DiscardUnknownKey, vrrp.DiscardHMAC, vrrp.DiscardReplayed:
		return d.authentication()
	case vrrp.DiscardVersion:
		return fmt.Sprintf("it speaks VRRP version %d, we speak %d: set the same version on all routers of VRID %d", d.head[0]>>4, c.Version, c.VRID)
	case vrrp.DiscardType:
		return fmt.Sprintf("its VRRP type is %d, not 1 (advertisement): what sends it is no VRRP router", d.head[0]&0xf)
	case vrrp.DiscardShort:
		return fmt.Sprintf("%d octets are too few for the %d addresses that it announces: it was damaged, or is not VRRP", d.length, d.head[3])
	case vrrp.DiscardLong:
		if c.Auth == nil {
			return fmt.Sprintf("octets follow its %d addresses: if it signs what it sends, give this instance its keys in vrrp.auth", d.head[3])
		}
		return "octets follow its addresses that are no authentication trailer: it speaks another form of authentication"
	case vrrp.DiscardChecksum:
		return d.checksum(c)
	case vrrp.DiscardAuthType:
		ours := "none: set vrrp.password here, or none there"
		if c.Password != "" {
			ours = "a password (1): set the same vrrp.password there"
		}
		return fmt.Sprintf("its authentication type of version 2 is %d, ours is %s", d.head[4], ours)
	case vrrp.DiscardPassword:
		return "its password is another: set the same vrrp.password on all routers"
	case vrrp.DiscardNoAddresses:
		return "it announces no address, which is its fault: look at its configuration"
	case vrrp.DiscardZeroInterval:
		return "its advert_interval is 0, which is its fault: look at its configuration"
	case vrrp.DiscardAddressFamily:
		return fmt.Sprintf("it announces an address that is not %s, which is its fault: look at its configuration", d.wire.family)
	case vrrp.DiscardFirstAddress:
		return "its first IPv6 address is not link-local (RFC 9568 section 5.2.9): put a link-local VIP first on it"
	case vrrp.DiscardInterval:
		return fmt.Sprintf("its advert_interval is %ds, ours is %s: version 2 needs the same on all routers", d.head[5], c.AdvertInterval)
	case vrrp.DiscardAddresses:
		return fmt.Sprintf("its %d addresses are not our %d: version 2 needs the same ones on all routers", d.head[3], len(c.byFamily()[d.wire.family]))
	}
	return d.Reason.Error()
}

// unclaimed tells of a packet that belongs to no instance.
func (d drop) unclaimed() string {
	if d.Reason == vrrp.DiscardVRID {
		return fmt.Sprintf("VRID %d over %s is not configured on %s: set vrrp.vrid as on the peer, or let it be if it is another pair's", d.head[1], d.wire.family, d.wire.ifname)
	}
	return fmt.Sprintf("%d octets are too few for a VRRP message: it was damaged, or is not VRRP", d.length)
}

// envelope tells of what the IP header says.
func (d drop) envelope(c Instance) string {
	u, unicast := c.Unicast[d.wire.family]
	switch {
	case d.Reason == vrrp.DiscardTTL && unicast:
		return fmt.Sprintf("its TTL is %d, vrrp.unicast.min_ttl is %d: lower min_ttl if there are routers in between, else look who forwards it", d.ttl, u.LeastTTL())
	case d.Reason == vrrp.DiscardTTL:
		return fmt.Sprintf("its TTL is %d, not %d, so a router has forwarded it: keep VRRP on its own link", d.ttl, vrrp.TTL)
	case d.Reason == vrrp.DiscardDestination && unicast:
		return fmt.Sprintf("it was sent to %s, we expect unicast to %s: use vrrp.unicast on all routers or on none", d.destination, u.Source)
	case d.Reason == vrrp.DiscardDestination:
		return fmt.Sprintf("it was sent to %s, we expect multicast to %s: use vrrp.unicast on all routers or on none", d.destination, d.wire.family.Group())
	case d.Reason == vrrp.DiscardPeer:
		return fmt.Sprintf("%s is no peer of ours: add it to vrrp.unicast.peers if it should be one", d.Source)
	case d.Reason == vrrp.DiscardOwnSource:
		return fmt.Sprintf("it was sent from our own address %s: another machine has it too, or the network sends our packets back to us", d.Source)
	}
	return fmt.Sprintf("%s is no address that a router sends from: look for the host that forges it", d.Source)
}

// authentication tells of the trailer.
func (d drop) authentication() string {
	switch d.Reason {
	case vrrp.DiscardUnsigned:
		return "it is not signed, and vrrp.auth.mode is enforce: give its sender the keys, or set mode to permissive until it has them"
	case vrrp.DiscardTrailer:
		return "its authentication trailer is of a type that we do not know: its sender follows another draft (keepalived before 2.4.2 does)"
	case vrrp.DiscardWindow:
		return fmt.Sprintf("its time is more than %s from ours: set both clocks by NTP; if they are right, somebody replays an old packet", d.by.window(d.wire.family))
	case vrrp.DiscardUnknownKey:
		return fmt.Sprintf("it is signed with key %d, which is not in our keyring: add it to vrrp.auth.keys, or set active_key on its sender to one that is", d.key)
	case vrrp.DiscardHMAC:
		return fmt.Sprintf("its signature with key %d is wrong: give that key the same secret on all routers; if it is the same, somebody forges packets", d.key)
	}
	return "its sequence was seen before: somebody replays packets, or the clock of its sender was set back"
}

// checksum tells of a checksum that fits no form.
func (d drop) checksum(c Instance) string {
	if _, unicast := c.Unicast[d.wire.family]; unicast && d.wire.family == vrrp.IPv4 && c.Version == vrrp.Version3 && !c.ChecksumCompat {
		return "its checksum is wrong: set vrrp.checksum_compat if its sender is an old keepalived, else it was damaged on the way"
	}
	return "its checksum is wrong: it was damaged on the way, or its sender computes it in a form of its own"
}

// window is how far the clocks may differ.
func (i *instance) window(f vrrp.Family) time.Duration {
	g := i.groups[f]
	if g == nil {
		return 0
	}
	return g.Window(i.config.AdvertInterval)
}
