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
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
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
func newSegment(t *testing.T) segment {
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
	ip := func(args string) {
		t.Helper()
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
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

// in runs f with its thread in the namespace. Sockets made by f stay there.
func in(t *testing.T, ns string, f func()) {
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
func listenIn(t *testing.T, ns string, f Family) *Conn {
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
func reading(t *testing.T, c *Conn) <-chan Packet {
	packets := make(chan Packet, 64)
	go func() {
		defer close(packets)
		buf := make([]byte, ReadBufferSize)
		for {
			p, err := c.ReadPacket(buf)
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("reader: %v", err)
				}
				return
			}
			p.Payload = bytes.Clone(p.Payload)
			packets <- p
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
func receive(t *testing.T, packets <-chan Packet) Packet {
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

func TestConnExchange(t *testing.T) {
	s := newSegment(t)
	cases := []struct {
		source netip.Addr
		advert Advertisement
		form   ChecksumForm
	}{
		{low4, peerAdvert4, MessageOnly},
		{low6, peerAdvert6, PseudoHeader},
	}
	for _, c := range cases {
		family := FamilyOf(c.source)
		t.Run(family.String(), func(t *testing.T) {
			sender := listenIn(t, s.low, family)
			receiver := listenIn(t, s.high, family)
			packets, echo := reading(t, receiver), reading(t, sender)
			message := c.advert.AppendTo(nil, c.source, family.Group(), c.form)
			if err := sender.WriteMessage(message, c.source); err != nil {
				t.Fatal(err)
			}
			want := Packet{Payload: message, Source: c.source, Destination: family.Group(), TTL: 255}
			got := receive(t, packets)
			if diff := cmp.Diff(want, got, compareAddr); diff != "" {
				t.Errorf("packet (-sent +received):\n%s", diff)
			}
			if _, form, err := Parse(got); err != nil || form != c.form {
				t.Errorf("Parse: form %v, %v; want %v", form, err, c.form)
			}

			// A packet from the other side is the first that the sender hears:
			// its own was not looped back.
			from := high4
			if family == IPv6 {
				from = high6
			}
			reply := c.advert.AppendTo(nil, from, family.Group(), c.form)
			if err := receiver.WriteMessage(reply, from); err != nil {
				t.Fatal(err)
			}
			if got := receive(t, echo); got.Source != from {
				t.Errorf("the sender heard %s first, want %s", got.Source, from)
			}
		})
	}
}

func TestConnReportsForeignTTLAndDestination(t *testing.T) {
	s := newSegment(t)
	cases := []struct {
		family  Family
		to      unix.Sockaddr
		level   int
		options map[int]int
		want    Discard
	}{
		{IPv4, &unix.SockaddrInet4{Addr: IPv4.Group().As4()}, unix.IPPROTO_IP,
			map[int]int{unix.IP_MULTICAST_TTL: 254}, DiscardTTL},
		{IPv4, &unix.SockaddrInet4{Addr: high4.As4()}, unix.IPPROTO_IP,
			map[int]int{unix.IP_TTL: 255}, DiscardDestination},
		{IPv6, &unix.SockaddrInet6{Addr: IPv6.Group().As16()}, unix.IPPROTO_IPV6,
			map[int]int{unix.IPV6_MULTICAST_HOPS: 64}, DiscardTTL},
		{IPv6, &unix.SockaddrInet6{Addr: high6.As16()}, unix.IPPROTO_IPV6,
			map[int]int{unix.IPV6_UNICAST_HOPS: 255}, DiscardDestination},
	}
	for _, c := range cases {
		t.Run(c.family.String()+" "+c.want.String(), func(t *testing.T) {
			packets := reading(t, listenIn(t, s.high, c.family))
			in(t, s.low, func() {
				domain := unix.AF_INET
				message := peerAdvert4.AppendTo(nil, low4, high4, PseudoHeader)
				if c.family == IPv6 {
					domain = unix.AF_INET6
					message = peerAdvert6.AppendTo(nil, low6, high6, PseudoHeader)
				}
				fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, Protocol)
				if err != nil {
					t.Fatal(err)
				}
				defer unix.Close(fd)
				if err := unix.BindToDevice(fd, "v0"); err != nil {
					t.Fatal(err)
				}
				for option, value := range c.options {
					if err := unix.SetsockoptInt(fd, c.level, option, value); err != nil {
						t.Fatal(err)
					}
				}
				if err := unix.Sendto(fd, message, 0, c.to); err != nil {
					t.Fatal(err)
				}
			})
			if _, _, err := Parse(receive(t, packets)); err != c.want {
				t.Errorf("Parse: %v, want %v", err, c.want)
			}
		})
	}
}

// TestChecklist12Padding sends a frame whose IP datagram is shorter than the smallest
// Ethernet payload, padded with octets that are no part of it.
func TestChecklist12Padding(t *testing.T) {
	s := newSegment(t)
	packets := reading(t, listenIn(t, s.high, IPv4))
	advert := peerAdvert4
	advert.Addresses = vips4[:1]
	message := advert.AppendTo(nil, low4, IPv4.Group(), MessageOnly)

	header := []byte{0x45, 0, 0, uint8(20 + len(message)), 0, 0, 0, 0, 255, Protocol, 0, 0}
	header = append(header, low4.AsSlice()...)
	header = append(header, IPv4.Group().AsSlice()...)
	sum := ^fold(onesSum(0, header))
	header[10], header[11] = uint8(sum>>8), uint8(sum)
	frame := append([]byte{0x01, 0, 0x5e, 0, 0, 0x12, 2, 0, 0, 0, 0, 1, 0x08, 0x00}, header...)
	frame = append(frame, message...)
	frame = append(frame, bytes.Repeat([]byte{0xee}, 60-len(frame))...)

	in(t, s.low, func() {
		link, err := netlink.LinkByName("v0")
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index}); err != nil {
			t.Fatal(err)
		}
	})
	if diff := cmp.Diff(message, receive(t, packets).Payload); diff != "" {
		t.Errorf("payload (-sent +received):\n%s", diff)
	}
}

func TestConnCloseUnblocksReader(t *testing.T) {
	s := newSegment(t)
	for _, f := range []Family{IPv4, IPv6} {
		c := listenIn(t, s.low, f)
		done := make(chan error)
		go func() {
			_, err := c.ReadPacket(make([]byte, ReadBufferSize))
			done <- err
		}()
		if err := c.Close(); err != nil {
			t.Errorf("%s: close: %v", f, err)
		}
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: reader got %v, want net.ErrClosed", f, err)
		}
	}
}

func TestConnForeignSourceIsRefused(t *testing.T) {
	s := newSegment(t)
	for _, source := range []netip.Addr{netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("fe80::99")} {
		c := listenIn(t, s.low, FamilyOf(source))
		err := c.WriteMessage([]byte{0x31}, source)
		var errno syscall.Errno
		if !errors.As(err, &errno) || !strings.Contains(err.Error(), source.String()) {
			t.Errorf("write from %s: got %v, want the kernel's error with the address", source, err)
		}
	}
}
