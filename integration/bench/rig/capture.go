// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/topo"
)

// Frame is an Ethernet frame that carries IPv4, and when the kernel saw it.
type Frame struct {
	At    time.Time
	Bytes []byte // valid until take returns
}

// The lengths of headers in front of what is captured, and offsets in them.
const (
	ethernetLen  = 14
	offSourceMAC = 6
	offProtocol  = ethernetLen + 9
	offSourceIP  = ethernetLen + 12
)

// SourceMAC returns who sent the frame.
func (f Frame) SourceMAC() MAC { return MAC(f.Bytes[offSourceMAC:]) }

// Capture takes frames off a node's interface.
type Capture struct {
	fd      int
	ending  atomic.Bool
	running sync.WaitGroup
}

// idle bounds how long a Capture that hears nothing takes to end.
const idle = 50 * time.Millisecond

// NewCapture gives every IPv4 frame of an IP protocol that reaches a node's
// interface, from one of the senders, to take, in its own goroutine.
func NewCapture(node *topo.Node, protocol byte, senders []MAC, take func(Frame)) (*Capture, error) {
	filter, err := program(protocol, senders)
	if err != nil {
		return nil, err
	}
	c := &Capture{}
	err = node.Do(func() error { return c.open(filter) })
	if err != nil {
		return nil, fmt.Errorf("capture on %s: %w", node.NetNS(), err)
	}
	c.running.Go(func() { c.run(take) })
	return c, nil
}

// program is a filter for the frames of a protocol from senders.
func program(protocol byte, senders []MAC) ([]unix.SockFilter, error) {
	instructions := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offProtocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(protocol), SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
	for _, s := range senders {
		instructions = append(instructions,
			bpf.LoadAbsolute{Off: offSourceMAC, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(s[:4]), SkipTrue: 3},
			bpf.LoadAbsolute{Off: offSourceMAC + 4, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(binary.BigEndian.Uint16(s[4:])), SkipTrue: 1},
			bpf.RetConstant{Val: 1 << 16},
		)
	}
	raw, err := bpf.Assemble(append(instructions, bpf.RetConstant{Val: 0}))
	if err != nil {
		return nil, fmt.Errorf("assemble filter: %w", err)
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return filter, nil
}

func (c *Capture) open(filter []unix.SockFilter) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // protocol 0: nothing before bind
	if err != nil {
		return fmt.Errorf("open packet socket: %w", err)
	}
	c.fd = fd
	index, err := interfaceIndex(fd)
	timeout := unix.NsecToTimeval(int64(idle))
	for _, step := range []func() error{
		func() error { return err },
		func() error {
			return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
		},
		func() error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) },
		func() error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20) },
		func() error { return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout) },
		func() error {
			return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_IP), Ifindex: index})
		},
	} {
		if err := step(); err != nil {
			return errors.Join(fmt.Errorf("set packet socket up: %w", err), unix.Close(fd))
		}
	}
	return nil
}

// interfaceIndex returns the index of the node's interface, in the namespace
// that the socket is in.
func interfaceIndex(fd int) (int, error) {
	request, err := unix.NewIfreq(Interface)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		return 0, err
	}
	return int(request.Uint32()), nil
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

func (c *Capture) run(take func(Frame)) {
	buf := make([]byte, 2048)
	oob := make([]byte, 128)
	for !c.ending.Load() {
		n, oobn, _, _, err := unix.Recvmsg(c.fd, buf, oob, 0)
		if err != nil || n < ethernetLen+20 {
			continue // nothing came for a while; Close tells when to end
		}
		take(Frame{At: stamp(oob[:oobn]), Bytes: buf[:n]})
	}
}

// stamp returns the kernel's time from a control message (socket(7),
// SO_TIMESTAMPNS), or now where it has none.
func stamp(oob []byte) time.Time {
	h, data, _, err := unix.ParseOneSocketControlMessage(oob)
	if err != nil || h.Type != unix.SCM_TIMESTAMPNS || len(data) < int(unsafe.Sizeof(unix.Timespec{})) {
		return time.Now()
	}
	return time.Unix(int64(binary.NativeEndian.Uint64(data)), int64(binary.NativeEndian.Uint64(data[8:])))
}

// Close ends the capture; take is not called after it.
func (c *Capture) Close() error {
	c.ending.Store(true)
	c.running.Wait()
	return unix.Close(c.fd)
}
