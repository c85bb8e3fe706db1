// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// capture returns the next n announcement frames that arrive at peer0 from eth0.
func (w *world) capture(conn *packet.Conn, n int) []string {
	w.t.Helper()
	must(w.t, conn.SetReadDeadline(time.Now().Add(patience)))
	var got []string
	b := make([]byte, 2048)
	for len(got) < n {
		length, from, err := conn.ReadFrom(b)
		if err != nil {
			w.t.Fatalf("%d of %d announcements arrived: %v", len(got), n, err)
		}
		mac := w.eth0.Attrs().HardwareAddr.String()
		if from.(*packet.Addr).HardwareAddr.String() != mac || !announces(b[:length]) {
			continue
		}
		got = append(got, strings.ReplaceAll(describe(w.t, b[:length]), mac, "MAC"))
	}
	return got
}

// announces reports whether a frame is ARP or a neighbour advertisement.
func announces(frame []byte) bool {
	switch {
	case len(frame) > 54 && frame[12] == 0x86 && frame[13] == 0xdd:
		return frame[20] == unix.IPPROTO_ICMPV6 && frame[54] == 136
	default:
		return len(frame) > 14 && frame[12] == 0x08 && frame[13] == 0x06
	}
}

func TestAnnouncementsArrive(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	ifi, err := net.InterfaceByName("peer0")
	must(t, err)
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
	must(t, err)
	defer conn.Close()

	vips := []Address{addr("eth0", "192.0.2.10/24"), addr("eth0", "2001:db8::10/64")}
	a := NewAnnouncer()
	defer a.Close()
	arp := []string{
		"MAC > ff:ff:ff:ff:ff:ff ARP Ethernet/IPv4 op 1, sender MAC 192.0.2.10, target 00:00:00:00:00:00 192.0.2.10",
		"MAC > ff:ff:ff:ff:ff:ff ARP Ethernet/IPv4 op 2, sender MAC 192.0.2.10, target MAC 192.0.2.10",
	}
	na := "MAC > 33:33:00:00:00:01 IPv6 2001:db8::10 > ff02::1 hop limit 255, NeighborAdvertisement " +
		"router %t solicited false override true target 2001:db8::10, option TargetAddress MAC"
	for _, router := range []bool{false, true} {
		forwarding := map[bool]string{false: "0", true: "1"}[router]
		must(t, os.WriteFile("/proc/sys/net/ipv6/conf/eth0/forwarding", []byte(forwarding), 0o644))
		must(t, a.Announce(vips))
		if diff := cmp.Diff(append(slices.Clone(arp), fmt.Sprintf(na, router)), w.capture(conn, 3)); diff != "" {
			t.Errorf("announcements with forwarding %t (-want +got):\n%s", router, diff)
		}
	}

	// The interface goes down and comes back, as one and as another one of the same name.
	must(t, netlink.LinkSetDown(w.eth0))
	if err := a.Announce(vips); !errors.Is(err, unix.ENETDOWN) {
		t.Errorf("interface down: error %v", err)
	}
	must(t, netlink.LinkSetUp(w.eth0))
	must(t, a.Announce(vips))
	w.capture(conn, 3)
	must(t, netlink.LinkDel(w.eth0))
	w.eth0 = w.veth("eth0", "peer0")
	must(t, a.Announce(vips))
	must(t, netlink.LinkDel(w.eth0))
	if err := a.Announce(vips); err == nil || !strings.Contains(err.Error(), "eth0") {
		t.Errorf("interface gone: error %v", err)
	}
	w.eth0 = w.veth("eth0", "peer0")

	// Nobody to tell on loopback, and an unknown interface does not stop the others.
	must(t, a.Announce([]Address{addr("lo", "192.0.2.10/32")}))
	if err := a.Announce(append([]Address{addr("eth9", "192.0.2.9/24")}, vips...)); err == nil || strings.Contains(err.Error(), "eth0") {
		t.Errorf("error %v, want one about eth9 only", err)
	}
}

// TestPeerBelievesAnnouncements moves the peer into a namespace of its own, teaches it another link-layer address for each
// VIP, as if another director had been master, and waits until its neighbour table has ours.
func TestPeerBelievesAnnouncements(t *testing.T) {
	w := newWorld(t)
	host, ns := w.neighbour("peer0")
	peer, err := host.LinkByName("peer0")
	must(t, err)
	must(t, host.LinkSetUp(peer))
	w.awaitUp()
	// A carrier that comes late would flush the neighbour table.
	w.await(w.watcherIn(ns), "peer up", func() bool {
		peer, err = host.LinkByName("peer0")
		must(t, err)
		return peer.Attrs().OperState == netlink.OperUp
	})
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

	a := NewAnnouncer()
	defer a.Close()
	must(t, a.Announce(vips))
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
