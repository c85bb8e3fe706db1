// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/topo"
)

// TestRule59_NoRouterAdvertisements: the router advertisements of master and
// backup cannot differ, as there are none: a director is no default router. With
// a virtual MAC, whose interface is a router's to the kernel, it matters most.
func TestRule59_NoRouterAdvertisements(t *testing.T) {
	requireLayer(t, "namespaces", "test-namespaces")
	t.Cleanup(func() { goleak.VerifyNone(t) })
	s := newSegment(t)
	vip := []netip.Addr{netip.MustParseAddr("2001:db8::100")}
	const keys = `
advert_interval = "300ms"
virtual_mac = true
addresses = ["fe80::100/64", "2001:db8::100/64"]`
	s.d1.configure(keys, calm)
	s.d2.configure(keys, calm)
	virtualMAC := net.HardwareAddr{0, 0, 0x5e, 0, 2, 51}
	c := s.captureFrom(s.d1.mac, s.d2.mac, virtualMAC)
	on1, on2 := s.d1.follow(), s.d2.follow()
	s.d1.start()
	on1.wait("as master", vip, true)
	s.d2.start()
	s.awaitBackup(s.d2)

	s.run("negative: that of another router changes neither", func(t *testing.T) {
		mark1, mark2 := s.d1.log.mark(), s.d2.log.mark()
		prefix := netip.MustParseAddr("2001:db8:1::")
		s.advertiseRouter(prefix)
		on1.wait("of the prefix", []netip.Addr{withEUI64(prefix, s.d1.mac)}, true)
		on2.wait("of the prefix", []netip.Addr{withEUI64(prefix, s.d2.mac)}, true)
		c.wait(time.Now(), "advert", func(f frame) bool { _, ok := f.advert(); return ok })
		if got := append(s.d1.log.since(mark1, ""), s.d2.log.since(mark2, "")...); len(got) > 0 {
			t.Errorf("the directors say %q", got)
		}
		if one, two := s.d1.instance(), s.d2.instance(); one.State != "master" || two.State != "backup" {
			t.Errorf("d1 is %s, d2 %s", one.State, two.State)
		}
		on1.wait("as master", vip, true)
		on1.wait("at the virtual MAC", []netip.Addr{withEUI64(prefix, virtualMAC)}, false)
		on2.wait("as backup", vip, false)
	})
	s.run("positive: neighbour advertisements only, of a master", func(t *testing.T) {
		announced := func(f frame) bool { return f.announces() == vip[0] }
		c.wait(time.Time{}, "neighbour advertisement of d1", announced)
		struck := time.Now()
		s.d1.stop()
		on2.wait("as master", vip, true)
		c.wait(struck, "neighbour advertisement of d2", announced)
		for _, f := range c.since(time.Time{}) {
			if m := f.packet(unix.IPPROTO_ICMPV6); len(m) > 0 && m[0] == routerAdvertisement {
				t.Errorf("a router advertisement of %s: %x", f.sender(), f.octets)
			}
		}
	})
}

// run runs a subtest on the segment.
func (s *segment) run(name string, f func(t *testing.T)) {
	parent := s.t
	parent.Run(name, func(t *testing.T) {
		s.t = t
		defer func() { s.t = parent }()
		f(t)
	})
}

// routerAdvertisement is its ICMPv6 type (RFC 4861 section 4.2).
const routerAdvertisement = 134

// advertiseRouter sends one as another router on the segment.
func (s *segment) advertiseRouter(prefix netip.Addr) {
	s.t.Helper()
	source, all := netip.MustParseAddr("fe80::9"), netip.IPv6LinkLocalAllNodes()
	message, err := ndp.MarshalMessageChecksum(&ndp.RouterAdvertisement{
		RouterLifetime: time.Minute,
		Options: []ndp.Option{&ndp.PrefixInformation{
			PrefixLength: 64, OnLink: true, AutonomousAddressConfiguration: true,
			ValidLifetime: time.Minute, PreferredLifetime: time.Minute, Prefix: prefix,
		}},
	}, source, all)
	s.must(err)
	s.must(topo.Within(s.client, func() error {
		ifi, err := net.InterfaceByName(bridge)
		if err != nil {
			return err
		}
		conn, err := packet.Listen(ifi, packet.Datagram, unix.ETH_P_IPV6, nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		header := []byte{6 << 4, 0, 0, 0, 0, byte(len(message)), unix.IPPROTO_ICMPV6, 255}
		header = append(append(header, source.AsSlice()...), all.AsSlice()...)
		_, err = conn.WriteTo(append(header, message...), &packet.Addr{HardwareAddr: net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}})
		return err
	}))
}

// withEUI64 returns the address that an interface makes of a prefix (RFC 4862
// section 5.5.3, RFC 4291 appendix A).
func withEUI64(prefix netip.Addr, mac net.HardwareAddr) netip.Addr {
	a := prefix.As16()
	copy(a[8:], []byte{mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]})
	return netip.AddrFrom16(a)
}
