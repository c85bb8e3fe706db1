// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// multicast is a as a router at source sends it.
func multicast(a Advertisement, source netip.Addr) Outgoing {
	group := FamilyOf(source).Group()
	return Outgoing{Payload: a.AppendTo(nil, source, group, PseudoHeader), Source: source, Destination: group, TTL: TTL}
}

// unicast is a as a router at source sends it to a peer.
func unicast(a Advertisement, source, destination netip.Addr, ttl int) Outgoing {
	return Outgoing{Payload: a.AppendTo(nil, source, destination, PseudoHeader), Source: source, Destination: destination, TTL: ttl}
}

// packet is m as the other side should receive it.
func (m Outgoing) packet() Packet { return Packet{m.Payload, m.Source, m.Destination, m.TTL} }

func write(t testing.TB, c *Conn, messages ...Outgoing) {
	t.Helper()
	if err := c.Write(messages); err != nil {
		t.Fatal(err)
	}
}

// TestConnExchange sends each kind of message; what comes first is what was
// sent, so that nothing else came, not even the sender's own.
func TestConnExchange(t *testing.T) {
	s := newSegment(t)
	large := peerAdvert6
	for i := range 200 {
		large.Addresses = append(large.Addresses[:len(large.Addresses):len(large.Addresses)], netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i)}))
	}
	virtual := multicast(peerAdvert4, low4)
	virtual.HardwareSource = VirtualMAC(51, IPv4)
	virtual6 := multicast(peerAdvert6, low6)
	virtual6.HardwareSource = VirtualMAC(51, IPv6)
	cases := []struct {
		name string
		send Outgoing
	}{
		{"ipv4 multicast", multicast(peerAdvert4, low4)},
		{"ipv6 multicast", multicast(peerAdvert6, low6)},
		{"version 2", multicast(peerAdvert2, low4)},
		{"ipv4 virtual MAC", virtual},
		{"ipv6 virtual MAC", virtual6},
		{"ipv6 larger than a frame", multicast(large, low6)},
		{"ipv4 unicast", unicast(peerAdvert4, low4, high4, 255)},
		{"ipv4 unicast TTL", unicast(peerAdvert4, low4, high4, 3)},
		{"ipv6 unicast", unicast(peerAdvert6, low6, high6, 255)},
		{"ipv6 unicast hop limit", unicast(peerAdvert6, low6, high6, 3)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			family := FamilyOf(c.send.Source)
			sender, receiver := listenIn(t, s.low, family), listenIn(t, s.high, family)
			packets, echo := reading(t, receiver), reading(t, sender)
			write(t, sender, c.send)
			if diff := cmp.Diff(c.send.packet(), receive(t, packets), compareAddr); diff != "" {
				t.Errorf("packet (-sent +received):\n%s", diff)
			}
			reply := multicast(peerAdvert4, high4)
			if family == IPv6 {
				reply = multicast(peerAdvert6, high6)
			}
			write(t, receiver, reply)
			if got := receive(t, echo); got.Source != reply.Source {
				t.Errorf("the sender heard %s first, want %s", got.Source, reply.Source)
			}
		})
	}
}

