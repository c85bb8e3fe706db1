// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// runIn runs a part in a namespace until the test ends.
func runIn(t *testing.T, ns netns.NsHandle, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		if err := netns.Set(ns); err != nil {
			ended <- err
			return
		}
		ended <- run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
	})
}

// subtest runs a part of a test inside the world: a subtest has a goroutine of its own, whose thread is in the namespace of
// the machine, where a change of link 4 would be one of the machine's.
func (w *world) subtest(name string, test func(t *testing.T)) {
	w.t.Helper()
	w.t.Run(name, func(t *testing.T) {
		runtime.LockOSThread() // never unlocked: the thread ends with the subtest
		must(t, netns.Set(w.ns))
		test(t)
	})
}

// links returns a handle that changes the world's links whatever namespace its caller is in.
func (w *world) links() *netlink.Handle {
	w.t.Helper()
	h, err := netlink.NewHandleAt(w.ns, unix.NETLINK_ROUTE)
	must(w.t, err)
	w.t.Cleanup(h.Close)
	return h
}

// announcer runs an announcer in the world until the test ends.
func (w *world) announcer() *Announcer {
	a := NewAnnouncer()
	runIn(w.t, w.ns, a.Run)
	return a
}

// forward sets whether a link forwards IPv6.
func forward(t *testing.T, link string, on bool) {
	t.Helper()
	value := map[bool]string{false: "0", true: "1"}[on]
	must(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+link+"/forwarding", []byte(value), 0o644))
}

// virtual adds the macvlan interface vmac, with the virtual MAC address of VRID 51, to eth0.
func (w *world) virtual() netlink.Link {
	w.t.Helper()
	must(w.t, netlink.LinkAdd(&netlink.Macvlan{
		LinkAttrs: netlink.LinkAttrs{
			Name: "vmac", ParentIndex: w.eth0.Attrs().Index, HardwareAddr: net.HardwareAddr{0, 0, 0x5e, 0, 1, 51},
		},
		Mode: netlink.MACVLAN_MODE_PRIVATE,
	}))
	l, err := netlink.LinkByName("vmac")
	must(w.t, err)
	must(w.t, netlink.LinkSetUp(l))
	return l
}

func TestAnnouncementsArrive(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	wire := w.wire("eth0")
	a := w.announcer()
	vips := []Address{addr("eth0", "192.0.2.10/24"), addr("eth0", "2001:db8::10/64")}
	whole := func(router bool) []string {
		return []string{requestForm("ETH0", "192.0.2.10"), advertisement("ETH0", "2001:db8::10", router), replyForm("ETH0", "192.0.2.10")}
	}
	for _, router := range []bool{false, true} {
		forward(t, "eth0", router)
		a.Announce(vips)
		if diff := cmp.Diff(whole(router), wire.read(3)); diff != "" {
			t.Errorf("announcements with forwarding %t (-want +got):\n%s", router, diff)
		}
	}

	// The interface goes down and comes back, as one and as another one of the same name.
	must(t, netlink.LinkSetDown(w.eth0))
	a.Announce(vips)
	if err := awaitFailure(t, a); !errors.Is(err, unix.ENETDOWN) {
		t.Errorf("interface down: error %v", err)
	}
	must(t, netlink.LinkSetUp(w.eth0))
	a.Announce(vips)
	wire.read(3)
	must(t, netlink.LinkDel(w.eth0))
	a.Announce(vips)
	if err := awaitFailure(t, a); err == nil || !strings.Contains(err.Error(), "eth0") {
		t.Errorf("interface gone: error %v", err)
	}
	w.eth0 = w.veth("eth0", "peer0")
	wire = w.wire("eth0")
	a.Announce(vips)
	if diff := cmp.Diff(whole(false), wire.read(3)); diff != "" {
		t.Errorf("announcements of the new interface (-want +got):\n%s", diff)
	}

	// An unknown interface does not stop the others.
	a.Announce(append([]Address{addr("eth9", "192.0.2.9/24")}, vips...))
	if err := awaitFailure(t, a); !strings.Contains(err.Error(), "eth9") || strings.Contains(err.Error(), "eth0") {
		t.Errorf("error %v, want one about eth9 only", err)
	}
	wire.read(3)
}

