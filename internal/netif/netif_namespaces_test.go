// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestLeaseAsTheKernelShowsIt(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	want := []Lease{
		{Address: addr("eth0", "192.0.2.10/24"), Valid: 2500 * ms},
		{Address: addr("eth0", "2001:db8::10/64"), Valid: 60 * time.Second},
		{Address: addr("eth0", "198.51.100.10/32")},
		{Address: addr("eth0", "2001:db8::11/64")},
	}
	hold(t, k, want)
	hold(t, k, want)
	const forever = 0xffffffff
	valid := map[string][2]int{ // least and greatest plausible remaining lifetime
		"192.0.2.10/24":    {2, 3},
		"2001:db8::10/64":  {50, 60},
		"198.51.100.10/32": {forever, forever},
		"2001:db8::11/64":  {forever, forever},
	}
	for _, a := range w.lists() {
		limits, ok := valid[a.IPNet.String()]
		delete(valid, a.IPNet.String())
		if !ok || a.ValidLft < limits[0] || a.ValidLft > limits[1] {
			t.Errorf("%s: valid_lft %d, want %v", a.IPNet, a.ValidLft, limits)
		}
		if a.Flags&unix.IFA_F_DEPRECATED == 0 { // of a permanent IPv4 address the kernel shows no preferred_lft
			t.Errorf("%s: preferred_lft %d, flags %x; want it deprecated", a.IPNet, a.PreferedLft, a.Flags)
		}
		if a.Flags&unix.IFA_F_TENTATIVE != 0 || a.Broadcast != nil || a.Scope != unix.RT_SCOPE_UNIVERSE {
			t.Errorf("%s: flags %x, broadcast %s, scope %d", a.IPNet, a.Flags, a.Broadcast, a.Scope)
		}
	}
	if len(valid) != 0 {
		t.Errorf("missing: %v", valid)
	}
}

func TestKernelDropsWhatNobodyRenews(t *testing.T) {
	w := newWorld(t)
	w.add("192.0.2.1/24")
	hold(t, w.keeper(), []Lease{
		{Address: addr("eth0", "192.0.2.10/24"), Valid: time.Second},
		{Address: addr("eth0", "2001:db8::10/64"), Valid: time.Second},
		{Address: addr("eth0", "192.0.2.11/24"), Valid: time.Hour},
	})
	watcher := w.watcher()
	w.await(watcher, "leases end", func() bool { return len(w.lists()) == 2 })
	w.expect("after the leases", "192.0.2.1/24", "192.0.2.11/24")
}

func TestRenewalOutlivesTheFirstLease(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	short, long := addr("eth0", "192.0.2.10/24"), addr("eth0", "192.0.2.11/24")
	hold(t, k, []Lease{{Address: short, Valid: time.Second}, {Address: long, Valid: time.Second}})
	w.add("192.0.2.1/24")
	hold(t, k, []Lease{{Address: short, Valid: time.Second}, {Address: long, Valid: time.Hour}})
	watcher := w.watcher()
	// short is the primary of the subnet: the kernel takes the two others along, and Hold puts its own back.
	w.await(watcher, "the short lease ends", func() bool {
		return !slices.ContainsFunc(w.lists(), func(a netlink.Addr) bool { return a.IP.String() == "192.0.2.10" })
	})
	hold(t, k, []Lease{{Address: long, Valid: time.Hour}})
	if len(w.lists()) == 0 || !slices.ContainsFunc(w.lists(), func(a netlink.Addr) bool { return a.ValidLft > 3000 }) {
		t.Errorf("addresses %v, want the renewed one", w.lists())
	}
}

