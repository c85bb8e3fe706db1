// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/ipv6"
)

// wire6 is the IPv6 side of [Conn]. On a raw socket of protocol 112 the kernel
// neither computes nor verifies checksums (it would only for ICMPv6, or where
// IPV6_CHECKSUM asks for it), so those of the codec are sent and received as
// they are.
type wire6 struct {
	*ipv6.PacketConn
	index int
}

func newWire6(c *ipv6.PacketConn, ifi *net.Interface) (wire6, error) {
	steps := []struct {
		what string
		err  error
	}{
		{"join " + IPv6.Group().String(), c.JoinGroup(ifi, &net.IPAddr{IP: IPv6.Group().AsSlice()})},
		{"set multicast hop limit", c.SetMulticastHopLimit(sendTTL)},
		{"turn multicast loop off", c.SetMulticastLoopback(false)},
		{"set traffic class", c.SetTrafficClass(networkControl)},
		{"ask for hop limit and destination", c.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst, true)},
	}
	for _, step := range steps {
		if step.err != nil {
			return wire6{}, fmt.Errorf("%s: %w", step.what, step.err)
		}
	}
	return wire6{PacketConn: c, index: ifi.Index}, nil
}

func (w wire6) read(b []byte) (int, Packet, error) {
	n, header, from, err := w.ReadFrom(b)
	if err != nil {
		return 0, Packet{}, err
	}
	p := Packet{Source: sourceOf(from)}
	if header != nil {
		p.Destination = addrOf(header.Dst)
		p.TTL = header.HopLimit
	}
	return n, p, nil
}

func (w wire6) write(b []byte, source netip.Addr) error {
	header := &ipv6.ControlMessage{Src: source.AsSlice(), IfIndex: w.index}
	_, err := w.WriteTo(b, header, &net.IPAddr{IP: IPv6.Group().AsSlice()})
	return err
}
