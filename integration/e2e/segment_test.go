// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/topo"
)

const (
	// program is the lvs-ha that runs on a segment.
	program = "../../build/lvs-ha"
	// segmentIf is the interface of each director on it, bridge the client's.
	segmentIf, bridge = "eth0", "br0"
	// virtual is the VIP of every configuration on a segment.
	virtual = "192.0.2.100"
)

// segment is one Ethernet segment with two directors and a client, in network
// namespaces without names that last until the test has ended.
type segment struct {
	t      *testing.T
	dir    string // of all files; anybody may look into it
	d1, d2 *node
	client netns.NsHandle
	watch  *watch
	wire   *wire
}

// newSegment builds a segment on which nothing runs yet.
func newSegment(t *testing.T) *segment {
	t.Helper()
	s := &segment{t: t, client: newNamespace(t)}
	var err error
	if s.dir, err = os.MkdirTemp("", "e2e-"); err != nil { // short: socket paths are
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(s.dir); err != nil {
			t.Error(err)
		}
	})
	s.must(os.Chmod(s.dir, 0o755))
	s.addBridge(bridge, "192.0.2.9")
	s.d1, s.d2 = s.newNode("d1", 1, 150), s.newNode("d2", 2, 100)
	for _, n := range []*node{s.d1, s.d2} {
		s.plug(n)
	}
	s.watch = s.watchVIP()
	s.wire = s.listen()
	return s
}

// addBridge makes a bridge on which the client has an address.
func (s *segment) addBridge(name, address string) {
	s.t.Helper()
	client := handle(s.t, s.client)
	s.must(client.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}))
	configure(s.t, client, name, address)
}

// plug gives a director its interface on the segment: the same again after
// unplug.
func (s *segment) plug(n *node) {
	s.t.Helper()
	n.mac = s.connect(n, bridge, n.name, segmentIf, n.address, n.mac)
}

// unplug takes the interface away, with all that it has.
func (s *segment) unplug(n *node) {
	s.t.Helper()
	client := handle(s.t, s.client)
	s.must(client.LinkDel(s.port(client, n.name)))
}

// connect makes an interface of a director that is up, with an address, and
// returns its hardware address: mac, if that is one.
func (s *segment) connect(n *node, bridge, port, ifname, address string, mac net.HardwareAddr) net.HardwareAddr {
	s.t.Helper()
	client := handle(s.t, s.client)
	s.must(client.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: port, MasterIndex: s.port(client, bridge).Attrs().Index},
		PeerName:  ifname, PeerNamespace: netlink.NsFd(n.ns), PeerHardwareAddr: mac,
	}))
	s.must(client.LinkSetUp(s.port(client, port)))
	return configure(s.t, handle(s.t, n.ns), ifname, address)
}

// port returns a bridge's port, or the bridge.
func (s *segment) port(client *netlink.Handle, name string) netlink.Link {
	s.t.Helper()
	link, err := client.LinkByName(name)
	s.must(err)
	return link
}

func (s *segment) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// configure gives an interface its address and returns its hardware address.
func configure(t *testing.T, h *netlink.Handle, ifname, address string) net.HardwareAddr {
	t.Helper()
	link, err := h.LinkByName(ifname)
	if err != nil {
		t.Fatal(err)
	}
	network := &net.IPNet{IP: net.ParseIP(address).To4(), Mask: net.CIDRMask(24, 32)}
	if err := errors.Join(h.AddrAdd(link, &netlink.Addr{IPNet: network}), h.LinkSetUp(link)); err != nil {
		t.Fatalf("configure %s: %v", ifname, err)
	}
	return link.Attrs().HardwareAddr
}

func handle(t *testing.T, ns netns.NsHandle) *netlink.Handle {
	t.Helper()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatalf("open netlink in a network namespace: %v", err)
	}
	t.Cleanup(h.Close)
	return h
}

func newNamespace(t *testing.T) netns.NsHandle {
	t.Helper()
	var ns netns.NsHandle
	err := topo.Outside(func() (err error) {
		ns, err = netns.New()
		return err
	})
	if err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	t.Cleanup(func() { ns.Close() })
	return ns
}

func (s *segment) path(name string) string { return filepath.Join(s.dir, name) }
