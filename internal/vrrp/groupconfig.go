// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"slices"
)

// GroupConfig configures a [Group]. It is plain data. It holds secrets: do not
// print it.
type GroupConfig struct {
	// Version is [Version3] unless it is set; [Version2] is for IPv4 alone.
	Version Version
	// VRID is 1 to 255.
	VRID uint8
	// Family is that of Addresses.
	Family Family
	// Addresses are the virtual addresses, 1 to 255 of them.
	Addresses []netip.Addr
	// Password is sent in clear text by version 2, at most 8 octets of it; empty:
	// none is sent nor expected.
	Password string
	// Unicast is nil for multicast.
	Unicast *Unicast
	// ChecksumCompat sends version 3 over IPv4 unicast in the form
	// [GroupPseudoHeader], and accepts it.
	ChecksumCompat bool
	// Auth is nil for messages without trailer.
	Auth *Auth
}

// Unicast configures advertisements to a list of peers instead of the multicast
// group, which RFC 9568 does not know.
type Unicast struct {
	// Source is the address to send from and to be sent to; the zero Addr: that
	// of [Group.SetLocal].
	Source netip.Addr
	// Peers are the other routers. What others send is discarded.
	Peers []netip.Addr
	// TTL to send with, 1 to 255; 0: 255.
	TTL int
	// MinTTL is the smallest TTL accepted, 1 to 255; 0: 255, peers are on the
	// same link.
	MinTTL int
}

// clone copies c so that the caller may go on changing its own.
func (c GroupConfig) clone() GroupConfig {
	c.Version = c.Version.orDefault()
	c.Addresses = slices.Clone(c.Addresses)
	if c.Unicast != nil {
		u := *c.Unicast
		u.Source = u.Source.WithZone("")
		u.Peers = slices.Clone(u.Peers)
		for i, peer := range u.Peers {
			u.Peers[i] = peer.WithZone("")
		}
		c.Unicast = &u
	}
	return c
}

// ttl is the TTL to send with.
func (c GroupConfig) ttl() int {
	if c.Unicast == nil || c.Unicast.TTL == 0 {
		return TTL
	}
	return c.Unicast.TTL
}

// minTTL is the smallest TTL accepted: the one that only routers on the same
// link can reach (RFC 9568 section 5.1.1.3), unless a lower one is configured.
func (c GroupConfig) minTTL() int {
	if c.Unicast == nil {
		return TTL
	}
	return c.Unicast.LeastTTL()
}

// LeastTTL is MinTTL or its default.
func (u Unicast) LeastTTL() int {
	if u.MinTTL == 0 {
		return TTL
	}
	return u.MinTTL
}

// authType is the authentication type of version 2.
func (c GroupConfig) authType() AuthType {
	if c.Password != "" {
		return SimpleText
	}
	return NoAuthentication
}

// authData is the authentication data of version 2: the password padded with
// zero octets, all zero without one.
func (c GroupConfig) authData() [authDataSize]byte {
	var data [authDataSize]byte
	copy(data[:], c.Password)
	return data
}