// TestRule09_ConnTTL: the TTL that a group judges is that of the packet.
func TestRule09_ConnTTL(t *testing.T) {
	s := newSegment(t)
	for _, c := range []struct {
		name   string
		config GroupConfig
		advert Advertisement
		source netip.Addr
		ttl    int
		want   error
	}{
		{"positive ipv4", config4, peerAdvert4, low4, 255, nil},
		{"positive ipv6", config6, peerAdvert6, low6, 255, nil},
		{"negative ipv4", config4, peerAdvert4, low4, 254, DiscardTTL},
		{"negative ipv6", config6, peerAdvert6, low6, 64, DiscardTTL},
	} {
		t.Run(c.name, func(t *testing.T) {
			packets := reading(t, listenIn(t, s.high, c.config.Family))
			m := multicast(c.advert, c.source)
			m.TTL = c.ttl
			write(t, listenIn(t, s.low, c.config.Family), m)
			if _, err := c.config.group().Receive(wallClock, receive(t, packets), ownParameters); err != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestRule12_Padding sends a frame whose IP datagram is shorter than the smallest
// Ethernet payload, padded with octets that are no part of it.
func TestRule12_Padding(t *testing.T) {
	s := newSegment(t)
	for _, c := range []struct {
		name    string
		padding int
	}{{"positive none", 0}, {"negative padding is cut off", 14}} {
		t.Run(c.name, func(t *testing.T) {
			packets := reading(t, listenIn(t, s.high, IPv4))
			m := multicast(peerAdvert4, low4)
			padded := m
			padded.Payload = append(bytes.Clone(m.Payload), bytes.Repeat([]byte{0xee}, c.padding)...)
			sender := listenIn(t, s.low, IPv4)
			e := sender.framer.next(&padded)
			sender.frames.prepare(e)
			e.before[frameHeader+3] -= byte(c.padding) // total length
			e.before[frameHeader+11] += byte(c.padding)
			if err := errors.Join(sender.framer.flush(nil)...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m.packet(), receive(t, packets), compareAddr); diff != "" {
				t.Errorf("-sent +received:\n%s", diff)
			}
		})
	}
}

// TestRule25_SourceMAC looks at the frames on the other side of the link.
func TestRule25_SourceMAC(t *testing.T) {
	s := newSegment(t)
	own := net.HardwareAddr{2, 0, 0, 0, 0, 7}
	for _, c := range []struct {
		name string
		send Outgoing
		set  net.HardwareAddr
		want net.HardwareAddr
	}{
		{"positive ipv4 virtual", multicast(peerAdvert4, low4), VirtualMAC(51, IPv4), VirtualMAC(51, IPv4)},
		{"positive ipv6 virtual", multicast(peerAdvert6, low6), VirtualMAC(51, IPv6), VirtualMAC(51, IPv6)},
		{"negative ipv4 the interface's own of now", multicast(peerAdvert4, low4), nil, own},
		{"negative ipv6 the interface's own of now", multicast(peerAdvert6, low6), nil, own},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := FamilyOf(c.send.Source)
			runIP(t, "-n "+s.low+" link set v0 address 02:00:00:00:00:08")
			sender := listenIn(t, s.low, f)
			frames := tap(t, s.high, etherType(f))
			runIP(t, "-n "+s.low+" link set v0 address "+own.String())
			c.send.HardwareSource = c.set
			write(t, sender, c.send)
			frame := nextFrame(t, frames)
			want := append(append([]byte{}, groupMAC(f)...), c.want...)
			if diff := cmp.Diff(want, frame[:12]); diff != "" {
				t.Errorf("MAC addresses (-want +got):\n%s", diff)
			}
		})
	}
}

// TestConnHearsNothingOfItsOwn: neither a macvlan with the virtual MAC on the
// same interface nor a second Conn there brings back what was sent.
func TestConnHearsNothingOfItsOwn(t *testing.T) {
	s := newSegment(t)
	runIP(t, "-n "+s.low+" link add m0 link v0 address 00:00:5e:00:01:33 type macvlan mode bridge")
	runIP(t, "-n "+s.low+" link set m0 up")
	for _, f := range []Family{IPv4, IPv6} {
		sender, beside, peer := listenIn(t, s.low, f), listenIn(t, s.low, f), listenIn(t, s.high, f)
		var macvlan *Conn
		in(t, s.low, func() {
			var err error
			if macvlan, err = Listen("m0", f); err != nil {
				t.Fatal(err)
			}
		})
		heard := []<-chan Packet{reading(t, sender), reading(t, beside), reading(t, macvlan)}
		m, reply := multicast(peerAdvert4, low4), multicast(peerAdvert4, high4)
		if f == IPv6 {
			m, reply = multicast(peerAdvert6, low6), multicast(peerAdvert6, high6)
		}
		virtual := m
		virtual.HardwareSource = VirtualMAC(51, f)
		write(t, sender, m, virtual)
		frames := sender.frames
		sender.frames = nil // as on a link that is no Ethernet
		write(t, sender, m)
		sender.frames = frames
		write(t, peer, reply)
		for i, packets := range heard {
			if got := receive(t, packets); got.Source != reply.Source {
				t.Errorf("%s: reader %d heard %s first, want %s", f, i, got.Source, reply.Source)
			}
		}
	}
}

// TestRule21_OwnPacketOverLoopback: a link that brings everything back, and is no
// Ethernet.
func TestRule21_OwnPacketOverLoopback(t *testing.T) {
	s := newSegment(t)
	runIP(t, "-n "+s.low+" link set lo up")
	runIP(t, "-n "+s.low+" addr add 198.18.0.1/32 dev lo")
	own := netip.MustParseAddr("198.18.0.1")
	var c *Conn
	in(t, s.low, func() {
		var err error
		if c, err = Listen("lo", IPv4); err != nil {
			t.Fatal(err)
		}
	})
	if c.frames != nil {
		t.Error("the loopback link was taken for Ethernet")
	}
	packets := reading(t, c)
	m := multicast(peerAdvert4, own)
	write(t, c, m)
	p := receive(t, packets)
	if diff := cmp.Diff(m.packet(), p, compareAddr); diff != "" {
		t.Errorf("-sent +received:\n%s", diff)
	}
	t.Run("positive another router", func(t *testing.T) {
		if _, err := config4.router(low4).Receive(wallClock, p, ownParameters); err != nil {
			t.Error(err)
		}
	})
	t.Run("negative own", func(t *testing.T) {
		if _, err := config4.router(own).Receive(wallClock, p, ownParameters); err != DiscardOwnSource {
			t.Errorf("got %v, want %v", err, DiscardOwnSource)
		}
	})
}

// TestConnBurst: all virtual routers of an interface speak at once, and their
// peer hears all of them even when it reads late.
func TestConnBurst(t *testing.T) {
	s := newSegment(t)
	for _, f := range []Family{IPv4, IPv6} {
		sender, receiver := listenIn(t, s.low, f), listenIn(t, s.high, f)
		var o Outbox
		for vrid := 1; vrid <= 255; vrid++ {
			c, source := config4, low4
			if f == IPv6 {
				c, source = config6, low6
			}
			c.VRID = uint8(vrid)
			c.Addresses = slices.Repeat(c.Addresses, 10)
			c.router(source).AppendOutgoing(wallClock, 100, time.Second, &o)
		}
		write(t, sender, o.Messages...)
		packets := reading(t, receiver)
		for i, m := range o.Messages {
			if diff := cmp.Diff(m.packet(), receive(t, packets), compareAddr); diff != "" {
				t.Fatalf("%s: message %d (-sent +received):\n%s", f, i, diff)
			}
		}
	}
}

// BenchmarkConnWrite compares frames with the way through the IP layer: 1 and
// 255 multicast messages at once.
func BenchmarkConnWrite(b *testing.B) {
	s := newSegment(b)
	ways := []struct {
		name   string
		choose func(*Conn)
	}{
		{"ip", func(c *Conn) { c.frames = nil }},
		{"frames", func(*Conn) {}},
		{"frames without qdisc", func(c *Conn) {
			if err := c.frames.raw.Control(func(fd uintptr) {
				if err := unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
					b.Error(err)
				}
			}); err != nil {
				b.Error(err)
			}
		}},
	}
	for _, way := range ways {
		for _, n := range []int{1, 255} {
			b.Run(way.name+"/"+map[int]string{1: "1", 255: "255"}[n], func(b *testing.B) {
				var c *Conn
				in(b, s.low, func() {
					var err error
					if c, err = Listen("v0", IPv4); err != nil {
						b.Fatal(err)
					}
				})
				defer c.Close()
				if c.frames != nil {
					defer c.frames.Close()
				}
				way.choose(c)
				messages := make([]Outgoing, n)
				for i := range messages {
					messages[i] = multicast(peerAdvert4, low4)
				}
				b.ReportAllocs()
				for b.Loop() {
					write(b, c, messages...)
				}
			})
		}
	}
}
