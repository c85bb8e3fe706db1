// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const (
	// networkControl is the traffic class of advertisements: CS6 (RFC 4594
	// section 3.1), so that they pass a saturated link.
	networkControl = 0xc0
	// socketPriority lets them pass this host's own queue likewise: the highest
	// that needs no privilege (TC_PRIO_INTERACTIVE of linux/pkt_sched.h).
	socketPriority = 6

	// bufferSize holds a burst of 255 virtual routers in either direction; the
	// kernel counts about 2 KiB for each of their packets.
	bufferSize = 1 << 20
)

// Conn sends and receives the advertisements of one address family on one
// interface. It hears all virtual routers there, over multicast and unicast,
// and not itself. One goroutine may read while others write and close.
type Conn struct {
	ifname string
	family Family
	index  int

	socket *net.IPConn     // receives; sends what frames cannot
	raw    syscall.RawConn // of socket
	frames *frameSocket    // nil: the link is no Ethernet

	writing sync.Mutex
	sender  sender // of socket
	framer  sender // of frames
}

// CapabilityError says that the kernel refused a raw socket. It wraps
// [unix.EPERM].
type CapabilityError struct {
	// Err is the kernel's error.
	Err error
}

// Error says what is missing and what to do.
func (e *CapabilityError) Error() string {
	return fmt.Sprintf("%v: raw sockets need the capability CAP_NET_RAW: "+
		"start the daemon as root, or with AmbientCapabilities=CAP_NET_RAW in its systemd unit", e.Err)
}

// Unwrap returns Err.
func (e *CapabilityError) Unwrap() error { return e.Err }

// Listen opens the sockets of family f, bound to the interface and joined to
// the VRRP group. The error is a [CapabilityError] where CAP_NET_RAW is missing.
func Listen(ifname string, f Family) (*Conn, error) {
	c, err := listen(ifname, f)
	if errors.Is(err, unix.EPERM) {
		err = &CapabilityError{Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("listen for VRRP over %s on %s: %w", f, ifname, err)
	}
	return c, nil
}

func listen(ifname string, f Family) (*Conn, error) {
	ifi, err := net.InterfaceByName(ifname)
	if err != nil {
		return nil, err
	}
	c := &Conn{ifname: ifname, family: f, index: ifi.Index}
	if c.socket, err = openSocket(ifname, f); err != nil {
		return nil, err
	}
	if f == IPv6 {
		err = prepare6(ipv6.NewPacketConn(c.socket), ifi)
	} else {
		err = prepare4(ipv4.NewPacketConn(c.socket), ifi)
	}
	if err == nil {
		c.raw, err = c.socket.SyscallConn()
	}
	if err == nil {
		err = prioritise(c.raw)
	}
	if err == nil {
		c.frames, err = openFrameSocket(ifi.Index, f)
	}
	if err != nil {
		return nil, errors.Join(err, c.socket.Close())
	}
	c.sender.raw = c.raw
	if c.frames != nil {
		c.framer.raw = c.frames.raw
	}
	return c, nil
}

// openSocket opens a raw socket that hears and sends on one interface only,
// whatever the routing table says.
func openSocket(ifname string, f Family) (*net.IPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var errBind, errBuffers error
		err := raw.Control(func(fd uintptr) {
			errBind = unix.BindToDevice(int(fd), ifname)
			errBuffers = setBuffers(int(fd))
		})
		if err := errors.Join(err, errBind); err != nil {
			return fmt.Errorf("bind to device: %w", err)
		}
		return errBuffers
	}}
	network, address := fmt.Sprintf("ip4:%d", Protocol), "0.0.0.0"
	if f == IPv6 {
		network, address = fmt.Sprintf("ip6:%d", Protocol), "::"
	}
	socket, err := config.ListenPacket(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	return socket.(*net.IPConn), nil
}

// prioritise comes after the traffic class, which sets a priority too.
func prioritise(raw syscall.RawConn) error {
	var errOption error
	err := raw.Control(func(fd uintptr) {
		errOption = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PRIORITY, socketPriority)
	})
	if err := errors.Join(err, errOption); err != nil {
		return fmt.Errorf("set priority: %w", err)
	}
	return nil
}

// setBuffers asks for room for a burst: beyond the limit of the system where we
// may (CAP_NET_ADMIN), else up to it.
func setBuffers(fd int) error {
	for _, option := range []struct{ force, plain int }{
		{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF},
		{unix.SO_SNDBUFFORCE, unix.SO_SNDBUF},
	} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, option.force, bufferSize) == nil {
			continue
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option.plain, bufferSize); err != nil {
			return fmt.Errorf("set socket buffers: %w", err)
		}
	}
	return nil
}

// step is one setting of a socket.
type step struct {
	what string
	err  error
}

func firstFailed(steps []step) error {
	for _, s := range steps {
		if s.err != nil {
			return fmt.Errorf("%s: %w", s.what, s.err)
		}
	}
	return nil
}

func prepare4(c *ipv4.PacketConn, ifi *net.Interface) error {
	return firstFailed([]step{
		{"join " + IPv4.Group().String(), c.JoinGroup(ifi, &net.IPAddr{IP: IPv4.Group().AsSlice()})},
		{"turn multicast loop off", c.SetMulticastLoopback(false)},
		{"set traffic class", c.SetTOS(networkControl)},
	})
}

// prepare6 leaves the checksum to the codec: on a raw socket of protocol 112 the
// kernel neither computes nor verifies it (it would only for ICMPv6, or where
// IPV6_CHECKSUM asks for it).
func prepare6(c *ipv6.PacketConn, ifi *net.Interface) error {
	return firstFailed([]step{
		{"join " + IPv6.Group().String(), c.JoinGroup(ifi, &net.IPAddr{IP: IPv6.Group().AsSlice()})},
		{"turn multicast loop off", c.SetMulticastLoopback(false)},
		{"set traffic class", c.SetTrafficClass(networkControl)},
		{"ask for hop limit and destination", c.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst, true)},
	})
}

// Close closes the sockets. A waiting ReadPackets returns.
func (c *Conn) Close() error {
	if c.frames == nil {
		return c.socket.Close()
	}
	return errors.Join(c.socket.Close(), c.frames.Close())
}
