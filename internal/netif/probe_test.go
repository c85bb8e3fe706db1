// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// The host on the segment that a prober plays, and the address that the world's sentinel answers for.
var (
	hostMAC   = net.HardwareAddr{2, 0, 0, 0, 0, 0x99}
	host4     = netip.MustParseAddr("192.0.2.99")
	host6     = netip.MustParseAddr("fe80::99")
	sentinel4 = netip.MustParseAddr("192.0.2.200")
	sentinel6 = netip.MustParseAddr("fe80::200")
)

// prober is a host at peer0 that sends and receives frames itself.
type prober struct {
	w      *world
	conn   *packet.Conn
	asker  net.HardwareAddr // another one for each question, so that a late answer to an earlier one is known
	serial int              // of the last expectArrival
}

// probe opens a prober. It gives eth0 the address 192.0.2.1/24 and a macvlan interface, the sentinel, with an address of its
// own in each family. What eth0 or another macvlan interface answers has arrived when the sentinel's answer to a later
// question has.
func (w *world) probe() *prober {
	w.t.Helper()
	w.awaitUp()
	w.add("192.0.2.1/24")
	must(w.t, netlink.LinkAdd(&netlink.Macvlan{
		LinkAttrs: netlink.LinkAttrs{Name: "sentinel", ParentIndex: w.eth0.Attrs().Index}, Mode: netlink.MACVLAN_MODE_PRIVATE,
	}))
	w.sysctl("ipv4/conf/sentinel/arp_ignore", "1")
	w.sysctl("ipv4/conf/sentinel/rp_filter", "2")
	l, err := netlink.LinkByName("sentinel")
	must(w.t, err)
	must(w.t, netlink.LinkSetUp(l))
	for _, a := range []string{"192.0.2.200/32", "fe80::200/64"} {
		parsed, err := netlink.ParseAddr(a)
		must(w.t, err)
		parsed.Flags = unix.IFA_F_NODAD
		must(w.t, netlink.AddrAdd(l, parsed))
	}
	return &prober{w: w, conn: w.listen("peer0"), asker: net.HardwareAddr{2, 0, 0, 0, 1, 0}}
}

// listen opens a packet socket that sees all frames of an interface.
func (w *world) listen(name string) *packet.Conn {
	w.t.Helper()
	ifi, err := net.InterfaceByName(name)
	must(w.t, err)
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
	must(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// sysctl sets a setting below /proc/sys/net.
func (w *world) sysctl(path, value string) {
	w.t.Helper()
	must(w.t, os.WriteFile("/proc/sys/net/"+path, []byte(value), 0o644))
}

// setting reads a setting below /proc/sys/net.
func (w *world) setting(path string) string {
	w.t.Helper()
	value, err := sysctls{}.get(path)
	must(w.t, err)
	return value
}

// send sends a frame that is made of layers.
func (p *prober) send(parts ...gopacket.SerializableLayer) {
	p.w.t.Helper()
	b := gopacket.NewSerializeBuffer()
	must(p.w.t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, parts...))
	p.write(b.Bytes())
}

func (p *prober) write(frame []byte) {
	p.w.t.Helper()
	_, err := p.conn.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr(frame[:6])})
	must(p.w.t, err)
}

// ask sends an ARP request or a neighbour solicitation for an address.
func (p *prober) ask(addr netip.Addr) {
	p.w.t.Helper()
	if addr.Is4() {
		p.send(
			&layers.Ethernet{SrcMAC: p.asker, DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeARP},
			&layers.ARP{
				AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
				Operation: layers.ARPRequest, SourceHwAddress: p.asker, SourceProtAddress: host4.AsSlice(),
				DstHwAddress: make([]byte, 6), DstProtAddress: addr.AsSlice(),
			})
		return
	}
	group, err := ndp.SolicitedNodeMulticast(addr)
	must(p.w.t, err)
	p.icmp6(group, &ndp.NeighborSolicitation{
		TargetAddress: addr, Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: p.asker}},
	})
}

// icmp6 sends a neighbour discovery message from the host to a multicast group.
func (p *prober) icmp6(group netip.Addr, m ndp.Message) {
	p.w.t.Helper()
	source := host6.As16()
	source[8], source[9] = p.asker[4], p.asker[5]
	b, err := ndp.MarshalMessageChecksum(m, netip.AddrFrom16(source), group)
	must(p.w.t, err)
	g := group.As16()
	p.send(
		&layers.Ethernet{SrcMAC: p.asker, DstMAC: net.HardwareAddr{0x33, 0x33, g[12], g[13], g[14], g[15]}, EthernetType: layers.EthernetTypeIPv6},
		&layers.IPv6{Version: 6, HopLimit: 255, NextHeader: layers.IPProtocolICMPv6, SrcIP: source[:], DstIP: group.AsSlice()},
		gopacket.Payload(b))
}

// retry is how long a host waits for an answer before it asks again.
const retry = 200 * time.Millisecond

// answers asks for an address and returns who answered, sorted, each with the MAC address it named. An IPv6 answer ends with
// its flags. It listens until the sentinel has answered some questions, one after the other, that came later: the kernel
// passes multicast on to macvlan interfaces from a worker of its own, which may change its processor. With fewer answers
// than wanted it listens on, and asks again.
func (p *prober) answers(addr netip.Addr, wanted int) []string {
	p.w.t.Helper()
	sentinel := sentinel4
	if addr.Is6() {
		sentinel = sentinel6
	}
	p.asker = slices.Clone(p.asker)
	if p.asker[5]++; p.asker[5] == 0 {
		p.asker[4]++
	}
	p.ask(addr)
	p.ask(sentinel)
	got := make(map[string]bool)
	asked := time.Now()
	for rounds, start := 1, asked; ; {
		of, answer := p.next(retry)
		switch {
		case of == addr:
			got[answer] = true
		case of != sentinel || time.Since(asked) > retry:
			asked = time.Now()
			p.ask(addr)
			p.ask(sentinel)
		case rounds >= 5 && len(got) >= wanted:
			return slices.Sorted(maps.Keys(got))
		default:
			rounds++
			p.ask(sentinel)
		}
		if time.Since(start) > patience {
			return slices.Sorted(maps.Keys(got))
		}
	}
}

