// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// inside calls f on a thread in a namespace.
func inside(t *testing.T, ns netns.NsHandle, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := netns.Set(ns); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	must(t, <-done)
}

// rival is a machine of its own at the far end of the world's segment.
type rival struct {
	*packet.Conn
	w    *world
	ns   netns.NsHandle
	mac  net.HardwareAddr
	host *netlink.Handle
	peer netlink.Link
}

func (w *world) rival() *rival {
	w.t.Helper()
	host, ns := w.neighbour("peer0")
	r := &rival{w: w, ns: ns, host: host, peer: w.peerUp(host, ns)}
	r.connect()
	return r
}

// connect opens the socket that sends what the rival says.
func (r *rival) connect() {
	r.w.t.Helper()
	r.mac = r.peer.Attrs().HardwareAddr
	inside(r.w.t, r.ns, func() error {
		ifi, err := net.InterfaceByName("peer0")
		if err != nil {
			return err
		}
		r.Conn, err = packet.Listen(ifi, packet.Raw, 0, nil)
		return err
	})
	conn := r.Conn
	r.w.t.Cleanup(func() { conn.Close() })
}

func (r *rival) say(frames ...[]byte) {
	r.w.t.Helper()
	for _, f := range frames {
		_, err := r.WriteTo(f, &packet.Addr{HardwareAddr: net.HardwareAddr(f[:6])})
		must(r.w.t, err)
	}
}

// claims runs a watch in the world; the channel tells of each socket that was opened.
func (w *world) claims() (*Claims, <-chan spot) {
	c, opened := NewClaims(), make(chan spot, 16)
	open := c.open
	c.open = func(s spot) (listener, error) {
		l, err := open(s)
		if err == nil {
			opened <- s
		}
		return l, err
	}
	runIn(w.t, w.ns, c.Run)
	return c, opened
}

// next returns what a channel has within the patience of a test.
func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("no %T", *new(T))
		return *new(T)
	}
}

