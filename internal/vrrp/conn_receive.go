// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// batchSize is how many packets one system call reads at most.
	batchSize = 32

	maxHeader4 = 60 // octets of an IPv4 header with options
	// payloadRoom is one octet more than the longest message, so that a longer
	// one is seen to be so.
	payloadRoom4 = headerSize + maxAddresses*4 + authDataSize + trailerSize + 1
	payloadRoom6 = MaxMessageSize + 1
	controlRoom  = 64
)

// Batch is the memory of [Conn.ReadPackets]. The zero value is ready; it belongs
// to one Conn and one goroutine.
type Batch struct {
	family  Family
	packets []Packet
	headers []mmsghdr
	vectors []unix.Iovec
	data    [][]byte
	control [][]byte                // IPv6
	names   []unix.RawSockaddrInet6 // IPv6

	receive func(fd uintptr) bool
	n       int
	err     error
}

// mmsghdr is struct mmsghdr of linux/socket.h.
type mmsghdr struct {
	unix.Msghdr
	n uint32
}

func (b *Batch) init(f Family) {
	if b.receive != nil {
		return
	}
	room := maxHeader4 + payloadRoom4
	if f == IPv6 {
		room = payloadRoom6
	}
	*b = Batch{
		family:  f,
		packets: make([]Packet, 0, batchSize),
		headers: make([]mmsghdr, batchSize),
		vectors: make([]unix.Iovec, batchSize),
		data:    make([][]byte, batchSize),
		control: make([][]byte, batchSize),
		names:   make([]unix.RawSockaddrInet6, batchSize),
	}
	for i := range b.headers {
		b.data[i] = make([]byte, room)
		b.vectors[i].Base = &b.data[i][0]
		b.vectors[i].SetLen(room)
		b.headers[i].Iov = &b.vectors[i]
		b.headers[i].SetIovlen(1)
		if f == IPv6 {
			b.control[i] = make([]byte, controlRoom)
			b.headers[i].Control = &b.control[i][0]
			b.headers[i].Name = (*byte)(unsafe.Pointer(&b.names[i]))
		}
	}
	b.receive = b.recvmmsg
}

// recvmmsg reads what is there and reports whether anything came.
func (b *Batch) recvmmsg(fd uintptr) bool {
	if b.family == IPv6 {
		for i := range b.headers {
			b.headers[i].SetControllen(controlRoom)
			b.headers[i].Namelen = unix.SizeofSockaddrInet6
		}
	}
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.headers[0])),
			batchSize, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			b.n, b.err = int(n), nil
			return true
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false
		default:
			b.n, b.err = 0, errno
			return true
		}
	}
}

// ReadPackets waits for packets and returns those that are there; they stay
// valid until the next call with the same buf. They are not checked yet. The
// error is [net.ErrClosed] after Close.
func (c *Conn) ReadPackets(buf *Batch) ([]Packet, error) {
	buf.init(c.family)
	err := c.raw.Read(buf.receive)
	if err == nil {
		err = buf.err
	}
	if err != nil {
		return nil, fmt.Errorf("read VRRP packets over %s on %s: %w", c.family, c.ifname, err)
	}
	buf.packets = buf.packets[:0]
	for i := range buf.n {
		b := buf.data[i][:buf.headers[i].n]
		if c.family == IPv4 {
			buf.packets = append(buf.packets, packet4(b))
		} else {
			control := buf.control[i][:min(int(buf.headers[i].Controllen), controlRoom)]
			buf.packets = append(buf.packets, packet6(b, netip.AddrFrom16(buf.names[i].Addr), control))
		}
	}
	return buf.packets, nil
}

// packet4 takes an IPv4 datagram apart, which a raw socket delivers with its
// header. The kernel has verified the header and trimmed the datagram to its
// total length.
func packet4(b []byte) Packet {
	if len(b) < 20 {
		return Packet{}
	}
	header := min(int(b[0]&0xf)*4, len(b))
	return Packet{
		Payload:     b[header:],
		Source:      netip.AddrFrom4([4]byte(b[12:16])),
		Destination: netip.AddrFrom4([4]byte(b[16:20])),
		TTL:         int(b[8]),
	}
}

// packet6 takes destination and hop limit out of the control messages.
func packet6(payload []byte, source netip.Addr, control []byte) Packet {
	p := Packet{Payload: payload, Source: source}
	header := unix.CmsgLen(0)
	for len(control) >= header {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		length := int(h.Len)
		if length < header || length > len(control) {
			break
		}
		data := control[header:length]
		switch {
		case h.Level != unix.IPPROTO_IPV6:
		case h.Type == unix.IPV6_PKTINFO && len(data) >= 16:
			p.Destination = netip.AddrFrom16([16]byte(data[:16]))
		case h.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			p.TTL = int(binary.NativeEndian.Uint32(data))
		}
		control = control[min(unix.CmsgSpace(length-header), len(control)):]
	}
	return p
}
