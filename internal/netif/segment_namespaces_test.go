// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/vishvananda/netlink"
)

// What a host on the segment sees of a director, by the numbers of the conformance checklist.

func TestRule32_BackupAnswersNoARP(t *testing.T) { backupAnswersNothing(t, vip4, mac51.String()) }

func TestRule33_BackupAnswersNoSolicitation(t *testing.T) {
	backupAnswersNothing(t, vip6, mac51.String()+" router true")
}

func backupAnswersNothing(t *testing.T, vip netip.Addr, answer string) {
	t.Helper()
	w := newWorld(t)
	p := w.probe()
	k := w.keeper()
	w.run("positive: no answer", func(t *testing.T) {
		holdAll(t, k, backup51())
		expectAnswers(t, p, "backup", vip, none)
	})
	w.run("negative: an address that is there answers, so it goes with mastership", func(t *testing.T) {
		holdAll(t, k, master51())
		w.awaitLocal("vrrp.51", vip6)
		expectAnswers(t, p, "master", vip, []string{answer})
		holdAll(t, k, backup51())
		expectAnswers(t, p, "backup again", vip, none)
	})
}

func TestRule34_BackupDiscardsFramesToVirtualMAC(t *testing.T) {
	w := newWorld(t)
	p := w.probe()
	k := w.keeper()
	in := w.receiver()
	own := netip.MustParseAddr("192.0.2.1")
	send := func(text func(string) string) {
		p.datagram(mac51, own, text("to the virtual MAC"))
		p.datagram(w.eth0.Attrs().HardwareAddr, own, text("to the physical MAC"))
	}
	w.run("positive: backup", func(t *testing.T) {
		holdAll(t, k, backup51())
		p.expectArrival(in, send, "to the physical MAC", "to the virtual MAC")
	})
	w.run("negative: master", func(t *testing.T) {
		holdAll(t, k, master51())
		p.expectArrival(in, send, "to the virtual MAC")
	})
}

func TestRule35_BackupAcceptsNoPackets(t *testing.T) {
	w := newWorld(t)
	p := w.probe()
	k := w.keeper()
	in := w.receiver()
	send := func(text func(string) string) {
		p.datagram(w.eth0.Attrs().HardwareAddr, vip4, text("to the VIP"))
		p.datagram(w.eth0.Attrs().HardwareAddr, netip.MustParseAddr("192.0.2.1"), text("to its own address"))
	}
	w.run("positive: backup", func(t *testing.T) {
		holdAll(t, k, Desired{})
		p.expectArrival(in, send, "to its own address", "to the VIP")
	})
	w.run("negative: with the address there it would, so it goes", func(t *testing.T) {
		holdAll(t, k, Desired{Leases: leases(addr("eth0", "192.0.2.10/32"))})
		p.expectArrival(in, send, "to the VIP")
		holdAll(t, k, Desired{})
		p.expectArrival(in, send, "to its own address", "to the VIP")
	})
}

func TestRule43_ARPWithVirtualMAC(t *testing.T) {
	w := newWorld(t)
	p := w.probe()
	k := w.keeper()
	holdAll(t, k, master51())
	w.run("positive: virtual MAC and no other", func(t *testing.T) {
		expectAnswers(t, p, "master", vip4, []string{mac51.String()})
		expectAnswers(t, p, "own address", netip.MustParseAddr("192.0.2.1"), []string{w.eth0.Attrs().HardwareAddr.String()})
	})
	w.run("positive: with strict filtering for all interfaces", func(t *testing.T) {
		w.sysctl("ipv4/conf/all/rp_filter", "1")
		holdAll(t, k, backup51())
		holdAll(t, k, master51())
		expectAnswers(t, p, "strict", vip4, []string{mac51.String()})
	})
	w.run("negative: the base interface answers too if it is let, and is not", func(t *testing.T) {
		w.sysctl("ipv4/conf/eth0/arp_ignore", "0")
		expectAnswers(t, p, "arp_ignore 0", vip4, []string{w.eth0.Attrs().HardwareAddr.String(), mac51.String()})
		holdAll(t, k, master51())
		expectAnswers(t, p, "repaired", vip4, []string{mac51.String()})
	})
	w.run("negative: without a virtual MAC the physical one, as documented", func(t *testing.T) {
		holdAll(t, k, Desired{Leases: leases(addr("eth0", "192.0.2.10/32"))})
		expectAnswers(t, p, "no virtual MAC", vip4, []string{w.eth0.Attrs().HardwareAddr.String()})
	})
}