func TestCrashLeftOverIsRemoved(t *testing.T) {
	w := newWorld(t)
	w.add("192.0.2.1/24")
	first := w.keeper()
	hold(t, first, []Lease{{Address: addr("eth0", "192.0.2.10/24")}, {Address: addr("eth0", "2001:db8::10/64")}})
	w.add("192.0.2.2/24")

	second := w.keeper()
	got := hold(t, second, leases(addr("eth0", "2001:db8::10/64")))
	if diff := cmp.Diff(Changes{Removed: []Address{addr("eth0", "192.0.2.10/24")}}, got, prefixes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	w.expect("after the crash", "192.0.2.1/24", "192.0.2.2/24", "2001:db8::10/64")
}

func TestForeignAddressIsNotTouched(t *testing.T) {
	w := newWorld(t)
	w.add("192.0.2.10/24")
	w.add("2001:db8::10/128")
	k := w.keeper()
	before := w.lists()
	hold(t, k, leases(addr("eth0", "192.0.2.10/24"), addr("eth0", "2001:db8::10/64")))
	hold(t, k, nil)
	if diff := cmp.Diff(before, w.lists()); diff != "" {
		t.Errorf("foreign addresses (-before +after):\n%s", diff)
	}
}

func TestRemovingThePrimaryKeepsItsSecondaries(t *testing.T) {
	for _, promote := range []string{"0", "1"} {
		t.Run("promote_secondaries "+promote, func(t *testing.T) {
			w := newWorld(t)
			setting := "/proc/sys/net/ipv4/conf/eth0/promote_secondaries"
			must(t, os.WriteFile(setting, []byte(promote), 0o644))
			k := w.keeper()
			a, b, c := addr("eth0", "192.0.2.10/24"), addr("eth0", "192.0.2.11/24"), addr("eth0", "192.0.2.12/24")
			hold(t, k, leases(a, b, c))
			w.add("192.0.2.1/24")
			got := hold(t, k, leases(b))
			if diff := cmp.Diff(Changes{Removed: []Address{a, c}}, got, prefixes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			w.expect("after removing the primary", "192.0.2.1/24", "192.0.2.11/24")
			for _, x := range w.lists() {
				if foreign := x.IP.String() == "192.0.2.1"; foreign != (x.ValidLft == 0xffffffff && x.Broadcast != nil) {
					t.Errorf("%s: valid_lft %d, broadcast %s", x.IPNet, x.ValidLft, x.Broadcast)
				}
			}
		})
	}
}

func TestRemovedBySomebodyElseIsPutBack(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	a := addr("eth0", "192.0.2.10/24")
	hold(t, k, leases(a))
	watcher := w.watcher()
	<-watcher.Changed() // subscribed
	w.remove(a.Prefix.String())
	w.await(watcher, "removal is noticed", func() bool { return len(w.lists()) == 0 })
	got := hold(t, k, leases(a))
	if diff := cmp.Diff(Changes{Added: []Address{a}}, got, prefixes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	w.expect("put back", "192.0.2.10/24")
}

// TestRenewalIsNotAChange holds after every notification until there are none for a while, as a daemon does.
func TestRenewalIsNotAChange(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	watcher := w.watcher()
	holds := 0
	for quiet := false; !quiet; {
		select {
		case <-watcher.Changed():
			d := routed()
			d.VirtualMACs, d.Refuse = master51().VirtualMACs, []netip.Addr{vip4}
			d.Leases = append(d.Leases, master51().Leases[1:]...)
			_, _ = k.Hold(d) // routes fail while the link is not up yet
			if holds++; holds > 50 {
				t.Fatal("the watcher answers renewals with notifications, without an end")
			}
		case <-time.After(500 * ms):
			quiet = true
		}
	}
	if holds == 0 {
		t.Error("no notification at all")
	}
}

func TestInterfacesFollowTheKernel(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	watcher := w.watcher()
	eth0 := func() Interface {
		all, err := k.Interfaces()
		must(t, err)
		return all["eth0"]
	}
	hold(t, k, leases(addr("eth0", "192.0.2.10/24")))
	if p := eth0().Primary4; p.IsValid() {
		t.Errorf("primary %s, which is a VIP", p)
	}
	w.add("192.0.2.1/24")
	if p := eth0().Primary4; p != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("primary %s, want 192.0.2.1", p)
	}
	w.await(watcher, "up with a link-local address", func() bool { return eth0().Up && eth0().LinkLocal6.IsValid() })
	if i := eth0(); i.Index != w.eth0.Attrs().Index || i.HardwareAddr.String() != w.eth0.Attrs().HardwareAddr.String() {
		t.Errorf("index %d, hardware address %s", i.Index, i.HardwareAddr)
	}

	peer, err := netlink.LinkByName("peer0")
	must(t, err)
	must(t, netlink.LinkSetDown(peer))
	w.await(watcher, "down with its peer", func() bool { return !eth0().Up })
	must(t, netlink.LinkSetUp(peer))
	w.await(watcher, "up with its peer", func() bool { return eth0().Up })
	must(t, netlink.LinkDel(w.eth0))
	w.await(watcher, "gone", func() bool { return eth0().Name == "" })

	_, err = k.Hold(Desired{Leases: leases(addr("eth0", "192.0.2.10/24"))})
	if err == nil || !strings.Contains(err.Error(), "no such interface") {
		t.Errorf("error %v, want one about the missing interface", err)
	}
	if held := k.journal.held.addresses.names(); len(held) != 0 {
		t.Errorf("held %v on an interface that is gone", held)
	}
}

func TestDisabledIPv6IsNamed(t *testing.T) {
	w := newWorld(t)
	must(t, os.WriteFile("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", []byte("1"), 0o644))
	_, err := w.keeper().Hold(Desired{Leases: leases(addr("eth0", "2001:db8::10/64"), addr("eth0", "192.0.2.10/24"))})
	if err == nil || !strings.Contains(err.Error(), "net.ipv6.conf.eth0.disable_ipv6") {
		t.Errorf("error %v, want one that names the setting", err)
	}
	w.expect("with IPv6 disabled", "192.0.2.10/24")
}

func TestLabelInKernel(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	l := Lease{Address: addr("eth0", "192.0.2.10/24"), Valid: time.Minute, Label: "eth0:web", Scope: unix.RT_SCOPE_LINK}
	hold(t, k, []Lease{l})
	if got := w.lists(); len(got) != 1 || got[0].Label != "eth0:web" || got[0].Scope != unix.RT_SCOPE_LINK {
		t.Errorf("kernel has %+v", got)
	}
	if c := hold(t, k, []Lease{l}); c.Added != nil || c.Removed != nil {
		t.Errorf("holding again changed %+v", c)
	}
	l.Label, l.Scope = "", 0
	hold(t, k, []Lease{l})
	if got := w.lists(); len(got) != 1 || got[0].Label != "eth0" || got[0].Scope != unix.RT_SCOPE_UNIVERSE {
		t.Errorf("kernel has %+v", got)
	}
}

// TestSourceAddressSelection checks what the package comment says about deprecated addresses.
func TestSourceAddressSelection(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	vips := leases(addr("eth0", "192.0.2.10/24"), addr("eth0", "192.0.2.11/32"), addr("eth0", "2001:db8::10/64"))
	source := func(destination string) string {
		routes, err := netlink.RouteGet(net.ParseIP(destination))
		must(t, err)
		return routes[0].Src.String()
	}
	hold(t, k, vips)
	if got := source("192.0.2.99"); got != "192.0.2.10" {
		t.Errorf("VIPs alone: IPv4 source %s, want the VIP", got)
	}
	hold(t, k, nil)
	w.add("192.0.2.1/24")
	a, err := netlink.ParseAddr("2001:db8::1/64")
	must(t, err)
	a.Flags = unix.IFA_F_NODAD
	must(t, netlink.AddrAdd(w.eth0, a))
	hold(t, k, vips)
	for destination, want := range map[string]string{"192.0.2.99": "192.0.2.1", "2001:db8::99": "2001:db8::1"} {
		if got := source(destination); got != want {
			t.Errorf("beside an own address: source %s, want %s", got, want)
		}
	}
}
