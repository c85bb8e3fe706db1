// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/topo"
)

// frame is an Ethernet frame, and when the kernel saw it.
type frame struct {
	at     time.Time
	octets []byte
}

// sender returns who sent the frame.
func (f frame) sender() net.HardwareAddr { return f.octets[6:12] }

// capture keeps all frames of some senders that reach the client.
type capture struct {
	*segment
	conn *packet.Conn
	raw  syscall.RawConn

	mu     sync.Mutex
	frames []frame
	more   chan struct{} // closed and replaced at each frame
}

// captureFrom captures until the test ends.
func (s *segment) captureFrom(senders ...net.HardwareAddr) *capture {
	s.t.Helper()
	c := &capture{segment: s, more: make(chan struct{})}
	filter, err := bpf.Assemble(sentBy(senders))
	s.must(err)
	s.must(topo.Within(s.client, func() error {
		ifi, err := net.InterfaceByName(bridge)
		if err != nil {
			return err
		}
		c.conn, err = packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, &packet.Config{Filter: filter})
		return err
	}))
	c.raw, err = c.conn.SyscallConn()
	s.must(err)
	var errBuffer, errStamp error
	err = c.raw.Control(func(fd uintptr) {
		errBuffer = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20)
		errStamp = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	})
	s.must(errors.Join(err, errBuffer, errStamp))
	var capturing sync.WaitGroup
	capturing.Go(c.run)
	s.t.Cleanup(func() {
		_ = c.conn.SetReadDeadline(time.Now())
		capturing.Wait()
		c.conn.Close()
	})
	return c
}

// sentBy is a filter for the frames of senders.
func sentBy(senders []net.HardwareAddr) []bpf.Instruction {
	var all []bpf.Instruction
	for _, mac := range senders {
		all = append(all,
			bpf.LoadAbsolute{Off: 6, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(mac), SkipTrue: 3},
			bpf.LoadAbsolute{Off: 10, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(binary.BigEndian.Uint16(mac[4:])), SkipTrue: 1},
			bpf.RetConstant{Val: 1 << 16},
		)
	}
	return append(all, bpf.RetConstant{Val: 0})
}

func (c *capture) run() {
	b, oob := make([]byte, 2048), make([]byte, 128)
	for {
		var n, oobn int
		var failed error
		err := c.raw.Read(func(fd uintptr) bool {
			n, oobn, _, _, failed = unix.Recvmsg(int(fd), b, oob, unix.MSG_DONTWAIT)
			return !errors.Is(failed, unix.EAGAIN)
		})
		if err = errors.Join(err, failed); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				c.t.Error(err)
			}
			return
		}
		c.mu.Lock()
		c.frames = append(c.frames, frame{stamp(oob[:oobn]), bytes.Clone(b[:n])})
		close(c.more)
		c.more = make(chan struct{})
		c.mu.Unlock()
	}
}

// stamp returns the kernel's time (socket(7), SO_TIMESTAMPNS), or now where
// there is none.
func stamp(oob []byte) time.Time {
	h, data, _, err := unix.ParseOneSocketControlMessage(oob)
	if err != nil || h.Type != unix.SCM_TIMESTAMPNS || len(data) < int(unsafe.Sizeof(unix.Timespec{})) {
		return time.Now()
	}
	return time.Unix(int64(binary.NativeEndian.Uint64(data)), int64(binary.NativeEndian.Uint64(data[8:])))
}

// since returns the frames since from.
func (c *capture) since(from time.Time) []frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.frames), func(f frame) bool { return f.at.Before(from) })
}

// wait waits for a frame since from.
func (c *capture) wait(from time.Time, what string, wanted func(frame) bool) {
	c.t.Helper()
	seen := 0
	for late := time.After(patience); ; {
		c.mu.Lock()
		fresh, more := c.frames[seen:], c.more
		c.mu.Unlock()
		seen += len(fresh)
		if slices.ContainsFunc(fresh, func(f frame) bool { return !f.at.Before(from) && wanted(f) }) {
			return
		}
		select {
		case <-more:
		case <-late:
			c.t.Fatalf("no %s on the wire", what)
		}
	}
}

// The lengths of headers, and the IP protocol of VRRP.
const (
	vrrpProtocol   = 112
	ethernetLength = 14
	ipv6Length     = 40
	vrrpLength     = 8
)

// packet returns what follows the IP header of a protocol (IPv4) or next header
// (IPv6); nil: the frame has something else.
func (f frame) packet(protocol byte) []byte {
	if len(f.octets) < ethernetLength+20 {
		return nil
	}
	ip := f.octets[ethernetLength:]
	switch binary.BigEndian.Uint16(f.octets[12:]) {
	case unix.ETH_P_IP:
		if ip[9] == protocol {
			return ip[int(ip[0]&0xf)*4 : binary.BigEndian.Uint16(ip[2:])]
		}
	case unix.ETH_P_IPV6:
		if ip[6] == 0 { // hop-by-hop options, which MLD has
			next := ip[ipv6Length:]
			if next[0] == protocol {
				return next[8+int(next[1])*8:]
			}
		} else if ip[6] == protocol {
			return ip[ipv6Length:]
		}
	}
	return nil
}

// wireAdvert is an advert of version 3 (RFC 9568 section 5.2).
type wireAdvert struct {
	at        time.Time
	priority  byte
	interval  time.Duration
	addresses []netip.Addr
}

// advert returns the advert in the frame, if it is one.
func (f frame) advert() (a wireAdvert, ok bool) {
	b := f.packet(vrrpProtocol)
	if len(b) < vrrpLength {
		return a, false
	}
	size := 4
	if binary.BigEndian.Uint16(f.octets[12:]) == unix.ETH_P_IPV6 {
		size = 16
	}
	interval := time.Duration(binary.BigEndian.Uint16(b[4:])&0xfff) * 10 * time.Millisecond
	a = wireAdvert{at: f.at, priority: b[2], interval: interval}
	for list := b[vrrpLength:]; len(a.addresses) < int(b[3]) && len(list) >= size; list = list[size:] {
		address, _ := netip.AddrFromSlice(list[:size])
		a.addresses = append(a.addresses, address)
	}
	return a, true
}

// adverts returns those of a director since from.
func (c *capture) adverts(n *node, from time.Time) []wireAdvert {
	var all []wireAdvert
	for _, f := range c.since(from) {
		if a, ok := f.advert(); ok && bytes.Equal(f.sender(), n.mac) {
			all = append(all, a)
		}
	}
	return all
}

// waitAdvert waits for an advert of a director since from.
func (c *capture) waitAdvert(n *node, from time.Time) {
	c.t.Helper()
	c.wait(from, "advert of "+n.name, func(f frame) bool {
		_, ok := f.advert()
		return ok && bytes.Equal(f.sender(), n.mac)
	})
}

// longestGap returns the longest time from one advert of a director to the next
// between two moments. It waits for one after the second.
func (c *capture) longestGap(n *node, from, to time.Time) time.Duration {
	c.t.Helper()
	c.waitAdvert(n, to)
	var longest time.Duration
	last := from
	for _, a := range c.adverts(n, from) {
		longest = max(longest, a.at.Sub(last))
		if last = a.at; a.at.After(to) {
			break
		}
	}
	return longest
}
