// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// readTimeout bounds the wait for a packet that should come.
const readTimeout = 10 * time.Second

// segment is two namespaces joined by a veth link, called v0 in both. The first
// router has low4 and low6, the second high4 and high6.
type segment struct {
	low, high string
}

// newSegment makes a segment for the test and removes it afterwards.
func newSegment(t testing.TB) segment {
	t.Helper()
	if os.Getenv("LVSHA_LAYER") != "namespaces" {
		t.Skip("namespaces layer: run `make test-namespaces`")
	}
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	s := segment{
		low:  fmt.Sprintf("vtst-%d-low", os.Getpid()),
		high: fmt.Sprintf("vtst-%d-high", os.Getpid()),
	}
	ip := func(args string) { t.Helper(); runIP(t, args) }
	for _, ns := range []string{s.low, s.high} {
		ip("netns add " + ns)
		t.Cleanup(func() { ip("netns del " + ns) })
	}
	ip("-n " + s.low + " link add v0 type veth peer name v0 netns " + s.high)
	addresses := map[string][]netip.Addr{s.low: {low4, low6}, s.high: {high4, high6}}
	for ns, list := range addresses {
		ip("-n " + ns + " link set v0 addrgenmode none")
		ip("-n " + ns + " link set v0 up")
		ip(fmt.Sprintf("-n %s addr add %s/24 dev v0", ns, list[0]))
		ip(fmt.Sprintf("-n %s addr add %s/64 dev v0 nodad", ns, list[1]))
	}
	return s
}

// runIP runs the ip command.
func runIP(t testing.TB, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
}

// in runs f with its thread in the namespace. Sockets made by f stay there.
func in(t testing.TB, ns string, f func()) {
	t.Helper()
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	there, err := netns.GetFromName(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	if err := netns.Set(there); err != nil {
		t.Fatal(err)
	}
	f()
	if err := netns.Set(home); err != nil {
		t.Fatal(err) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
}

// listenIn opens a Conn on v0 of the namespace.
func listenIn(t testing.TB, ns string, f Family) *Conn {
	t.Helper()
	var c *Conn
	var err error
	in(t, ns, func() { c, err = Listen("v0", f) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// reading delivers what c reads; the channel is closed when it is closed.
func reading(t testing.TB, c *Conn) <-chan Packet {
	packets := make(chan Packet, 512)
	go func() {
		defer close(packets)
		var buf Batch
		for {
			read, err := c.ReadPackets(&buf)
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("reader: %v", err)
				}
				return
			}
			for _, p := range read {
				p.Payload = bytes.Clone(p.Payload)
				packets <- p
			}
		}
	}()
	t.Cleanup(func() {
		c.Close()
		for range packets { // until the reader has ended
		}
	})
	return packets
}

// receive waits for the next packet.
func receive(t testing.TB, packets <-chan Packet) Packet {
	t.Helper()
	select {
	case p, ok := <-packets:
		if !ok {
			t.Fatal("the reader ended")
		}
		return p
	case <-time.After(readTimeout):
		t.Fatalf("no packet for %v", readTimeout)
		return Packet{}
	}
}

// tap delivers the frames that v0 of the namespace receives.
func tap(t testing.TB, ns string, protocol uint16) <-chan []byte {
	t.Helper()
	var fd int
	in(t, ns, func() {
		link, err := net.InterfaceByName("v0")
		if err != nil {
			t.Fatal(err)
		}
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(bigEndian(protocol))); err != nil {
			t.Fatal(err)
		}
		if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(protocol), Ifindex: link.Index}); err != nil {
			t.Fatal(err)
		}
	})
	file := os.NewFile(uintptr(fd), "tap")
	frames := make(chan []byte, 64)
	go func() {
		defer close(frames)
		for {
			b := make([]byte, 2048)
			n, err := file.Read(b)
			if err != nil {
				return
			}
			frames <- b[:n]
		}
	}()
	t.Cleanup(func() {
		file.Close()
		for range frames { // until the reader has ended
		}
	})
	return frames
}

// nextFrame waits for the next frame that carries VRRP.
func nextFrame(t testing.TB, frames <-chan []byte) []byte {
	t.Helper()
	limit := time.After(readTimeout)
	for {
		select {
		case b := <-frames:
			if len(b) > frameHeader+ipv4Header && (b[frameHeader+9] == Protocol || b[frameHeader+6] == Protocol) {
				return b
			}
		case <-limit:
			t.Fatalf("no frame for %v", readTimeout)
		}
	}
}
