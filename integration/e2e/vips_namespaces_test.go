// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

const (
	// atTenth makes the interval a tenth of a second.
	atTenth = `advert_interval = "100ms"`
	tenth   = 100 * time.Millisecond
	// calm is a heartbeat that a busy machine does not miss.
	calm = "[speaker]\nheartbeat = \"2s\"\n"
)

// compareAddr lets go-cmp compare addresses.
var compareAddr = cmpopts.EquateComparable(netip.Addr{})

// many returns n addresses after first.
func many(first string, n int) []netip.Addr {
	all := []netip.Addr{netip.MustParseAddr(first)}
	for len(all) < n {
		all = append(all, all[len(all)-1].Next())
	}
	return all
}

// excluded is the key of an instance with these addresses.
func excluded(addresses []netip.Addr) string {
	var b strings.Builder
	for _, a := range addresses {
		fmt.Fprintf(&b, "%q, ", a)
	}
	return "excluded = [" + b.String() + "]\n"
}

// TestExcludedVIPs holds 2,000 VIPs that adverts do not list, and hands them
// over. There are fewer IPv6 ones: the kernel's work on them grows with the
// square of their number, and all namespaces share its lock.
func TestExcludedVIPs(t *testing.T) {
	requireLayer(t, "namespaces", "test-namespaces")
	t.Cleanup(func() { goleak.VerifyNone(t) })
	for _, family := range []struct {
		name, listed, first string
		n                   int
	}{
		{"IPv4", virtual, "10.9.0.1", 2000},
		{"IPv6", "2001:db8::100", "2001:db8:9::1", 500},
	} {
		t.Run(family.name, func(t *testing.T) {
			excludedVIPs(newSegment(t), netip.MustParseAddr(family.listed), many(family.first, family.n))
		})
	}
}

func excludedVIPs(s *segment, listed netip.Addr, others []netip.Addr) {
	keys := fmt.Sprintf(`
advert_interval = "300ms"
announce = { count = 2, delay = "0s" }
addresses = ["%s"]
`, listed) + excluded(others)
	s.d1.configure(keys, calm)
	s.d2.configure(keys, calm)
	all := append(slices.Clone(others), listed)
	c := s.captureFrom(s.d1.mac, s.d2.mac)
	on1, on2 := s.d1.follow(), s.d2.follow()

	s.d1.start()
	on1.wait("become master", all, true)
	c.waitAnnounced(s.d1, all)
	s.d2.start()
	s.awaitBackup(s.d2)
	on2.wait("as backup", all, false)
	s.wantHeld(s.d1, all)

	struck := time.Now()
	s.d1.signal(syscall.SIGTERM, s.d1.director())
	on2.wait("take over", all, true)
	c.waitAnnounced(s.d2, all)
	s.d1.gone()
	s.t.Logf("handed over in %v", time.Since(struck).Round(time.Millisecond))
	s.wantHeld(s.d1, nil)
	s.wantHeld(s.d2, all)

	for _, n := range []*node{s.d1, s.d2} {
		heard := c.adverts(n, time.Time{})
		if len(heard) == 0 {
			s.t.Errorf("no adverts of %s", n.name)
		}
		for _, a := range heard {
			// Over IPv6 the sender's link-local address goes first (RFC 9568 section 5.2.9).
			got := slices.DeleteFunc(a.addresses, netip.Addr.IsLinkLocalUnicast)
			if diff := cmp.Diff([]netip.Addr{listed}, got, compareAddr); diff != "" {
				s.t.Fatalf("addresses in an advert of %s (-want +got):\n%s", n.name, diff)
			}
		}
	}
}

// awaitBackup waits until a director follows a master.
func (s *segment) awaitBackup(n *node) {
	s.t.Helper()
	s.poll(n.name+" following a master", func() bool {
		status, err := n.status()
		return err == nil && len(status.Instances) == 1 && status.Instances[0].State == "backup" && status.Instances[0].Peer != ""
	})
}

