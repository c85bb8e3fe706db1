// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket/layers"
	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var (
	mac51 = net.HardwareAddr{0, 0, 0x5e, 0, 1, 51}
	vip4  = netip.MustParseAddr("192.0.2.10")
	vip6  = netip.MustParseAddr("fe80::10")
)

// backup51 and master51 are what an instance with a virtual MAC wants in its two states.
func backup51() Desired {
	return Desired{VirtualMACs: []VirtualMAC{{Name: "vrrp.51", Interface: "eth0", HardwareAddr: mac51}}}
}

func master51() Desired {
	d := backup51()
	d.VirtualMACs[0].Up = true
	d.Leases = leases(addr("vrrp.51", "192.0.2.10/32"), addr("vrrp.51", "fe80::10/64"), addr("vrrp.51", "2001:db8::10/64"))
	return d
}

// holdAll holds and expects no error.
func holdAll(t *testing.T, k *Keeper, want Desired) Changes {
	t.Helper()
	c, err := k.Hold(want)
	must(t, err)
	return c
}

// none is the answer of nobody.
var none []string

func expectAnswers(t *testing.T, p *prober, when string, addr netip.Addr, want []string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, p.answers(addr, len(want))); diff != "" {
		t.Errorf("%s: answers for %s (-want +got):\n%s", when, addr, diff)
	}
}

func TestVirtualMACComesAndGoes(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	holdAll(t, k, backup51())
	l, err := netlink.LinkByName("vrrp.51")
	must(t, err)
	m, ok := l.(*netlink.Macvlan)
	if !ok || m.Mode != netlink.MACVLAN_MODE_BRIDGE || m.ParentIndex != w.eth0.Attrs().Index || m.HardwareAddr.String() != mac51.String() {
		t.Errorf("got %+v, want a macvlan interface in bridge mode on eth0", l)
	}
	if m.Flags&net.FlagUp != 0 {
		t.Error("a backup's interface is up")
	}
	if got := w.setting("ipv4/conf/eth0/arp_ignore"); got != "1" {
		t.Errorf("arp_ignore of the base interface %s", got)
	}

	w.awaitUp()
	c := holdAll(t, k, master51())
	if len(c.Added) != 3 {
		t.Errorf("added %v", c.Added)
	}
	all, err := k.Interfaces()
	must(t, err)
	if i := all["vrrp.51"]; !i.Up || i.Primary4.IsValid() || i.LinkLocal6.IsValid() || i.HardwareAddr.String() != mac51.String() {
		t.Errorf("a master's interface is %+v", i)
	}
	if c := holdAll(t, k, master51()); c.Added != nil || c.Removed != nil {
		t.Errorf("holding again changed %+v", c)
	}
	if c := holdAll(t, k, backup51()); len(c.Removed) != 3 {
		t.Errorf("removed %v", c.Removed)
	}
	if all, err = k.Interfaces(); err != nil || all["vrrp.51"].Up || all["vrrp.51"].Name == "" {
		t.Errorf("after mastership: %+v, %v", all["vrrp.51"], err)
	}
	w.expectNothing(k)
}

// expectNothing holds nothing, and checks that nothing is left.
func (w *world) expectNothing(k *Keeper) {
	w.t.Helper()
	holdAll(w.t, k, Desired{})
	if _, err := netlink.LinkByName("vrrp.51"); err == nil {
		w.t.Error("the macvlan interface is left")
	}
	for _, s := range []string{"arp_ignore", "arp_announce"} {
		if got := w.setting("ipv4/conf/eth0/" + s); got != "0" {
			w.t.Errorf("%s of the base interface is left at %s", s, got)
		}
	}
	if !k.journal.held.equal(newHoldings()) {
		w.t.Errorf("the journal has %+v", k.journal.held)
	}
}

func TestVirtualMACAfterACrash(t *testing.T) {
	w := newWorld(t)
	holdAll(t, w.keeper(), master51())
	w.expectNothing(w.keeper())
}

