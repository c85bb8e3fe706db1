// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	frameHeader = 14
	ipv4Header  = 20
	ipv6Header  = 40

	// maxDatagram is the size up to which no link that carries IPv6 needs
	// fragments (RFC 8200 section 5); no IPv4 message is larger.
	maxDatagram = 1280
)

// frameSocket sends whole Ethernet frames. It receives nothing.
type frameSocket struct {
	file *os.File
	raw  syscall.RawConn
	name unix.RawSockaddrLinklayer // where frames go

	readBound func(fd uintptr)
	bound     unix.RawSockaddrLinklayer // as the kernel reports it
}

// openFrameSocket returns nil when the link is no Ethernet.
func openFrameSocket(index int, f Family) (*frameSocket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), "packet socket")
	s, err := newFrameSocket(file, fd, index, f)
	if err != nil || s == nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

func newFrameSocket(file *os.File, fd, index int, f Family) (*frameSocket, error) {
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
		return nil, fmt.Errorf("bind packet socket: %w", err)
	}
	s := &frameSocket{file: file, name: unix.RawSockaddrLinklayer{
		Family: unix.AF_PACKET, Protocol: bigEndian(etherType(f)), Ifindex: int32(index), Halen: 6,
	}}
	copy(s.name.Addr[:], groupMAC(f))
	s.readBound = s.getsockname
	s.readBound(uintptr(fd))
	if s.bound.Hatype != unix.ARPHRD_ETHER || s.bound.Halen != 6 {
		return nil, nil
	}
	if err := setBuffers(fd); err != nil {
		return nil, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, socketPriority); err != nil {
		return nil, fmt.Errorf("set priority of packet socket: %w", err)
	}
	var err error
	if s.raw, err = file.SyscallConn(); err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	return s, nil
}

// getsockname reads the link's type and its MAC address of now.
func (s *frameSocket) getsockname(fd uintptr) {
	size := uint32(unix.SizeofSockaddrLinklayer)
	unix.RawSyscall(unix.SYS_GETSOCKNAME, fd, uintptr(unsafe.Pointer(&s.bound)), uintptr(unsafe.Pointer(&size)))
}

// Close closes the socket.
func (s *frameSocket) Close() error { return s.file.Close() }

// refresh learns the MAC address of the interface, which may have changed.
func (s *frameSocket) refresh() {
	s.raw.Control(s.readBound)
}

// takes says whether m is to leave as a frame.
func (s *frameSocket) takes(m *Outgoing) bool {
	return s != nil && m.Destination == FamilyOf(m.Source).Group() && len(m.Payload) <= maxDatagram-ipv6Header
}

// prepare puts Ethernet and IP header before the payload of e.
func (s *frameSocket) prepare(e *entry) {
	m := e.message
	f := FamilyOf(m.Source)
	b := append(e.before[:0], groupMAC(f)...)
	if len(m.HardwareSource) > 0 {
		b = append(b, m.HardwareSource...)
	} else {
		b = append(b, s.bound.Addr[:6]...)
	}
	b = binary.BigEndian.AppendUint16(b, etherType(f))
	if f == IPv4 {
		b = appendIPv4Header(b, m)
	} else {
		b = appendIPv6Header(b, m)
	}
	e.vectors[0].Base = &e.before[0]
	e.vectors[0].SetLen(len(b))
	*(*unix.RawSockaddrLinklayer)(unsafe.Pointer(&e.name)) = s.name
}

// appendIPv4Header appends the header of an atomic datagram (RFC 6864 section
// 4.1): it is not to be fragmented and has no identification.
func appendIPv4Header(b []byte, m *Outgoing) []byte {
	const version4, dontFragment = 0x45, 0x4000
	start := len(b)
	b = append(b, version4, networkControl)
	b = binary.BigEndian.AppendUint16(b, uint16(ipv4Header+len(m.Payload)))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, dontFragment)
	b = append(b, uint8(m.TTL), Protocol, 0, 0)
	source, destination := m.Source.As4(), m.Destination.As4()
	b = append(b, source[:]...)
	b = append(b, destination[:]...)
	binary.BigEndian.PutUint16(b[start+10:], ^fold(onesSum(0, b[start:])))
	return b
}

func appendIPv6Header(b []byte, m *Outgoing) []byte {
	const version6 = 6 << 28
	b = binary.BigEndian.AppendUint32(b, version6|networkControl<<20)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.Payload)))
	b = append(b, Protocol, uint8(m.TTL))
	source, destination := m.Source.As16(), m.Destination.As16()
	b = append(b, source[:]...)
	return append(b, destination[:]...)
}

// groupMAC is the MAC address of the multicast group (RFC 1112 section 6.4, RFC
// 2464 section 7).
func groupMAC(f Family) net.HardwareAddr {
	if f == IPv4 {
		return groupMAC4
	}
	return groupMAC6
}

var (
	groupMAC4 = net.HardwareAddr{0x01, 0x00, 0x5e, 0x00, 0x00, 0x12}
	groupMAC6 = net.HardwareAddr{0x33, 0x33, 0x00, 0x00, 0x00, 0x12}
)

func etherType(f Family) uint16 {
	if f == IPv4 {
		return unix.ETH_P_IP
	}
	return unix.ETH_P_IPV6
}

// bigEndian is v in network byte order.
func bigEndian(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}
