// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/ndp"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// mac is an Ethernet address.
type mac [6]byte

// Offsets in an Ethernet frame (RFC 826; RFC 8200 section 3; RFC 4861 section 4.4).
const (
	sourceAt      = 6
	etherTypeAt   = 12
	arpHardwareAt = 14 // hardware and protocol type
	arpLengthsAt  = 18 // of hardware and protocol address
	arpSenderAt   = 22
	arpSenderIPAt = 28
	arpEnd        = 42

	ipLengthAt   = 18
	nextHeaderAt = 20
	ipSourceAt   = 22
	icmpAt       = 54
	naTargetAt   = 62
	naOptionsAt  = 78

	arpEthernetIPv4  = 1<<16 | unix.ETH_P_IP
	arpLengths64     = 6<<8 | 4
	nextHeaderAndHop = unix.IPPROTO_ICMPV6<<8 | ndp.HopLimit
	naTypeAndCode    = 136 << 8
	targetLinkLayer  = 2
)

// claimIn returns which address a frame says is at which link-layer address: ARP of either form does so by its sender
// (a probe has none, RFC 5227 section 1.1), a neighbour advertisement by its target. Frames that hosts must not believe
// (RFC 4861 section 7.1.2) claim nothing.
func claimIn(frame []byte) (vip netip.Addr, at mac, ok bool) {
	if len(frame) < arpEnd {
		return vip, at, false
	}
	switch binary.BigEndian.Uint16(frame[etherTypeAt:]) {
	case unix.ETH_P_ARP:
		if binary.BigEndian.Uint32(frame[arpHardwareAt:]) != arpEthernetIPv4 ||
			binary.BigEndian.Uint16(frame[arpLengthsAt:]) != arpLengths64 {
			return vip, at, false
		}
		vip = netip.AddrFrom4([4]byte(frame[arpSenderIPAt:]))
		return vip, mac(frame[arpSenderAt:]), !vip.IsUnspecified()
	case unix.ETH_P_IPV6:
		return advertisedIn(frame)
	}
	return vip, at, false
}

// advertisedIn is claimIn for IPv6.
func advertisedIn(frame []byte) (vip netip.Addr, at mac, ok bool) {
	if len(frame) < naOptionsAt || frame[etherTypeAt+2]>>4 != 6 ||
		binary.BigEndian.Uint16(frame[nextHeaderAt:]) != nextHeaderAndHop ||
		binary.BigEndian.Uint16(frame[icmpAt:]) != naTypeAndCode {
		return vip, at, false
	}
	end := icmpAt + int(binary.BigEndian.Uint16(frame[ipLengthAt:]))
	if end < naOptionsAt || end > len(frame) || !checksumHolds(frame[:end]) {
		return vip, at, false
	}
	vip, at = netip.AddrFrom16([16]byte(frame[naTargetAt:])), mac(frame[sourceAt:])
	for options := frame[naOptionsAt:end]; len(options) > 0; {
		if len(options) < 2 || options[1] == 0 || len(options) < 8*int(options[1]) {
			return vip, at, false
		}
		if options[0] == targetLinkLayer {
			at = mac(options[2:])
		}
		options = options[8*int(options[1]):]
	}
	return vip, at, !vip.IsMulticast()
}

// checksumHolds reports whether the checksum of an ICMPv6 frame is right (RFC 4443 section 2.3).
func checksumHolds(frame []byte) bool {
	sum := uint32(len(frame)-icmpAt) + unix.IPPROTO_ICMPV6
	for b := frame[ipSourceAt:]; len(b) > 0; b = b[min(2, len(b)):] {
		if sum += uint32(b[0]) << 8; len(b) > 1 {
			sum += uint32(b[1])
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum == 0xffff
}

// claimFilter is the socket filter of one interface for frames that may claim an address. A socket sees also what is for a
// VLAN or a macvlan above the interface, and frames of VLANs that nobody here is in, which count as another host's: only
// frames for the interface itself pass.
func claimFilter(index int, ipv6 bool) ([]bpf.RawInstruction, error) {
	match := []test{
		{bpf.LoadAbsolute{Off: arpHardwareAt, Size: 4}, arpEthernetIPv4},
		{bpf.LoadAbsolute{Off: arpLengthsAt, Size: 2}, arpLengths64},
	}
	if ipv6 {
		match = []test{
			{bpf.LoadAbsolute{Off: nextHeaderAt, Size: 2}, nextHeaderAndHop},
			{bpf.LoadAbsolute{Off: icmpAt, Size: 2}, naTypeAndCode},
		}
	}
	match = append(match, test{bpf.LoadExtension{Num: bpf.ExtInterfaceIndex}, uint32(index)})
	var program []bpf.Instruction
	for _, m := range match {
		program = append(program, m.load, bpf.JumpIf{Cond: bpf.JumpEqual, Val: m.want, SkipTrue: 1}, bpf.RetConstant{})
	}
	program = append(program, bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: unix.PACKET_OTHERHOST, SkipTrue: 1}, bpf.RetConstant{})
	if !ipv6 {
		program = append(program, bpf.LoadAbsolute{Off: arpSenderIPAt, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 1}, bpf.RetConstant{})
	}
	return bpf.Assemble(append(program, bpf.RetConstant{Val: claimFrameSize}))
}

// test is a value that a filter wants.
type test struct {
	load bpf.Instruction
	want uint32
}

// claimFrameSize is how many octets of a frame are read; a longer one is no advertisement that a host sends.
const claimFrameSize = 2048
