// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Forgery is a VRRP packet that no director may act upon.
type Forgery struct {
	What string
	vrrp []byte
	ttl  byte
}

// Forgeries returns one packet for each way in which it can be wrong for a pair
// that has only VRID 1. Each would win the election if it were taken.
func Forgeries(vip string) []Forgery {
	source, group := netip.MustParseAddr(strangerIP), netip.MustParseAddr("224.0.0.18")
	address := netip.MustParseAddr(vip).As4()
	// RFC 9568 section 5.2: version and type, VRID, priority, count, interval in
	// centiseconds, checksum (here with keepalived's pseudo-header), addresses.
	build := func(versionType, vrid byte) []byte {
		b := append([]byte{versionType, vrid, 254, 1, 0, 10, 0, 0}, address[:]...)
		var pseudo []byte
		if versionType>>4 == 3 {
			pseudo = append(append(append(pseudo, source.AsSlice()...), group.AsSlice()...), 0, vrrpProtocol, 0, byte(len(b)))
		}
		binary.BigEndian.PutUint16(b[6:], Checksum(append(pseudo, b...)))
		return b
	}
	badSum := build(0x31, 1)
	badSum[7] ^= 0x55
	return []Forgery{
		{"unknown VRID", build(0x31, 200), 255},
		{"TTL 64", build(0x31, 1), 64},
		{"checksum", badSum, 255},
		{"version 2", append(build(0x21, 1), make([]byte, 8)...), 255},
		{"type 2", build(0x32, 1), 255},
		{"six octets", build(0x31, 1)[:6], 255},
	}
}

// frame puts a forgery into IPv4 and Ethernet.
func (f Forgery) frame(from MAC) []byte {
	b := append([]byte{0x01, 0x00, 0x5e, 0x00, 0x00, 0x12}, from[:]...) // RFC 1112 section 6.4
	b = append(b, 0x08, 0x00)
	ip := []byte{0x45, 0xc0, 0, byte(20 + len(f.vrrp)), 0, 0, 0, 0, f.ttl, vrrpProtocol, 0, 0, 10, 0, 0, 66, 224, 0, 0, 18}
	binary.BigEndian.PutUint16(ip[10:], Checksum(ip))
	return append(append(b, ip...), f.vrrp...)
}

const (
	// floodTick is how often what is due is sent, with one system call for each
	// floodBatch of it.
	floodTick  = time.Millisecond
	floodBatch = 250
	// maxBacklog is how much is made up for when the generator was kept from
	// running; what was due before is never sent.
	maxBacklog = 20 * time.Millisecond
)

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	sent   uint32
	_      [4]byte
}

// Flood sends forgeries in turn from the stranger, rate of them a second, until
// ctx ends, and returns how many it sent: fewer than asked for where the machine
// cannot do more.
func (r *Rig) Flood(ctx context.Context, forgeries []Forgery, rate int) (sent int, err error) {
	var fd int
	err = r.Node(Stranger).Do(func() (err error) { fd, err = openSender(); return err })
	if err != nil {
		return 0, fmt.Errorf("open packet socket of the stranger: %w", err)
	}
	defer unix.Close(fd)
	batch := make([]mmsghdr, floodBatch)
	vectors := make([]unix.Iovec, len(batch))
	for i := range batch {
		frame := forgeries[i%len(forgeries)].frame(r.MAC[Stranger])
		vectors[i].Base = &frame[0]
		vectors[i].SetLen(len(frame))
		batch[i].header.Iov = &vectors[i]
		batch[i].header.SetIovlen(1)
	}
	tick := time.NewTicker(floodTick)
	defer tick.Stop()
	due := quota{rate: rate, last: time.Now()}
	for {
		select {
		case <-ctx.Done():
			return sent, nil
		case <-tick.C:
		}
		for left := due.take(time.Now()); left > 0 && ctx.Err() == nil; {
			n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&batch[0])), uintptr(min(left, len(batch))), 0, 0, 0)
			switch errno {
			case 0:
				sent += int(n)
				left -= int(n)
			case unix.EINTR:
			case unix.ENOBUFS:
				left = 0
			default:
				return sent, fmt.Errorf("send forged adverts: %w", errno)
			}
		}
	}
}

// quota says how many packets are due.
type quota struct {
	rate int // a second
	last time.Time
}

// take returns how many have become due since the last time, for which
// maxBacklog counts at most.
func (q *quota) take(now time.Time) int {
	if earliest := now.Add(-maxBacklog); q.last.Before(earliest) {
		q.last = earliest
	}
	n := int(now.Sub(q.last) * time.Duration(q.rate) / time.Second)
	q.last = q.last.Add(time.Duration(n) * time.Second / time.Duration(q.rate))
	return n
}

// openSender opens a packet socket that sends on the node's interface.
func openSender() (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // protocol 0: it receives nothing
	if err != nil {
		return -1, err
	}
	index, err := interfaceIndex(fd)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index})
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
