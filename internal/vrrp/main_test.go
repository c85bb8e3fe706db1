// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// The routers of the tests: own is ours, low and high are peers whose
// addresses compare so to ours.
var (
	low4  = netip.MustParseAddr("192.0.2.1")
	own4  = netip.MustParseAddr("192.0.2.2")
	high4 = netip.MustParseAddr("192.0.2.3")
	low6  = netip.MustParseAddr("fe80::1")
	own6  = netip.MustParseAddr("fe80::2")
	high6 = netip.MustParseAddr("fe80::3")
)

var (
	vips4 = []netip.Addr{netip.MustParseAddr("198.51.100.10"), netip.MustParseAddr("198.51.100.11")}
	vips6 = []netip.Addr{netip.MustParseAddr("fe80::51"), netip.MustParseAddr("2001:db8::10")}
)

// peerAdvert4 and peerAdvert6 are what a peer that agrees with us advertises.
var (
	peerAdvert4 = Advertisement{Version: Version3, VRID: 51, Priority: 100, MaxAdvertInterval: time.Second, Addresses: vips4}
	peerAdvert6 = Advertisement{Version: Version3, VRID: 51, Priority: 100, MaxAdvertInterval: time.Second, Addresses: vips6}
	// peerAdvert2 is peerAdvert4 in version 2.
	peerAdvert2 = Advertisement{Version: Version2, VRID: 51, Priority: 100, MaxAdvertInterval: time.Second, Addresses: vips4}
)

// packetOf is a as the IP layer delivers it, unless edit spoils it.
func packetOf(a Advertisement, source netip.Addr, form ChecksumForm, edit func(*Packet)) Packet {
	group := FamilyOf(source).Group()
	p := Packet{
		Payload:     a.AppendTo(nil, source, group, form),
		Source:      source,
		Destination: group,
		TTL:         255,
	}
	if edit != nil {
		edit(&p)
	}
	return p
}

// resum makes the checksum of an edited packet right again.
func resum(p *Packet) {
	m := p.Payload
	form := PseudoHeader
	if m[0]>>4 == uint8(Version2) {
		form = MessageOnly
	}
	m[6], m[7] = 0, 0
	sum := ^fold(onesSum(form.pseudoHeaderSum(p.Source, p.Destination, len(m)), m))
	m[6], m[7] = uint8(sum>>8), uint8(sum)
}
