// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Write sends the messages with as few system calls as possible and never
// waits. One that fails does not stop the others; the errors are joined.
//
// Over Ethernet a multicast message leaves as a frame made here: that is cheaper
// than the way through the IP layer, and the source MAC address may be any. The
// IP layer sends unicast, multicast on other links, and what is too large for a
// frame; there HardwareSource has no meaning.
func (c *Conn) Write(messages []Outgoing) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	refreshed := false
	var errs []error
	for i := range messages {
		m := &messages[i]
		if err := m.check(c.family); err != nil {
			errs = append(errs, m.failed(err))
		} else if c.frames.takes(m) {
			if !refreshed && len(m.HardwareSource) == 0 {
				c.frames.refresh()
				refreshed = true
			}
			c.frames.prepare(c.framer.next(m))
		} else {
			c.sender.next(m).route(c.index)
		}
	}
	errs = c.framer.flush(errs)
	errs = c.sender.flush(errs)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("send VRRP over %s on %s: %w", c.family, c.ifname, err)
	}
	return nil
}

// check refuses what no header can hold.
func (m *Outgoing) check(f Family) error {
	switch {
	case !m.Source.IsValid() || FamilyOf(m.Source) != f || !m.Destination.IsValid() || FamilyOf(m.Destination) != f:
		return fmt.Errorf("not both are %s addresses", f)
	case m.TTL < 1 || m.TTL > 255:
		return fmt.Errorf("TTL %d is not 1 to 255", m.TTL)
	case len(m.HardwareSource) != 0 && len(m.HardwareSource) != 6:
		return fmt.Errorf("source MAC address %s has not 6 octets", m.HardwareSource)
	default:
		return nil
	}
}

func (m *Outgoing) failed(err error) error {
	return fmt.Errorf("from %s to %s: %w", m.Source, m.Destination, err)
}

// sender sends messages over one socket. Its memory is reused.
type sender struct {
	raw     syscall.RawConn
	entries []*entry
	headers []mmsghdr // of the messages to be sent, one for each entry

	sendmmsg func(fd uintptr) bool
	at, n    int // headers sent, and those of the last call
	errno    unix.Errno
}

// entry is one message on its way to the kernel.
type entry struct {
	message *Outgoing
	vectors [2]unix.Iovec // what is put before the payload, the payload
	control [128]byte     // here it is aligned as Cmsghdr has to be, name likewise
	name    unix.RawSockaddrAny
	before  [frameHeader + ipv6Header]byte
	filled  int // octets of control
}

// next returns the entry for m, which is to be given its address and what is
// put before its payload.
func (s *sender) next(m *Outgoing) *entry {
	i := len(s.headers)
	if i == len(s.entries) {
		s.entries = append(s.entries, &entry{})
	}
	s.headers = append(s.headers, mmsghdr{})
	e := s.entries[i]
	e.message = m
	e.filled = 0
	return e
}

// flush sends all messages and appends what failed to errs.
func (s *sender) flush(errs []error) []error {
	if len(s.headers) == 0 {
		return errs
	}
	if s.sendmmsg == nil {
		s.sendmmsg = s.send
	}
	for i := range s.headers {
		s.entries[i].complete(&s.headers[i])
	}
	for s.at = 0; s.at < len(s.headers); {
		err := s.raw.Write(s.sendmmsg)
		if err == nil && s.errno != 0 {
			err = s.errno
		}
		if err == nil {
			s.at += s.n
			continue
		}
		errs = append(errs, s.entries[s.at].message.failed(err))
		s.at++
	}
	for i := range s.headers {
		s.entries[i].message = nil
		s.entries[i].vectors[1].Base = nil
	}
	s.headers = s.headers[:0]
	return errs
}

// send sends the rest of the headers, up to the first that the kernel refuses.
// It never waits: what does not fit into the queue now is late already.
func (s *sender) send(fd uintptr) bool {
	rest := s.headers[s.at:]
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&rest[0])),
			uintptr(len(rest)), unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		s.n, s.errno = int(n), errno
		return true
	}
}

// complete makes h the header of the message.
func (e *entry) complete(h *mmsghdr) {
	e.vectors[1].Base = unsafe.SliceData(e.message.Payload)
	e.vectors[1].SetLen(len(e.message.Payload))
	h.Iov = &e.vectors[0]
	h.SetIovlen(len(e.vectors))
	h.Name = (*byte)(unsafe.Pointer(&e.name))
	h.Namelen = nameSize(e.name.Addr.Family)
	if e.filled > 0 {
		h.Control = &e.control[0]
		h.SetControllen(e.filled)
	}
}

func nameSize(family uint16) uint32 {
	switch family {
	case unix.AF_INET:
		return unix.SizeofSockaddrInet4
	case unix.AF_INET6:
		return unix.SizeofSockaddrInet6
	default:
		return unix.SizeofSockaddrLinklayer
	}
}

// route gives the message addresses and TTL for the IP layer.
func (e *entry) route(index int) {
	m := e.message
	e.vectors[0] = unix.Iovec{}
	if m.Destination.Is4() {
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(&e.name)) = unix.RawSockaddrInet4{
			Family: unix.AF_INET, Addr: m.Destination.As4(),
		}
		info := unix.Inet4Pktinfo{Ifindex: int32(index), Spec_dst: m.Source.As4()}
		e.add(unix.IPPROTO_IP, unix.IP_PKTINFO, (*[unix.SizeofInet4Pktinfo]byte)(unsafe.Pointer(&info))[:])
		e.addInt(unix.IPPROTO_IP, unix.IP_TTL, m.TTL)
		return
	}
	*(*unix.RawSockaddrInet6)(unsafe.Pointer(&e.name)) = unix.RawSockaddrInet6{
		Family: unix.AF_INET6, Addr: m.Destination.As16(), Scope_id: uint32(index),
	}
	info := unix.Inet6Pktinfo{Addr: m.Source.As16(), Ifindex: uint32(index)}
	e.add(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, (*[unix.SizeofInet6Pktinfo]byte)(unsafe.Pointer(&info))[:])
	e.addInt(unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, m.TTL)
}

// add appends a control message.
func (e *entry) add(level, kind int32, data []byte) {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&e.control[e.filled]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(len(data)))
	copy(e.control[e.filled+unix.CmsgLen(0):], data)
	e.filled += unix.CmsgSpace(len(data))
}

func (e *entry) addInt(level, kind int32, value int) {
	var data [4]byte
	binary.NativeEndian.PutUint32(data[:], uint32(value))
	e.add(level, kind, data[:])
}
