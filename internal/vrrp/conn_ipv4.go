// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
)

// wire4 is the IPv4 side of [Conn]. The kernel trims a datagram to the total
// length of its IP header before a raw socket sees it.
type wire4 struct {
	*ipv4.PacketConn
}

func newWire4(c *ipv4.PacketConn, ifi *net.Interface) (wire4, error) {
	steps := []struct {
		what string
		err  error
	}{
		{"join " + IPv4.Group().String(), c.JoinGroup(ifi, &net.IPAddr{IP: IPv4.Group().AsSlice()})},
		{"set multicast TTL", c.SetMulticastTTL(sendTTL)},
		{"turn multicast loop off", c.SetMulticastLoopback(false)},
		{"set traffic class", c.SetTOS(networkControl)},
		{"ask for TTL and destination", c.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst, true)},
	}
	for _, step := range steps {
		if step.err != nil {
			return wire4{}, fmt.Errorf("%s: %w", step.what, step.err)
		}
	}
	return wire4{c}, nil
}

func (w wire4) read(b []byte) (int, Packet, error) {
	n, header, from, err := w.ReadFrom(b)
	if err != nil {
		return 0, Packet{}, err
	}
	p := Packet{Source: sourceOf(from).Unmap()}
	if header != nil {
		p.Destination = addrOf(header.Dst).Unmap()
		p.TTL = header.TTL
	}
	return n, p, nil
}

func (w wire4) write(b []byte, source netip.Addr) error {
	_, err := w.WriteTo(b, &ipv4.ControlMessage{Src: source.AsSlice()}, &net.IPAddr{IP: IPv4.Group().AsSlice()})
	return err
}