func TestVirtualMACGoesWithARenamedBase(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	d := master51()
	d.Leases = append(d.Leases, leases(addr("eth0", "192.0.2.20/24"))...)
	holdAll(t, k, d)
	must(t, netlink.LinkSetName(w.eth0, "wan0"))
	if c := holdAll(t, w.keeper(), Desired{}); len(c.Removed) != 4 {
		t.Errorf("removed %v, want the VIP on the renamed interface too", c.Removed)
	}
	if got := w.setting("ipv4/conf/wan0/arp_ignore"); got != "0" {
		t.Errorf("arp_ignore is left at %s", got)
	}
	w.expect("after the rename")
}

func TestVirtualMACIsRepaired(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	k := w.keeper()
	holdAll(t, k, master51())
	l, err := netlink.LinkByName("vrrp.51")
	must(t, err)
	must(t, netlink.LinkSetDown(l)) // the IPv6 addresses go
	w.sysctl("ipv4/conf/eth0/arp_ignore", "0")
	if c := holdAll(t, k, master51()); len(c.Added) != 2 {
		t.Errorf("put back %v after the interface was set down", c.Added)
	}
	must(t, netlink.LinkDel(l))
	if c := holdAll(t, k, master51()); len(c.Added) != 3 {
		t.Errorf("put back %v after the interface was removed", c.Added)
	}
	other := master51()
	other.VirtualMACs[0].HardwareAddr = net.HardwareAddr{0, 0, 0x5e, 0, 1, 52}
	if c := holdAll(t, k, other); len(c.Added) != 3 {
		t.Errorf("put back %v on the interface with another address", c.Added)
	}
	w.expectNothing(k)
}

func TestForeignInterfaceOfTheName(t *testing.T) {
	w := newWorld(t)
	must(t, netlink.LinkAdd(&netlink.Macvlan{LinkAttrs: netlink.LinkAttrs{Name: "vrrp.51", ParentIndex: w.eth0.Attrs().Index, HardwareAddr: mac51}}))
	k := w.keeper()
	c, err := k.Hold(master51())
	if err == nil || !strings.Contains(err.Error(), "vrrp.51 on eth0") || !strings.Contains(err.Error(), "not lvs-ha's") {
		t.Errorf("error %v, want one about the interface", err)
	}
	if c.Added != nil {
		t.Errorf("added %v to somebody else's interface", c.Added)
	}
	holdAll(t, k, Desired{})
	if _, err := netlink.LinkByName("vrrp.51"); err != nil {
		t.Errorf("somebody else's interface: %v", err)
	}
}

func TestOperatorsSettingIsLeft(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	w.sysctl("ipv4/conf/eth0/arp_ignore", "2") // stricter than needed
	holdAll(t, k, backup51())
	if got := w.setting("ipv4/conf/eth0/arp_ignore"); got != "2" {
		t.Errorf("arp_ignore %s, want the operator's 2", got)
	}
	w.sysctl("ipv4/conf/eth0/arp_announce", "1") // since then
	holdAll(t, k, Desired{})
	if ignore, announce := w.setting("ipv4/conf/eth0/arp_ignore"), w.setting("ipv4/conf/eth0/arp_announce"); ignore != "2" || announce != "1" {
		t.Errorf("arp_ignore %s, arp_announce %s; want what the operator set", ignore, announce)
	}
}

func TestVirtualMACOnAMissingInterface(t *testing.T) {
	w := newWorld(t)
	d := master51()
	d.VirtualMACs[0].Interface = "eth9"
	_, err := w.keeper().Hold(d)
	if err == nil || err.Error() != "create virtual MAC interface vrrp.51 on eth9 (00:00:5e:00:01:33): no interface eth9" {
		t.Errorf("error %v", err)
	}
}

