// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"pgregory.net/rapid"
)

var (
	claimed4 = netip.MustParseAddr("192.0.2.10")
	claimed6 = netip.MustParseAddr("2001:db8::10")
)

// announced returns the frames that announce an address.
func announced(t testing.TB, vip netip.Addr, at net.HardwareAddr) [][]byte {
	t.Helper()
	frames, err := announcement(vip, at, true)
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

// changed returns a copy of a frame with octets replaced.
func changed(frame []byte, at int, octets ...byte) []byte {
	b := bytes.Clone(frame)
	copy(b[at:], octets)
	return b
}

// checksummed returns an ICMPv6 frame with its checksum made right.
func checksummed(frame []byte) []byte {
	b := changed(frame, icmpAt+2, 0, 0)
	end := icmpAt + int(binary.BigEndian.Uint16(b[ipLengthAt:]))
	for sum := 0; sum <= 0xffff; sum++ {
		binary.BigEndian.PutUint16(b[icmpAt+2:], uint16(sum))
		if checksumHolds(b[:end]) {
			break
		}
	}
	return b
}

// message returns the frame of an ICMPv6 message as a neighbour would send it.
func message(t testing.TB, m ndp.Message) []byte {
	t.Helper()
	source, group := netip.MustParseAddr("fe80::1"), netip.IPv6LinkLocalAllNodes()
	b, err := ndp.MarshalMessageChecksum(m, source, group)
	if err != nil {
		t.Fatal(err)
	}
	packet := []byte{6 << 4, 0, 0, 0, byte(len(b) >> 8), byte(len(b)), 58, 255}
	packet = append(append(append(packet, source.AsSlice()...), group.AsSlice()...), b...)
	f, err := frame(allNodesMAC, testMAC, ethernet.EtherTypeIPv6, packet)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestClaimIn(t *testing.T) {
	arp := announced(t, claimed4, testMAC)
	na := announced(t, claimed6, testMAC)[0]
	other := net.HardwareAddr{2, 0, 0, 0, 0, 7}
	nonce := &ndp.RawOption{Type: 14, Length: 1, Value: make([]byte, 6)}
	for name, tt := range map[string]struct {
		frame []byte
		vip   netip.Addr
		at    net.HardwareAddr
	}{
		"ARP request":                    {arp[0], claimed4, testMAC},
		"ARP reply":                      {arp[1], claimed4, testMAC},
		"ARP request for another":        {changed(arp[0], 38, 192, 0, 2, 1), claimed4, testMAC},
		"ARP of another than its sender": {changed(arp[0], arpSenderAt, other...), claimed4, other},
		"ARP probe":                      {changed(arp[0], arpSenderIPAt, 0, 0, 0, 0), netip.Addr{}, nil},
		"ARP of another hardware type":   {changed(arp[0], 14, 0, 6), netip.Addr{}, nil},
		"ARP of another protocol":        {changed(arp[0], 16, 0x86, 0xdd), netip.Addr{}, nil},
		"ARP of other address lengths":   {changed(arp[0], 18, 8), netip.Addr{}, nil},
		"ARP cut short":                  {arp[0][:arpEnd-1], netip.Addr{}, nil},
		"another EtherType":              {changed(arp[0], 12, 8, 0), netip.Addr{}, nil},
		"nothing":                        {nil, netip.Addr{}, nil},
		"advertisement":                  {na, claimed6, testMAC},
		"advertisement without option":   {message(t, &ndp.NeighborAdvertisement{TargetAddress: claimed6}), claimed6, testMAC},
		"solicited advertisement":        {message(t, &ndp.NeighborAdvertisement{Solicited: true, TargetAddress: claimed6}), claimed6, testMAC},
		"advertisement with an option and one of another kind": {message(t, &ndp.NeighborAdvertisement{TargetAddress: claimed6,
			Options: []ndp.Option{nonce, &ndp.LinkLayerAddress{Direction: ndp.Target, Addr: other}}}), claimed6, other},
		"advertisement with a source option": {message(t, &ndp.NeighborAdvertisement{TargetAddress: claimed6,
			Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: other}}}), claimed6, testMAC},
		"advertisement of a group":      {checksummed(changed(na, naTargetAt, 0xff, 0x02)), netip.Addr{}, nil},
		"solicitation":                  {message(t, &ndp.NeighborSolicitation{TargetAddress: claimed6}), netip.Addr{}, nil},
		"not version 6":                 {changed(na, 14, 4<<4), netip.Addr{}, nil},
		"another next header":           {changed(na, nextHeaderAt, 17), netip.Addr{}, nil},
		"forwarded":                     {changed(na, nextHeaderAt+1, 254), netip.Addr{}, nil},
		"another code":                  {checksummed(changed(na, icmpAt+1, 1)), netip.Addr{}, nil},
		"wrong checksum":                {changed(na, icmpAt+2, na[icmpAt+2]+1), netip.Addr{}, nil},
		"option of no length":           {checksummed(changed(na, naOptionsAt+1, 0)), netip.Addr{}, nil},
		"option longer than the packet": {checksummed(changed(na, naOptionsAt+1, 2)), netip.Addr{}, nil},
		"packet shorter than a message": {changed(na, ipLengthAt, 0, 23), netip.Addr{}, nil},
		"packet longer than the frame":  {changed(na, ipLengthAt, 0, 40), netip.Addr{}, nil},
		"half an option":                {checksummed(changed(na, ipLengthAt, 0, 25)), netip.Addr{}, nil},
		"advertisement cut short":       {na[:naOptionsAt-1], netip.Addr{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			vip, at, ok := claimIn(tt.frame)
			if ok != tt.vip.IsValid() {
				t.Fatalf("claims: %t (%s at %x)", ok, vip, at)
			}
			if ok && (vip != tt.vip || at != mac(tt.at)) {
				t.Errorf("%s at %x, want %s at %s", vip, at, tt.vip, tt.at)
			}
		})
	}
}

