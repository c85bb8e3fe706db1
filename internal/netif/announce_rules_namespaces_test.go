// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestRule29_AnnouncementFields(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	w.virtual()
	wire, a := w.wire("vmac"), w.announcer()
	for name, router := range map[string]bool{
		"positive: a router says so":                        true,
		"negative: no router flag where none is (deviates)": false,
	} {
		w.subtest(name, func(t *testing.T) {
			forward(t, "vmac", router)
			a.Announce([]Address{addr("vmac", "192.0.2.10/32"), addr("vmac", "2001:db8::10/128")})
			want := []string{requestForm("VMAC", "192.0.2.10"), advertisement("VMAC", "2001:db8::10", router), replyForm("VMAC", "192.0.2.10")}
			if diff := cmp.Diff(want, wire.read(3)); diff != "" {
				t.Errorf("announcements (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRule31_AnnouncementWaitsForLink(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	vmac := w.virtual()
	wire, a, links := w.wire("eth0"), w.announcer(), w.links()
	vip := []Address{addr("vmac", "192.0.2.10/32")}
	w.subtest("negative: nothing leaves a link that is down", func(t *testing.T) {
		must(t, links.LinkSetDown(vmac))
		a.Announce(vip)
		if err := awaitFailure(t, a); !errors.Is(err, unix.ENETDOWN) {
			t.Errorf("error %v, want that the link is down", err)
		}
		a.Announce([]Address{addr("eth0", "192.0.2.99/24")})
		want := []string{requestForm("ETH0", "192.0.2.99"), replyForm("ETH0", "192.0.2.99")}
		if diff := cmp.Diff(want, wire.read(2)); diff != "" {
			t.Errorf("announcements (-want +got):\n%s", diff)
		}
	})
	w.subtest("positive: the link is up, with the address it has then", func(t *testing.T) {
		must(t, links.LinkSetHardwareAddr(vmac, net.HardwareAddr{0, 0, 0x5e, 0, 1, 52}))
		must(t, links.LinkSetUp(vmac))
		a.Announce(vip)
		want := []string{requestForm("00:00:5e:00:01:34", "192.0.2.10"), replyForm("00:00:5e:00:01:34", "192.0.2.10")}
		if diff := cmp.Diff(want, wire.read(2)); diff != "" {
			t.Errorf("announcements (-want +got):\n%s", diff)
		}
	})
}

func TestRule37_AnnouncementCarriesVIPAndVirtualMAC(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	w.virtual()
	wire, a := w.wire(), NewAnnouncer()
	a.Announce([]Address{addr("vmac", "192.0.2.10/32"), addr("vmac", "192.0.2.11/32"), addr("vmac", "2001:db8::10/128")})
	a.Withdraw([]Address{addr("vmac", "192.0.2.11/32")})
	a.Announce([]Address{addr("vmac", "192.0.2.12/32")})
	runIn(t, w.ns, a.Run)
	const virtual = "00:00:5e:00:01:33"
	got := wire.read(5)
	w.subtest("positive: each VIP at the virtual MAC", func(t *testing.T) {
		want := []string{
			requestForm(virtual, "192.0.2.10"), advertisement(virtual, "2001:db8::10", false), requestForm(virtual, "192.0.2.12"),
			replyForm(virtual, "192.0.2.10"), replyForm(virtual, "192.0.2.12"),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("announcements (-want +got):\n%s", diff)
		}
	})
	w.subtest("negative: not a VIP that has left", func(t *testing.T) {
		for _, g := range got {
			if strings.Contains(g, "192.0.2.11") {
				t.Errorf("announced: %s", g)
			}
		}
	})
}

func TestRule55_NoPhysicalMAC(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	w.virtual()
	wire, a := w.wire("eth0"), w.announcer()
	w.subtest("positive: from a virtual MAC the physical one is not told", func(t *testing.T) {
		a.Announce([]Address{addr("vmac", "192.0.2.10/32"), addr("vmac", "2001:db8::10/128")})
		for range 3 {
			if f := wire.next(); bytes.Contains(f, w.eth0.Attrs().HardwareAddr) {
				t.Errorf("the physical MAC address is in %s", describe(t, f))
			}
		}
	})
	w.subtest("negative: without a virtual MAC it is told (deviates)", func(t *testing.T) {
		a.Announce([]Address{addr("eth0", "192.0.2.10/32")})
		want := []string{requestForm("ETH0", "192.0.2.10"), replyForm("ETH0", "192.0.2.10")}
		if diff := cmp.Diff(want, wire.read(2)); diff != "" {
			t.Errorf("announcements (-want +got):\n%s", diff)
		}
	})
}

func TestRule56_AnnouncedWhenConfigured(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	wire, a := w.wire("eth0"), w.announcer()
	w.subtest("positive: both families, both forms", func(t *testing.T) {
		a.Announce([]Address{addr("eth0", "192.0.2.10/24"), addr("eth0", "2001:db8::10/64")})
		want := []string{requestForm("ETH0", "192.0.2.10"), advertisement("ETH0", "2001:db8::10", false), replyForm("ETH0", "192.0.2.10")}
		if diff := cmp.Diff(want, wire.read(3)); diff != "" {
			t.Errorf("announcements (-want +got):\n%s", diff)
		}
	})
	w.subtest("negative: nobody to tell on a link without address", func(t *testing.T) {
		a.Announce([]Address{addr("lo", "192.0.2.11/32")})
		a.Announce([]Address{addr("eth0", "192.0.2.12/24")})
		want := []string{requestForm("ETH0", "192.0.2.12"), replyForm("ETH0", "192.0.2.12")}
		if diff := cmp.Diff(want, wire.read(2)); diff != "" {
			t.Errorf("announcements (-want +got):\n%s", diff)
		}
		select {
		case err := <-a.Failures():
			t.Errorf("failure %v", err)
		default:
		}
	})
}