func TestClaimsOnTheWire(t *testing.T) {
	w := newWorld(t)
	r := w.rival()
	c, opened := w.claims()
	vip4, vip6, last := addr("eth0", "192.0.2.10/24"), addr("eth0", "2001:db8::10/64"), addr("eth0", "192.0.2.99/24")
	c.Watch([]Address{vip4, vip6, last})
	next(t, opened)
	next(t, opened)

	ours := w.eth0.Attrs().HardwareAddr
	foreign := announced(t, claimed4, r.mac)
	tagged := append(append(append([]byte{}, foreign[0][:12]...), 0x81, 0, 0, 100), foreign[0][12:]...)
	// Said by us, coming back, a probe of either family, from another VLAN, and of another address: none is a claim.
	a := w.announcer()
	a.Announce([]Address{vip4, vip6})
	r.say(announced(t, claimed4, ours)...)
	r.say(announced(t, claimed6, ours)...)
	r.say(changed(foreign[0], arpSenderIPAt, 0, 0, 0, 0), tagged)
	r.say(message(t, &ndp.NeighborSolicitation{TargetAddress: claimed6}))
	r.say(announced(t, netip.MustParseAddr("192.0.2.11"), r.mac)...)
	must(t, r.host.AddrAdd(r.peer, &netlink.Addr{ // the kernel's own probe, before it would believe ours
		IPNet: &net.IPNet{IP: claimed6.AsSlice(), Mask: net.CIDRMask(64, 128)}}))
	r.say(announced(t, last.Prefix.Addr(), r.mac)...)
	want := Claim{Address: last.Prefix.Addr(), Interface: "eth0", HardwareAddr: r.mac}
	if diff := cmp.Diff(want, next(t, c.Seen()), prefixes); diff != "" {
		t.Errorf("first claim (-want +got):\n%s", diff)
	}

	r.say(foreign...)
	r.say(announced(t, claimed6, r.mac)...)
	got := map[netip.Addr]Claim{}
	for range 2 {
		claim := next(t, c.Seen())
		got[claim.Address] = claim
	}
	wants := map[netip.Addr]Claim{
		claimed4: {Address: claimed4, Interface: "eth0", HardwareAddr: r.mac},
		claimed6: {Address: claimed6, Interface: "eth0", HardwareAddr: r.mac},
	}
	if diff := cmp.Diff(wants, got, prefixes); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

// TestClaimsOfAnotherDirector hears an announcer on the other machine.
func TestClaimsOfAnotherDirector(t *testing.T) {
	w := newWorld(t)
	r := w.rival()
	c, opened := w.claims()
	c.Watch([]Address{addr("eth0", "192.0.2.10/24")})
	next(t, opened)
	a := NewAnnouncer()
	runIn(t, r.ns, a.Run)
	a.Announce([]Address{addr("peer0", "192.0.2.10/24")})
	want := Claim{Address: claimed4, Interface: "eth0", HardwareAddr: r.mac}
	if diff := cmp.Diff(want, next(t, c.Seen()), prefixes); diff != "" {
		t.Errorf("claim (-want +got):\n%s", diff)
	}
}

// TestClaimsOnVirtualMAC watches a macvlan interface and the one below it: each claim is told where the address is.
func TestClaimsOnVirtualMAC(t *testing.T) {
	w := newWorld(t)
	r := w.rival()
	w.virtual()
	c, opened := w.claims()
	c.Watch([]Address{addr("vmac", "192.0.2.10/32"), addr("vmac", "2001:db8::10/128"), addr("eth0", "192.0.2.11/24")})
	for range 3 {
		next(t, opened)
	}
	// Both directions on the machine itself: the macvlan speaks, the link below must not take it for another's word.
	w.announcer().Announce([]Address{addr("vmac", "192.0.2.11/32"), addr("eth0", "192.0.2.10/24")})
	got := map[netip.Addr]Claim{}
	r.say(announced(t, netip.MustParseAddr("192.0.2.11"), r.mac)[0], announced(t, claimed4, r.mac)[0], announced(t, claimed6, r.mac)[0])
	for range 3 {
		claim := next(t, c.Seen())
		got[claim.Address] = claim
	}
	want := map[netip.Addr]Claim{}
	for vip, iface := range map[string]string{"192.0.2.10": "vmac", "2001:db8::10": "vmac", "192.0.2.11": "eth0"} {
		a := netip.MustParseAddr(vip)
		want[a] = Claim{Address: a, Interface: iface, HardwareAddr: r.mac}
	}
	if diff := cmp.Diff(want, got, prefixes); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

// TestClaimsInterfaceComesBack takes the interface down and up, then away, and makes another one of its name.
func TestClaimsInterfaceComesBack(t *testing.T) {
	w := newWorld(t)
	r := w.rival()
	c, opened := w.claims()
	c.Watch([]Address{addr("eth0", "192.0.2.10/24")})
	next(t, opened)
	heard := func(when string) {
		t.Helper()
		tick := time.NewTicker(50 * time.Millisecond) // a socket on a link that is not up yet is opened, and breaks
		defer tick.Stop()
		limit := time.After(patience)
		for {
			r.say(announced(t, claimed4, r.mac)[0])
			select {
			case claim := <-c.Seen():
				if claim.HardwareAddr.String() != r.mac.String() {
					t.Errorf("%s: claim %v", when, claim)
				}
				return
			case <-tick.C:
			case <-limit:
				t.Fatalf("%s: no claim is told", when)
			}
		}
	}
	heard("at first")
	must(t, netlink.LinkSetDown(w.eth0))
	must(t, netlink.LinkSetUp(w.eth0))
	r.peer = w.peerUp(r.host, r.ns)
	heard("down and up")

	must(t, netlink.LinkDel(w.eth0))
	w.eth0 = w.veth("eth0", "peer0")
	peer, err := netlink.LinkByName("peer0")
	must(t, err)
	must(t, netlink.LinkSetNsFd(peer, int(r.ns)))
	r.peer = w.peerUp(r.host, r.ns)
	r.connect()
	heard("another one of the same name")
}
