// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const (
	// sendTTL is the TTL or hop limit of all advertisements (RFC 9568 sections
	// 5.1.1.3 and 5.1.2.3).
	sendTTL = 255
	// networkControl is the traffic class of advertisements: CS6 (RFC 4594
	// section 3.1), so that they pass a saturated link.
	networkControl = 0xc0
)

// Conn sends and receives the advertisements of one address family on one
// interface. It hears all virtual routers there, and not itself. One goroutine
// may read while another writes and a third closes.
type Conn struct {
	ifname string
	family Family
	wire   wire
}

// wire is what differs between the socket interfaces of the two families.
type wire interface {
	// read returns the length of the payload read into b and the packet's
	// metadata with no payload.
	read(b []byte) (int, Packet, error)
	write(b []byte, source netip.Addr) error
	Close() error
}

// Listen opens the raw socket of family f, bound to the interface and joined
// to the VRRP group. It needs CAP_NET_RAW.
func Listen(ifname string, f Family) (*Conn, error) {
	w, err := listen(ifname, f)
	if err != nil {
		return nil, fmt.Errorf("listen for VRRP over %s on %s: %w", f, ifname, err)
	}
	return &Conn{ifname: ifname, family: f, wire: w}, nil
}

func listen(ifname string, f Family) (wire, error) {
	ifi, err := net.InterfaceByName(ifname)
	if err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return bindToDevice(raw, ifname)
	}}
	network, address := fmt.Sprintf("ip4:%d", Protocol), "0.0.0.0"
	if f == IPv6 {
		network, address = fmt.Sprintf("ip6:%d", Protocol), "::"
	}
	socket, err := config.ListenPacket(context.Background(), network, address)
	if err != nil {
		return nil, err
	}

	var w wire
	if f == IPv6 {
		w, err = newWire6(ipv6.NewPacketConn(socket), ifi)
	} else {
		w, err = newWire4(ipv4.NewPacketConn(socket), ifi)
	}
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return w, nil
}

// bindToDevice makes the socket hear and send on one interface only, whatever
// the routing table says.
func bindToDevice(raw syscall.RawConn, ifname string) error {
	var bindErr error
	err := raw.Control(func(fd uintptr) {
		bindErr = unix.BindToDevice(int(fd), ifname)
	})
	if err := errors.Join(err, bindErr); err != nil {
		return fmt.Errorf("bind to device: %w", err)
	}
	return nil
}

// ReadPacket waits for a packet and returns it; its payload is in buf, which
// has room for at least [ReadBufferSize] octets. The packet is not checked yet.
// The error is [net.ErrClosed] after Close.
func (c *Conn) ReadPacket(buf []byte) (Packet, error) {
	if len(buf) < ReadBufferSize {
		return Packet{}, fmt.Errorf("read VRRP packet: buffer of %d octets, need %d", len(buf), ReadBufferSize)
	}
	n, p, err := c.wire.read(buf)
	if err != nil {
		return Packet{}, fmt.Errorf("read VRRP packet over %s on %s: %w", c.family, c.ifname, err)
	}
	p.Payload = buf[:n]
	return p, nil
}

// WriteMessage sends the message b from source, an address of this host, to
// the VRRP group.
func (c *Conn) WriteMessage(b []byte, source netip.Addr) error {
	if err := c.wire.write(b, source); err != nil {
		return fmt.Errorf("send VRRP message from %s on %s: %w", source, c.ifname, err)
	}
	return nil
}

// Close closes the socket. A waiting ReadPacket returns.
func (c *Conn) Close() error {
	return c.wire.Close()
}

// addrOf converts an address of package net, without zone.
func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a
}

// sourceOf returns the address a datagram came from, without zone.
func sourceOf(a net.Addr) netip.Addr {
	if ip, ok := a.(*net.IPAddr); ok {
		return addrOf(ip.IP)
	}
	return netip.Addr{}
}