// TestAnnounceThousandVIPs reads a whole round off the wire, some of whose addresses were withdrawn before it began.
func TestAnnounceThousandVIPs(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	wire := w.wire("eth0")
	vips := mixedVIPs(1300)
	a := NewAnnouncer()
	a.Announce(vips)
	a.Announce(vips) // nothing leaves twice
	a.Withdraw(vips[1000:])
	a.Announce([]Address{addr("eth0", "192.0.2.10/24")}) // its last frame is the last of all
	start := time.Now()
	runIn(t, w.ns, a.Run)

	var want, again []string
	for _, v := range vips[:1000] {
		vip := v.Prefix.Addr().String()
		if v.Prefix.Addr().Is6() {
			want = append(want, advertisement("ETH0", vip, false))
			continue
		}
		want, again = append(want, requestForm("ETH0", vip)), append(again, replyForm("ETH0", vip))
	}
	want = append(append(want, requestForm("ETH0", "192.0.2.10")), append(again, replyForm("ETH0", "192.0.2.10"))...)
	got := wire.read(len(want))
	t.Logf("%d frames in %s", len(got), time.Since(start).Round(time.Millisecond))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("round (-want +got):\n%s", diff)
	}
}

// TestPeerBelievesAnnouncements moves the peer into a namespace of its own, teaches it another link-layer address for each
// VIP, as if another director had been master, and waits until its neighbour table has ours.
func TestPeerBelievesAnnouncements(t *testing.T) {
	w := newWorld(t)
	host, ns := w.neighbour("peer0")
	peer := w.peerUp(host, ns)
	must(t, host.AddrAdd(peer, &netlink.Addr{IPNet: &net.IPNet{IP: net.IP{192, 0, 2, 99}, Mask: net.CIDRMask(24, 32)}}))

	vips := []Address{addr("eth0", "192.0.2.10/24"), addr("eth0", "2001:db8::10/64")}
	changes, done := make(chan netlink.NeighUpdate, 100), make(chan struct{})
	must(t, netlink.NeighSubscribeWithOptions(changes, done, netlink.NeighSubscribeOptions{Namespace: &ns}))
	defer func() {
		close(done)
		for range changes { // until the subscription has ended
		}
	}()
	waiting := make(map[string]bool)
	for _, vip := range vips {
		must(t, host.NeighSet(&netlink.Neigh{
			LinkIndex: peer.Attrs().Index, IP: vip.Prefix.Addr().AsSlice(),
			HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 0xff}, State: netlink.NUD_REACHABLE,
		}))
		waiting[vip.Prefix.Addr().String()] = true
	}

	w.announcer().Announce(vips)
	limit := time.After(patience)
	for len(waiting) > 0 {
		select {
		case c := <-changes:
			if c.HardwareAddr.String() == w.eth0.Attrs().HardwareAddr.String() {
				delete(waiting, c.IP.String())
			}
		case <-limit:
			t.Fatalf("the peer still has another link-layer address for %v", waiting)
		}
	}
}

// peerUp sets peer0 up in its own namespace, and waits until both ends have carrier: one that comes late would flush the
// neighbour table.
func (w *world) peerUp(host *netlink.Handle, ns netns.NsHandle) netlink.Link {
	w.t.Helper()
	peer, err := host.LinkByName("peer0")
	must(w.t, err)
	must(w.t, host.LinkSetUp(peer))
	w.awaitUp()
	w.await(w.watcherIn(ns), "peer up", func() bool {
		peer, err = host.LinkByName("peer0")
		must(w.t, err)
		return peer.Attrs().OperState == netlink.OperUp
	})
	return peer
}