func TestRule25_SourceOfFrames(t *testing.T) {
	w := newWorld(t)
	p := w.probe()
	holdAll(t, w.keeper(), master51())
	send := func(t *testing.T, device, source string) string {
		t.Helper()
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(source)})
		must(t, err)
		defer conn.Close()
		raw, err := conn.SyscallConn()
		must(t, err)
		must(t, raw.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), device) }))
		must(t, err)
		_, err = conn.WriteTo([]byte("advert"), &net.UDPAddr{IP: net.IPv4(224, 0, 0, 18), Port: 9})
		must(t, err)
		for {
			f := receive(t, p.conn)
			if ip, ok := f.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok && ip.DstIP.String() == "224.0.0.18" && f.Layer(layers.LayerTypeUDP) != nil {
				return f.Layer(layers.LayerTypeEthernet).(*layers.Ethernet).SrcMAC.String()
			}
		}
	}
	w.run("positive: virtual MAC, source the primary address", func(t *testing.T) {
		if got := send(t, "vrrp.51", "192.0.2.1"); got != mac51.String() {
			t.Errorf("sent from %s", got)
		}
	})
	w.run("negative: without it the physical one", func(t *testing.T) {
		if got := send(t, "eth0", "192.0.2.1"); got != w.eth0.Attrs().HardwareAddr.String() {
			t.Errorf("sent from %s", got)
		}
	})
}

func TestRule27_NoAddressFromVirtualMAC(t *testing.T) {
	w := newWorld(t)
	w.sysctl("ipv6/conf/default/accept_ra", "2") // of routers too
	p := w.probe()
	d := master51()
	d.Leases = nil
	holdAll(t, w.keeper(), d)
	count := func(name string) int {
		l, err := netlink.LinkByName(name)
		must(t, err)
		all, err := netlink.AddrList(l, netlink.FAMILY_V6)
		must(t, err)
		n := 0
		for _, a := range all {
			if a.IP.IsGlobalUnicast() {
				n++
			}
		}
		return n
	}
	watcher := w.watcher()
	for start := time.Now(); count("sentinel") == 0 && time.Since(start) < patience; {
		p.icmp6(netip.IPv6LinkLocalAllNodes(), &ndp.RouterAdvertisement{
			RouterLifetime: 1800e9,
			Options: []ndp.Option{&ndp.PrefixInformation{
				PrefixLength: 64, OnLink: true, AutonomousAddressConfiguration: true, ValidLifetime: 3600e9, PreferredLifetime: 3600e9,
				Prefix: netip.MustParseAddr("2001:db8:1::"),
			}},
		})
		select {
		case <-watcher.Changed():
		case <-time.After(retry):
		}
	}
	w.run("positive: none, not even of an advertised prefix", func(t *testing.T) {
		expectAnswers(t, p, "settled", vip6, none) // the broadcast queue is through
		l, err := netlink.LinkByName("vrrp.51")
		must(t, err)
		all, err := netlink.AddrList(l, netlink.FAMILY_V6)
		must(t, err)
		if len(all) != 0 {
			t.Errorf("addresses %v", all)
		}
	})
	w.run("negative: an ordinary macvlan interface has one", func(t *testing.T) {
		if count("sentinel") == 0 {
			t.Error("none")
		}
	})
}

func TestRule31_UpWhenHoldReturns(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	k := w.keeper()
	state := func() (up bool, addresses int) {
		all, err := k.Interfaces()
		must(t, err)
		return all["vrrp.51"].Up, len(all["vrrp.51"].Addresses)
	}
	w.run("positive: link and addresses are there", func(t *testing.T) {
		holdAll(t, k, master51())
		if up, n := state(); !up || n != 3 {
			t.Errorf("up %t, %d addresses", up, n)
		}
	})
	w.run("negative: a base interface without carrier is not up", func(t *testing.T) {
		peer, err := netlink.LinkByName("peer0")
		must(t, err)
		must(t, netlink.LinkSetDown(peer))
		w.await(w.watcher(), "down", func() bool { up, _ := state(); return !up })
		holdAll(t, k, master51())
		if up, _ := state(); up {
			t.Error("up")
		}
	})
}