// TestClaimRoundTrip reads back what announcements of any address at any link-layer address say.
func TestClaimRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		octets := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")
		octets[0] &= 0x7f // no group
		vip, _ := netip.AddrFromSlice(octets[:rapid.SampledFrom([]int{4, 16}).Draw(t, "length")])
		if vip = vip.Unmap(); vip.IsUnspecified() {
			return
		}
		at := net.HardwareAddr(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "hardware address"))
		frames, err := announcement(vip, at, rapid.Bool().Draw(t, "router"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range frames {
			if gotVIP, gotAt, ok := claimIn(f); !ok || gotVIP != vip || gotAt != mac(at) {
				t.Errorf("%s at %x (%t), want %s at %s; frame %x", gotVIP, gotAt, ok, vip, at, f)
			}
		}
	})
}

// FuzzClaimIn holds the parser against gopacket and ndp: what claims an address can be read by others too.
func FuzzClaimIn(f *testing.F) {
	for _, vip := range []netip.Addr{claimed4, claimed6} {
		for _, frame := range announced(f, vip, testMAC) {
			f.Add(frame)
		}
	}
	f.Add(message(f, &ndp.NeighborSolicitation{TargetAddress: claimed6}))
	f.Add(message(f, &ndp.NeighborAdvertisement{TargetAddress: claimed6, Options: []ndp.Option{ndp.NewMTU(1500)}}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		before := bytes.Clone(frame)
		vip, _, ok := claimIn(frame)
		if !bytes.Equal(before, frame) {
			t.Error("the frame was changed")
		}
		if !ok {
			return
		}
		if !vip.IsValid() || vip.IsMulticast() && vip.Is6() || vip.IsUnspecified() && vip.Is4() {
			t.Errorf("claim of %s", vip)
		}
		if vip.Is4() {
			return
		}
		end := icmpAt + int(binary.BigEndian.Uint16(frame[ipLengthAt:]))
		m, err := ndp.ParseMessage(frame[icmpAt:end])
		if err != nil {
			return // ndp knows more options, and how long they must be
		}
		if na, ok := m.(*ndp.NeighborAdvertisement); !ok || na.TargetAddress.As16() != vip.As16() {
			t.Errorf("claim of %s, but ndp reads %+v", vip, m)
		}
	})
}