// wantHeld looks for the VIPs in the kernel's table of a director.
func (s *segment) wantHeld(n *node, vips []netip.Addr) {
	s.t.Helper()
	h := handle(s.t, n.ns)
	link, err := h.LinkByName(segmentIf)
	s.must(err)
	var list []netlink.Addr
	s.poll("addresses of "+n.name, func() bool { // leases that are renewed meanwhile interrupt the reading
		list, err = h.AddrList(link, unix.AF_UNSPEC)
		return !errors.Is(err, netlink.ErrDumpInterrupted)
	})
	s.must(err)
	var got []netip.Addr
	for _, a := range list {
		address, _ := netip.AddrFromSlice(a.IP)
		if address = address.Unmap(); address.String() != n.address && !address.IsLinkLocalUnicast() {
			got = append(got, address)
		}
	}
	slices.SortFunc(got, netip.Addr.Compare)
	want := slices.SortedFunc(slices.Values(vips), netip.Addr.Compare)
	if diff := cmp.Diff(want, got, compareAddr); diff != "" {
		s.t.Errorf("VIPs of %s in the kernel (-want +got):\n%s", n.name, diff)
	}
}

// waitAnnounced waits until a director has announced all VIPs.
func (c *capture) waitAnnounced(n *node, vips []netip.Addr) {
	c.t.Helper()
	silent := make(map[netip.Addr]bool)
	for _, a := range vips {
		silent[a] = true
	}
	c.wait(time.Time{}, "announcement of every VIP by "+n.name, func(f frame) bool {
		if f.sender().String() == n.mac.String() {
			delete(silent, f.announces())
		}
		return len(silent) == 0
	})
}

// announces returns the address that the frame, gratuitous ARP or a neighbour
// advertisement, is about.
func (f frame) announces() (a netip.Addr) {
	const arpSender, arpTarget = ethernetLength + 14, ethernetLength + 24
	if na := f.packet(unix.IPPROTO_ICMPV6); len(na) >= 24 && na[0] == 136 {
		a, _ = netip.AddrFromSlice(na[8:24])
	} else if binary.BigEndian.Uint16(f.octets[12:]) == unix.ETH_P_ARP {
		sender, _ := netip.AddrFromSlice(f.octets[arpSender : arpSender+4])
		if target, _ := netip.AddrFromSlice(f.octets[arpTarget : arpTarget+4]); sender == target {
			a = sender
		}
	}
	return a
}

// TestVIPsInBatches gives a master 1,000 VIPs more by a reload and takes them
// back by another: the kernel has them at once, and adverts are on time.
func TestVIPsInBatches(t *testing.T) {
	const n, limit = 1000, 200 * time.Millisecond
	requireLayer(t, "namespaces", "test-namespaces")
	t.Cleanup(func() { goleak.VerifyNone(t) })
	s := newSegment(t)
	more := append(many("10.9.0.1", n/2), many("2001:db8:9::1", n/2)...)
	s.d1.configure(atTenth, calm)
	s.d2.configure(atTenth, calm)
	c, on1, vip := s.captureFrom(s.d1.mac), s.d1.follow(), []netip.Addr{netip.MustParseAddr(virtual)}
	s.begin()
	bestOf3(t, "1,000 VIPs added and removed", func(int) string {
		var problems []string
		mark2 := s.d2.log.mark()
		for _, step := range []struct {
			what, keys string
			held       bool
		}{
			{"added", excluded(more), true},
			{"removed", "", false},
		} {
			on1.wait("as master", vip, true)
			c.waitAdvert(s.d1, time.Now())
			began := time.Now()
			s.d1.configure(atTenth+"\n"+step.keys, calm)
			s.d1.signal(syscall.SIGHUP, s.d1.director())
			on1.wait(step.what, more, step.held)
			moved, span := on1.span(began)
			gap := c.longestGap(s.d1, began, time.Now())
			t.Logf("%s: %d in %v, longest time between adverts %v", step.what, moved, span.Round(time.Millisecond), gap.Round(time.Millisecond))
			if moved != n || span > limit {
				problems = append(problems, fmt.Sprintf("%s %d in %v", step.what, moved, span))
			}
			if gap > 2*tenth {
				problems = append(problems, fmt.Sprintf("%s: no advert for %v", step.what, gap))
			}
		}
		if got := s.d2.log.since(mark2, "web: backup -> master"); len(got) > 0 {
			problems = append(problems, got...)
		}
		return strings.Join(problems, "; ")
	})
}
