// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/vishvananda/netlink"
)

// What a master forwards, accepts, and answers for others.

func TestRule45_ForwardsFramesToVirtualMAC(t *testing.T) {
	w := newWorld(t)
	p := w.probe()
	k := w.keeper()
	inside := w.veth("eth1", "peer1")
	w.awaitCarrier("eth1")
	a, err := netlink.ParseAddr("198.51.100.1/24")
	must(t, err)
	must(t, netlink.AddrAdd(inside, a))
	server := netip.MustParseAddr("198.51.100.9")
	must(t, netlink.NeighSet(&netlink.Neigh{
		LinkIndex: inside.Attrs().Index, IP: server.AsSlice(), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 9}, State: netlink.NUD_PERMANENT,
	}))
	w.sysctl("ipv4/ip_forward", "1")
	conn := w.listen("peer1")
	out := func(limit time.Duration) (string, bool) {
		b := make([]byte, 2048)
		for {
			must(w.t, conn.SetReadDeadline(time.Now().Add(limit)))
			n, _, err := conn.ReadFrom(b)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return "", false
			}
			must(w.t, err)
			udp, ok := gopacket.NewPacket(b[:n], layers.LayerTypeEthernet, gopacket.Default).Layer(layers.LayerTypeUDP).(*layers.UDP)
			if ok && udp.DstPort == 9999 {
				return string(udp.Payload), true
			}
		}
	}
	send := func(text func(string) string) {
		p.datagram(mac51, server, text("to the virtual MAC"))
		p.datagram(w.eth0.Attrs().HardwareAddr, server, text("to the physical MAC"))
	}
	w.run("negative: a backup does not", func(t *testing.T) {
		holdAll(t, k, backup51())
		p.expectArrival(out, send, "to the physical MAC", "to the virtual MAC")
	})
	w.run("positive: a master does", func(t *testing.T) {
		holdAll(t, k, master51())
		p.expectArrival(out, send, "to the virtual MAC")
	})
}

func TestRule57_ProxyARPWithVirtualMAC(t *testing.T) {
	w := newWorld(t)
	p := w.probe()
	inside := w.veth("eth1", "peer1")
	w.awaitCarrier("eth1")
	a, err := netlink.ParseAddr("198.51.100.1/24")
	must(t, err)
	must(t, netlink.AddrAdd(inside, a))
	holdAll(t, w.keeper(), master51())
	w.sysctl("ipv4/ip_forward", "1")
	served := netip.MustParseAddr("198.51.100.9")
	w.sysctl("ipv4/neigh/vrrp.51/proxy_delay", "0")
	w.sysctl("ipv4/neigh/eth0/proxy_delay", "0")
	w.run("positive: proxy_arp on the macvlan interface", func(t *testing.T) {
		w.sysctl("ipv4/conf/vrrp.51/proxy_arp", "1")
		expectAnswers(t, p, "proxy", served, []string{mac51.String()})
		w.sysctl("ipv4/conf/vrrp.51/proxy_arp", "0")
	})
	w.run("negative: on the base interface it is the operator's, with the physical MAC", func(t *testing.T) {
		w.sysctl("ipv4/conf/eth0/proxy_arp", "1")
		expectAnswers(t, p, "proxy", served, []string{w.eth0.Attrs().HardwareAddr.String()})
	})
}

func TestRule46_AcceptsOnlyIfAcceptMode(t *testing.T) {
	for name, carrier := range map[string]string{"physical MAC": "eth0", "virtual MAC": "vrrp.51"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.probe()
			k := w.keeper()
			in := w.receiver()
			var d Desired
			mac, solicited := w.eth0.Attrs().HardwareAddr, w.eth0.Attrs().HardwareAddr.String()+" router false"
			if carrier == "vrrp.51" {
				d = master51()
				mac, solicited = mac51, mac51.String()+" router true"
			}
			d.Leases = leases(addr(carrier, "192.0.2.10/32"), addr(carrier, "fe80::10/64"))
			refusing := d
			refusing.Refuse = []netip.Addr{vip4, vip6}
			send := func(text func(string) string) {
				p.datagram(mac, vip4, text("to the IPv4 VIP"))
				p.datagram(mac, vip6, text("to the IPv6 VIP"))
				p.datagram(w.eth0.Attrs().HardwareAddr, netip.MustParseAddr("192.0.2.1"), text("to its own address"))
			}
			w.run("positive: accept mode on", func(t *testing.T) {
				holdAll(t, k, d)
				w.awaitLocal(carrier, vip6)
				p.expectArrival(in, send, "to the IPv4 VIP")
				p.expectArrival(in, send, "to the IPv6 VIP")
			})
			w.run("negative: accept mode off, solicitations answered all the same", func(t *testing.T) {
				holdAll(t, k, refusing)
				p.expectArrival(in, send, "to its own address", "to the IPv4 VIP", "to the IPv6 VIP")
				expectAnswers(t, p, "refusing", vip6, []string{solicited})
				expectAnswers(t, p, "refusing", vip4, []string{mac.String()})
			})
			w.run("positive: accept mode on again", func(t *testing.T) {
				holdAll(t, k, d)
				p.expectArrival(in, send, "to the IPv4 VIP")
				p.expectArrival(in, send, "to the IPv6 VIP")
			})
		})
	}
}
