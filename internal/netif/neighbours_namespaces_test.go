// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
)

// What a director's kernel makes of its neighbours, and what it tells them.

// TestRule60_UnsolicitedAdvertisements shows what the kernel does with them: in every state it takes them for a neighbour
// that it knows (RFC 4861 section 7.2.5).
func TestRule60_UnsolicitedAdvertisements(t *testing.T) {
	w := newWorld(t)
	p := w.probe()
	k := w.keeper()
	known, unknown := netip.MustParseAddr("fe80::77"), netip.MustParseAddr("fe80::78")
	carrier := leases(addr("eth0", "192.0.2.10/24"), addr("eth0", "fe80::10/64"))
	refusing := Desired{Leases: carrier, Refuse: []netip.Addr{vip4, vip6}}
	moved := byte(0)
	for _, state := range []struct {
		name string
		want Desired
	}{
		{"backup", Desired{}},
		{"backup with a virtual MAC", backup51()},
		{"master", Desired{Leases: carrier}},
		{"master with a virtual MAC", master51()},
		{"master that accepts nothing", refusing},
	} {
		holdAll(t, k, state.want)
		before := net.HardwareAddr{2, 0, 0, 0, 2, 0}
		must(t, netlink.NeighSet(&netlink.Neigh{
			LinkIndex: w.eth0.Attrs().Index, Family: netlink.FAMILY_V6, State: netlink.NUD_REACHABLE, IP: known.AsSlice(), HardwareAddr: before,
		}))
		moved++
		now := net.HardwareAddr{2, 0, 0, 0, 3, moved}
		w.run("positive: "+state.name+" learns where a neighbour has moved to", func(t *testing.T) {
			w.awaitNeighbour(known, now, func() { p.unsolicited(known, now) })
		})
		w.run("negative: "+state.name+" makes no entry of one it has none of", func(t *testing.T) {
			p.unsolicited(unknown, now)
			again := net.HardwareAddr{2, 0, 0, 0, 4, moved}
			w.awaitNeighbour(known, again, func() { p.unsolicited(known, again) }) // which came later
			if got := w.neighbourMAC(unknown); got != "" {
				t.Errorf("it is at %s", got)
			}
		})
	}
}

// unsolicited tells all nodes that an address is at a link-layer address (RFC 4861 section 7.2.6).
func (p *prober) unsolicited(a netip.Addr, mac net.HardwareAddr) {
	p.w.t.Helper()
	p.icmp6(netip.IPv6LinkLocalAllNodes(), &ndp.NeighborAdvertisement{
		Override: true, TargetAddress: a, Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: mac}},
	})
}

// neighbourMAC returns the link-layer address that eth0's entry of a neighbour has; empty: there is none.
func (w *world) neighbourMAC(a netip.Addr) string {
	w.t.Helper()
	list, err := netlink.NeighList(w.eth0.Attrs().Index, netlink.FAMILY_V6)
	must(w.t, err)
	for _, n := range list {
		if n.IP.Equal(a.AsSlice()) {
			return n.HardwareAddr.String()
		}
	}
	return ""
}

// awaitNeighbour waits until eth0's entry of a neighbour has a link-layer address, and tells again now and then: frames may
// be lost.
func (w *world) awaitNeighbour(a netip.Addr, mac net.HardwareAddr, tell func()) {
	w.t.Helper()
	updates, done := make(chan netlink.NeighUpdate, 64), make(chan struct{})
	must(w.t, netlink.NeighSubscribe(updates, done))
	defer func() {
		close(done)
		for range updates { // until the subscription has ended
		}
	}()
	tell()
	for start := time.Now(); w.neighbourMAC(a) != mac.String(); {
		select {
		case <-updates:
		case <-time.After(retry):
			tell()
		}
		if time.Since(start) > patience {
			w.t.Fatalf("%s is at %q, want %s", a, w.neighbourMAC(a), mac)
		}
	}
}

// The segment of TestRule58: beside the host there is another router, by which a network is reached.
var (
	otherRouterMAC = net.HardwareAddr{2, 0, 0, 0, 0, 0xfe}
	otherRouter4   = netip.MustParseAddr("192.0.2.254")
	otherRouter6   = netip.MustParseAddr("fe80::254")
	remote4        = netip.MustParseAddr("198.51.100.9")
	remote6        = netip.MustParseAddr("2001:db8:51::9")
)