// TestRule44_SolicitationWithVirtualMAC asks through the solicited-node group. Router advertisements are none of a
// director's: it is no default router.
func TestRule44_SolicitationWithVirtualMAC(t *testing.T) {
	w := newWorld(t)
	p := w.probe()
	k := w.keeper()
	w.run("positive: virtual MAC and Router flag", func(t *testing.T) {
		holdAll(t, k, master51())
		w.awaitLocal("vrrp.51", vip6)
		w.awaitLocal("vrrp.51", netip.MustParseAddr("2001:db8::10"))
		expectAnswers(t, p, "link-local", vip6, []string{mac51.String() + " router true"})
		expectAnswers(t, p, "global", netip.MustParseAddr("2001:db8::10"), []string{mac51.String() + " router true"})
	})
	w.run("negative: without a virtual MAC the physical one and the host's own role, as documented", func(t *testing.T) {
		holdAll(t, k, Desired{Leases: leases(addr("eth0", "fe80::10/64"))})
		w.awaitLocal("eth0", vip6)
		expectAnswers(t, p, "no virtual MAC", vip6, []string{w.eth0.Attrs().HardwareAddr.String() + " router false"})
	})
}

func TestRule54_SolicitationFromVirtualMAC(t *testing.T) {
	w := newWorld(t)
	p := w.probe()
	k := w.keeper()
	d := master51()
	d.Leases = leases(addr("vrrp.51", "2001:db8::10/64"))
	holdAll(t, k, d)
	// solicit sends from the VIP to an unknown neighbour, and returns who asks for that: address and MAC option.
	solicit := func(t *testing.T, neighbour string) (string, string) {
		t.Helper()
		conn, err := net.DialUDP("udp6", &net.UDPAddr{IP: net.ParseIP("2001:db8::10")}, &net.UDPAddr{IP: net.ParseIP(neighbour), Port: 9})
		must(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte("x"))
		must(t, err)
		for {
			f := receive(t, p.conn)
			n, ok := f.Layer(layers.LayerTypeICMPv6NeighborSolicitation).(*layers.ICMPv6NeighborSolicitation)
			if !ok || n.TargetAddress.String() != neighbour {
				continue
			}
			for _, o := range n.Options {
				if o.Type == layers.ICMPv6OptSourceAddress {
					return f.Layer(layers.LayerTypeIPv6).(*layers.IPv6).SrcIP.String(), net.HardwareAddr(o.Data).String()
				}
			}
		}
	}
	w.run("positive: from the VIP with the virtual MAC", func(t *testing.T) {
		if source, mac := solicit(t, "2001:db8::77"); source != "2001:db8::10" || mac != mac51.String() {
			t.Errorf("from %s with %s", source, mac)
		}
	})
	w.run("negative: with the physical MAC never from the VIP", func(t *testing.T) {
		must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: w.eth0.Attrs().Index, Dst: network("2001:db8::78/128")}))
		if source, mac := solicit(t, "2001:db8::78"); source == "2001:db8::10" || mac != w.eth0.Attrs().HardwareAddr.String() {
			t.Errorf("from %s with %s", source, mac)
		}
	})
}

func network(prefix string) *net.IPNet {
	_, n, err := net.ParseCIDR(prefix)
	if err != nil {
		panic(err)
	}
	return n
}

func TestRule55_NoARPForVIPWithPhysicalMAC(t *testing.T) {
	w := newWorld(t)
	p := w.probe()
	k := w.keeper()
	holdAll(t, k, master51())
	// request sends from the VIP to an unknown neighbour on eth0, and returns the address that asks for that.
	request := func(t *testing.T, neighbour string) string {
		t.Helper()
		conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP("192.0.2.10")}, &net.UDPAddr{IP: net.ParseIP(neighbour), Port: 9})
		must(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte("x"))
		must(t, err)
		for {
			a, ok := receive(t, p.conn).Layer(layers.LayerTypeARP).(*layers.ARP)
			if ok && a.Operation == layers.ARPRequest && net.IP(a.DstProtAddress).String() == neighbour {
				if mac := net.HardwareAddr(a.SourceHwAddress).String(); mac != w.eth0.Attrs().HardwareAddr.String() {
					t.Errorf("asked with %s", mac)
				}
				return net.IP(a.SourceProtAddress).String()
			}
		}
	}
	w.run("positive: the base interface asks from its own address", func(t *testing.T) {
		if got := request(t, "192.0.2.77"); got != "192.0.2.1" {
			t.Errorf("asked from %s", got)
		}
	})
	w.run("negative: it claims the VIP if it is let, and is not", func(t *testing.T) {
		w.sysctl("ipv4/conf/eth0/arp_announce", "0")
		if got := request(t, "192.0.2.78"); got != "192.0.2.10" {
			t.Errorf("arp_announce 0: asked from %s", got)
		}
		holdAll(t, k, master51())
		if got := request(t, "192.0.2.79"); got != "192.0.2.1" {
			t.Errorf("repaired: asked from %s", got)
		}
	})
}