// next returns the next ARP reply or solicited neighbour advertisement, or nothing when a time without any has passed.
func (p *prober) next(limit time.Duration) (of netip.Addr, answer string) {
	p.w.t.Helper()
	must(p.w.t, p.conn.SetReadDeadline(time.Now().Add(limit)))
	b := make([]byte, 2048)
	for {
		n, _, err := p.conn.ReadFrom(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return of, answer
		}
		must(p.w.t, err)
		frame := gopacket.NewPacket(b[:n], layers.LayerTypeEthernet, gopacket.Default)
		if !bytes.Equal(b[:6], p.asker) {
			continue
		}
		if a, ok := frame.Layer(layers.LayerTypeARP).(*layers.ARP); ok && a.Operation == layers.ARPReply {
			of, _ = netip.AddrFromSlice(a.SourceProtAddress)
			return of, net.HardwareAddr(a.SourceHwAddress).String()
		}
		if n, ok := frame.Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement); ok && n.Solicited() {
			of, _ = netip.AddrFromSlice(n.TargetAddress)
			mac := "no address"
			for _, o := range n.Options {
				if o.Type == layers.ICMPv6OptTargetAddress {
					mac = net.HardwareAddr(o.Data).String()
				}
			}
			return of, fmt.Sprintf("%s router %t", mac, n.Router())
		}
	}
}

// receive returns the next frame.
func receive(t *testing.T, conn *packet.Conn) gopacket.Packet {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	b := make([]byte, 2048)
	n, _, err := conn.ReadFrom(b)
	must(t, err)
	return gopacket.NewPacket(b[:n], layers.LayerTypeEthernet, gopacket.Default)
}

// datagram sends a UDP datagram to port 9999 whose payload is text.
func (p *prober) datagram(mac net.HardwareAddr, to netip.Addr, text string) {
	p.w.t.Helper()
	udp := &layers.UDP{SrcPort: 1111, DstPort: 9999}
	if to.Is4() {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: host4.AsSlice(), DstIP: to.AsSlice()}
		must(p.w.t, udp.SetNetworkLayerForChecksum(ip))
		p.send(&layers.Ethernet{SrcMAC: hostMAC, DstMAC: mac, EthernetType: layers.EthernetTypeIPv4}, ip, udp, gopacket.Payload(text))
		return
	}
	ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP, SrcIP: host6.AsSlice(), DstIP: to.AsSlice()}
	must(p.w.t, udp.SetNetworkLayerForChecksum(ip))
	p.send(&layers.Ethernet{SrcMAC: hostMAC, DstMAC: mac, EthernetType: layers.EthernetTypeIPv6}, ip, udp, gopacket.Payload(text))
}

// arrivals returns the next text that arrived, or false when a time without any has passed.
type arrivals func(limit time.Duration) (string, bool)

// receiver returns what arrives at the host's own port 9999.
func (w *world) receiver() arrivals {
	w.t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{Port: 9999})
	must(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	b := make([]byte, 100)
	return func(limit time.Duration) (string, bool) {
		must(w.t, conn.SetReadDeadline(time.Now().Add(limit)))
		n, err := conn.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return "", false
		}
		must(w.t, err)
		return string(b[:n]), true
	}
}

// expectArrival sends until the wanted text arrives, which is sent last, and checks that no other one does. The texts carry a
// number, so that a late one of an earlier call is known. Frames may be lost: all namespaces share the queues of the
// processors.
func (p *prober) expectArrival(in arrivals, send func(text func(string) string), want string, others ...string) {
	p.w.t.Helper()
	p.serial++
	number := fmt.Sprintf(" %d", p.serial)
	for start := time.Now(); time.Since(start) < patience; {
		send(func(text string) string { return text + number })
		for got, ok := in(retry); ok; got, ok = in(retry) {
			switch text, current := strings.CutSuffix(got, number); {
			case !current:
			case text == want:
				return
			case slices.Contains(others, text):
				p.w.t.Errorf("%q arrived", text)
				return
			}
		}
	}
	p.w.t.Errorf("%q did not arrive", want)
}

// run runs a subtest in the world.
func (w *world) run(name string, f func(t *testing.T)) {
	parent := w.t
	parent.Run(name, func(t *testing.T) {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		must(t, netns.Set(w.ns))
		w.t = t
		defer func() { w.t = parent }()
		f(t)
	})
}

// awaitLocal waits until packets to an address are the host's own: of an IPv6 address the kernel makes them so a little
// after it was added.
func (w *world) awaitLocal(device string, a netip.Addr) {
	w.t.Helper()
	for start := time.Now(); ; runtime.Gosched() {
		routes, err := netlink.RouteGetWithOptions(a.AsSlice(), &netlink.RouteGetOptions{Iif: device, SrcAddr: host6.AsSlice()})
		if err == nil && len(routes) == 1 && routes[0].Type == unix.RTN_LOCAL {
			return
		}
		if time.Since(start) > patience {
			w.t.Fatalf("%s is not local: %v, %v", a, routes, err)
		}
	}
}