// TestRule58_Redirects shows what the kernel does: it does not know which address of a director a host has for its gateway.
// Without a virtual MAC the redirects come from the interface's own address, also to hosts that use a VIP (deviates; they
// ignore these, RFC 1122 section 3.2.2.2, RFC 4861 section 8.1). With a virtual MAC none are sent to those hosts: what came in by
// its interface leaves by the base interface.
func TestRule58_Redirects(t *testing.T) {
	w := newWorld(t)
	p := w.probe()
	k := w.keeper()
	w.add("2001:db8::1/64")
	w.sysctl("ipv6/conf/eth0/forwarding", "1")
	w.sysctl("ipv6/conf/all/forwarding", "1")
	w.sysctl("ipv4/ip_forward", "1")
	for _, name := range []string{"all", "default", "eth0"} {
		w.sysctl("ipv4/conf/"+name+"/send_redirects", "1")
	}
	for _, r := range []struct {
		network string
		via     netip.Addr
	}{{"198.51.100.0/24", otherRouter4}, {"2001:db8:51::/64", otherRouter6}} {
		must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: w.eth0.Attrs().Index, Dst: network(r.network), Gw: r.via.AsSlice()}))
		w.permanent(r.via, otherRouterMAC)
	}
	own6 := w.ownLinkLocal().String()
	vips := leases(addr("eth0", "192.0.2.10/24"), addr("eth0", "fe80::10/64"))
	host := byte(100)
	expect := func(t *testing.T, mac net.HardwareAddr, want4, want6 string) {
		t.Helper()
		host++ // another one each time, as redirects to one host are rate-limited
		got := []string{p.redirect(mac, netip.AddrFrom4([4]byte{192, 0, 2, host}), remote4),
			p.redirect(mac, netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: host}), remote6)}
		if diff := cmp.Diff([]string{want4, want6}, got); diff != "" {
			t.Errorf("redirects from (-want +got):\n%s", diff)
		}
	}
	w.run("positive: from the interface's own address where a host uses that", func(t *testing.T) {
		holdAll(t, k, Desired{})
		expect(t, w.eth0.Attrs().HardwareAddr, "192.0.2.1", own6)
	})
	w.run("positive: none from a virtual MAC", func(t *testing.T) {
		d := master51()
		d.Leases = leases(addr("vrrp.51", "192.0.2.10/24"), addr("vrrp.51", "fe80::10/64"), addr("vrrp.51", "2001:db8::10/64"))
		holdAll(t, k, d)
		expect(t, mac51, "", "")
	})
	w.run("negative: the same own address where a host uses a VIP without a virtual MAC (deviates)", func(t *testing.T) {
		holdAll(t, k, Desired{Leases: vips})
		expect(t, w.eth0.Attrs().HardwareAddr, "192.0.2.1", own6)
	})
}

// permanent tells eth0 for good where a neighbour is.
func (w *world) permanent(a netip.Addr, mac net.HardwareAddr) {
	w.t.Helper()
	must(w.t, netlink.NeighSet(&netlink.Neigh{LinkIndex: w.eth0.Attrs().Index, IP: a.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT}))
}

// ownLinkLocal returns the link-local address of eth0's own.
func (w *world) ownLinkLocal() netip.Addr {
	w.t.Helper()
	var own netip.Addr
	k := w.keeper()
	w.await(w.watcher(), "eth0 has a link-local address", func() bool {
		all, err := k.Interfaces()
		must(w.t, err)
		own = all["eth0"].LinkLocal6
		return own.IsValid()
	})
	return own
}

// redirect sends a datagram for a remote network to one of the director's MAC addresses, and returns the source of the
// redirect for it. The director sends that before it forwards the datagram, so an empty string says that there is none.
func (p *prober) redirect(mac net.HardwareAddr, source, remote netip.Addr) (from string) {
	p.w.t.Helper()
	p.w.permanent(source, hostMAC)
	udp := &layers.UDP{SrcPort: 1111, DstPort: 9999}
	send := func() {
		ethernet := &layers.Ethernet{SrcMAC: hostMAC, DstMAC: mac, EthernetType: layers.EthernetTypeIPv4}
		if remote.Is4() {
			ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: source.AsSlice(), DstIP: remote.AsSlice()}
			must(p.w.t, udp.SetNetworkLayerForChecksum(ip))
			p.send(ethernet, ip, udp)
			return
		}
		ethernet.EthernetType = layers.EthernetTypeIPv6
		ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP, SrcIP: source.AsSlice(), DstIP: remote.AsSlice()}
		must(p.w.t, udp.SetNetworkLayerForChecksum(ip))
		p.send(ethernet, ip, udp)
	}
	send()
	for start := time.Now(); time.Since(start) < patience; {
		f, ok := p.nextFrame(retry)
		if !ok {
			send() // it was lost
			continue
		}
		network := f.NetworkLayer()
		if network == nil {
			continue
		}
		if icmp, ok := f.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4); ok && icmp.TypeCode.Type() == layers.ICMPv4TypeRedirect {
			from = network.NetworkFlow().Src().String()
		}
		if icmp, ok := f.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6); ok && icmp.TypeCode.Type() == layers.ICMPv6TypeRedirect {
			from = network.NetworkFlow().Src().String()
		}
		to := f.Layer(layers.LayerTypeEthernet).(*layers.Ethernet).DstMAC
		if f.Layer(layers.LayerTypeUDP) != nil && to.String() == otherRouterMAC.String() && network.NetworkFlow().Src().String() == source.String() {
			return from
		}
	}
	p.w.t.Fatalf("what %s sent to %s was not forwarded", source, remote)
	return ""
}

// nextFrame returns the next frame, or false when a time without any has passed.
func (p *prober) nextFrame(limit time.Duration) (gopacket.Packet, bool) {
	p.w.t.Helper()
	must(p.w.t, p.conn.SetReadDeadline(time.Now().Add(limit)))
	b := make([]byte, 2048)
	n, _, err := p.conn.ReadFrom(b)
	if err != nil {
		return nil, false
	}
	return gopacket.NewPacket(b[:n], layers.LayerTypeEthernet, gopacket.Default), true
}
