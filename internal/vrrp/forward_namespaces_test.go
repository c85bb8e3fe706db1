// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
)

// TestRule01_NeverForwarded: a machine that runs an instance and forwards
// packets, as a director does, passes no advertisement on to another segment,
// though its TTL would allow it.
func TestRule01_NeverForwarded(t *testing.T) {
	s := newSegment(t)
	// The high router forwards to a host beyond.
	beyond := fmt.Sprintf("vtst-%d-beyond", os.Getpid())
	runIP(t, "netns add "+beyond)
	t.Cleanup(func() { runIP(t, "netns del "+beyond) })
	runIP(t, "-n "+beyond+" link add v0 type veth peer name v1 netns "+s.high)
	far4, far6 := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8:9::9")
	for _, args := range []string{
		"-n " + beyond + " addr add " + far4.String() + "/24 dev v0",
		"-n " + beyond + " addr add " + far6.String() + "/64 dev v0 nodad",
		"-n " + beyond + " link set v0 up",
		"-n " + s.high + " addr add 203.0.113.1/24 dev v1",
		"-n " + s.high + " addr add 2001:db8:9::1/64 dev v1 nodad",
		"-n " + s.high + " link set v1 up",
		"-n " + s.high + " addr add 2001:db8:1::3/64 dev v0 nodad",
		"-n " + s.low + " addr add 2001:db8:1::1/64 dev v0 nodad",
		"-n " + s.low + " route add " + far4.String() + " via " + high4.String(),
		"-n " + s.low + " route add " + far6.String() + " via 2001:db8:1::3",
	} {
		runIP(t, args)
	}
	in(t, s.high, func() {
		for _, name := range []string{"ipv4/conf/all/forwarding", "ipv6/conf/all/forwarding"} {
			if err := os.WriteFile("/proc/sys/net/"+name, []byte("1"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
	far := map[Family]netip.Addr{IPv4: far4, IPv6: far6}
	for _, c := range []struct {
		name   string
		advert Advertisement
		source netip.Addr // of the multicast, and of what is to be forwarded
		global netip.Addr
	}{
		{"ipv4", peerAdvert4, low4, low4},
		{"ipv6", peerAdvert6, low6, netip.MustParseAddr("2001:db8:1::1")},
	} {
		f := FamilyOf(c.source)
		sender := listenIn(t, s.low, f)
		heard := reading(t, listenIn(t, s.high, f))
		passed := tap(t, beyond, etherType(f))
		write(t, sender, multicast(c.advert, c.source), unicast(c.advert, c.global, far[f], 255))
		t.Run("positive "+c.name+" heard on the segment", func(t *testing.T) {
			if got := receive(t, heard); got.Destination != f.Group() || got.TTL != 255 {
				t.Errorf("heard %+v", got)
			}
		})
		t.Run("negative "+c.name+" not passed on, as unicast is", func(t *testing.T) {
			frame := nextFrame(t, passed)
			ip := frame[frameHeader:]
			destination, ttl := netip.AddrFrom4([4]byte(ip[16:20])), ip[8]
			if f == IPv6 {
				destination, ttl = netip.AddrFrom16([16]byte(ip[24:40])), ip[7]
			}
			if destination != far[f] || ttl != 254 {
				t.Errorf("first passed on to %s with TTL %d, want %s and 254", destination, ttl, far[f])
			}
		})
	}
}
