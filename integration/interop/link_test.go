// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/topo"
)

// ifname is the interface of both ends of a link.
const ifname = "v0"

// end is one end of a link: a network namespace without a name, that lasts
// until the test and what runs in it have ended, with the interface v0.
type end struct {
	ns    netns.NsHandle
	links *netlink.Handle
	// own holds the interface's addresses of each family; IPv6's link-local one
	// is own[familyIPv6].
	own     map[family]netip.Addr
	global6 netip.Addr
}

// newLink returns two namespaces joined by a veth link.
func newLink(t *testing.T) (left, right *end) {
	t.Helper()
	left, right = newEnd(t, 1), newEnd(t, 2)
	veth := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: ifname},
		PeerName:      ifname,
		PeerNamespace: netlink.NsFd(right.ns),
	}
	if err := left.links.LinkAdd(veth); err != nil {
		t.Fatalf("add veth link: %v", err)
	}
	for _, e := range []*end{left, right} {
		if err := e.configure(); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []*end{left, right} { // keepalived begins in fault where there is no carrier yet
		err := poll(t.Context(), "carrier", func() (bool, error) { return e.holds(e.global6) })
		if err != nil {
			t.Fatal(err)
		}
	}
	return left, right
}

// newEnd makes a namespace whose addresses have the host part number.
func newEnd(t *testing.T, number byte) *end {
	t.Helper()
	e := &end{
		own: map[family]netip.Addr{
			familyIPv4: netip.AddrFrom4([4]byte{192, 0, 2, number}),
			familyIPv6: netip.MustParseAddr(fmt.Sprintf("fe80::%x", number)),
		},
		global6: netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", number)),
	}
	err := topo.Outside(func() (err error) {
		e.ns, err = netns.New()
		return err
	})
	if err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	t.Cleanup(func() { e.ns.Close() })
	if e.links, err = netlink.NewHandleAt(e.ns, unix.NETLINK_ROUTE); err != nil {
		t.Fatalf("open netlink in a network namespace: %v", err)
	}
	t.Cleanup(e.links.Close)
	return e
}

func (e *end) configure() error {
	loopback, err := e.links.LinkByName("lo")
	if err != nil {
		return err
	}
	link, err := e.links.LinkByName(ifname)
	if err != nil {
		return err
	}
	// The addresses are given, so that nothing waits for duplicate address
	// detection.
	if err := e.links.LinkSetIP6AddrGenMode(link, nl.IN6_ADDR_GEN_MODE_NONE); err != nil {
		return fmt.Errorf("no generated addresses on %s: %w", ifname, err)
	}
	for _, l := range []netlink.Link{loopback, link} {
		if err := e.links.LinkSetUp(l); err != nil {
			return fmt.Errorf("set %s up: %w", l.Attrs().Name, err)
		}
	}
	return e.add(link, netip.PrefixFrom(e.own[familyIPv4], 24), netip.PrefixFrom(e.own[familyIPv6], 64), netip.PrefixFrom(e.global6, 64))
}

// add gives an interface addresses.
func (e *end) add(link netlink.Link, addresses ...netip.Prefix) error {
	for _, a := range addresses {
		address := &netlink.Addr{IPNet: &net.IPNet{
			IP:   a.Addr().AsSlice(),
			Mask: net.CIDRMask(a.Bits(), a.Addr().BitLen()),
		}}
		if a.Addr().Is6() {
			address.Flags = unix.IFA_F_NODAD
		}
		if err := e.links.AddrAdd(link, address); err != nil {
			return fmt.Errorf("add %s to %s: %w", a, link.Attrs().Name, err)
		}
	}
	return nil
}

// holds says whether the address is on an interface that runs: FRR's stay on
// an interface that it switches off.
func (e *end) holds(address netip.Addr) (bool, error) {
	links, err := e.links.LinkList()
	if err != nil {
		return false, fmt.Errorf("list interfaces: %w", err)
	}
	for _, link := range links {
		if link.Attrs().RawFlags&unix.IFF_RUNNING == 0 {
			continue
		}
		addresses, err := e.links.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return false, fmt.Errorf("list addresses of %s: %w", link.Attrs().Name, err)
		}
		for _, a := range addresses {
			if got, _ := netip.AddrFromSlice(a.IP); got.Unmap() == address {
				return true, nil
			}
		}
	}
	return false, nil
}

// do runs fn with its thread in the namespace. Sockets that fn opens and
// processes that it starts stay there.
func (e *end) do(fn func() error) error {
	return topo.Within(e.ns, fn)
}

// folder makes a folder that any user may look into, with a short name: socket
// paths are short.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "interop-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
