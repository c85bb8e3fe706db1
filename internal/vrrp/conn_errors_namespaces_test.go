// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestConnWriteErrors: one message that the kernel refuses stops no other.
func TestConnWriteErrors(t *testing.T) {
	s := newSegment(t)
	foreign := netip.MustParseAddr("203.0.113.9")
	sender := listenIn(t, s.low, IPv4)
	packets := reading(t, listenIn(t, s.high, IPv4))
	good := []Outgoing{unicast(peerAdvert4, low4, high4, 255), multicast(peerAdvert4, low4), unicast(peerAdvert4, low4, high4, 254)}
	err := sender.Write([]Outgoing{
		unicast(peerAdvert4, foreign, high4, 255), good[0], good[1],
		unicast(peerAdvert4, foreign, foreign, 255), good[2],
		{Payload: good[0].Payload, Source: low6, Destination: high4, TTL: 255},
		{Payload: good[0].Payload, Source: low4, Destination: IPv4.Group(), TTL: 300},
		{Payload: good[0].Payload, Source: low4, Destination: IPv4.Group(), TTL: 255, HardwareSource: net.HardwareAddr{1}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, words := range []string{
		"send VRRP over IPv4 on v0: ", "from 203.0.113.9 to 192.0.2.3: ", "from 203.0.113.9 to 203.0.113.9: ", "from fe80::1 to 192.0.2.3: ",
		"from 192.0.2.1 to 224.0.0.18: TTL 300", "from 192.0.2.1 to 224.0.0.18: source MAC address 01",
	} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%q does not say %q", err, words)
		}
	}
	got := map[string]int{}
	for range good {
		p := receive(t, packets)
		got[p.Destination.String()+"/"+string(rune('a'+255-p.TTL))]++
	}
	want := map[string]int{"192.0.2.3/a": 1, "192.0.2.3/b": 1, "224.0.0.18/a": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

func TestConnCloseUnblocksReader(t *testing.T) {
	s := newSegment(t)
	for _, f := range []Family{IPv4, IPv6} {
		c := listenIn(t, s.low, f)
		done := make(chan error)
		go func() {
			_, err := c.ReadPackets(new(Batch))
			done <- err
		}()
		if err := c.Close(); err != nil {
			t.Errorf("%s: close: %v", f, err)
		}
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: reader got %v, want net.ErrClosed", f, err)
		}
		if err := c.Write([]Outgoing{multicast(peerAdvert4, low4)}); err == nil {
			t.Errorf("%s: no error from a write after Close", f)
		}
	}
}

// TestConnWithoutCapability takes CAP_NET_RAW from this thread alone.
func TestConnWithoutCapability(t *testing.T) {
	s := newSegment(t)
	in(t, s.low, func() {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var before, without [2]unix.CapUserData
		if err := unix.Capget(&header, &before[0]); err != nil {
			t.Fatal(err)
		}
		without = before
		without[0].Effective &^= 1 << unix.CAP_NET_RAW
		if err := unix.Capset(&header, &without[0]); err != nil {
			t.Fatal(err)
		}
		_, err := Listen("v0", IPv4)
		if restore := unix.Capset(&header, &before[0]); restore != nil {
			t.Fatal(restore)
		}
		var missing *CapabilityError
		if !errors.As(err, &missing) || !errors.Is(err, unix.EPERM) || !errors.Is(err, os.ErrPermission) {
			t.Fatalf("got %v, want a CapabilityError", err)
		}
		for _, words := range []string{"listen for VRRP over IPv4 on v0", "CAP_NET_RAW", "AmbientCapabilities"} {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%q does not say %q", err, words)
			}
		}
	})
}

func TestConnDoesNotAllocate(t *testing.T) {
	s := newSegment(t)
	for _, f := range []Family{IPv4, IPv6} {
		sender, receiver := listenIn(t, s.low, f), listenIn(t, s.high, f)
		messages := []Outgoing{multicast(peerAdvert4, low4), unicast(peerAdvert4, low4, high4, 255)}
		if f == IPv6 {
			messages = []Outgoing{multicast(peerAdvert6, low6), unicast(peerAdvert6, low6, high6, 255)}
		}
		var b Batch
		exchange := func() {
			write(t, sender, messages...)
			for n := 0; n < len(messages); {
				packets, err := receiver.ReadPackets(&b)
				if err != nil {
					t.Fatal(err)
				}
				n += len(packets)
			}
		}
		exchange()
		if n := testing.AllocsPerRun(100, exchange); n != 0 {
			t.Errorf("%s: %v allocations, want 0", f, n)
		}
	}
}
