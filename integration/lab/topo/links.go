// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// port is one node's network namespace, open for changes.
type port struct {
	ns     netns.NsHandle
	links  *netlink.Handle
	bridge netlink.Link // of a bridge node, else nil
}

// createLinks brings lo up in each node, makes the bridges, then the veth pairs between them all.
func (l *Lab) createLinks() error {
	ports := map[string]*port{}
	defer func() {
		for _, p := range ports {
			p.links.Close()
			p.ns.Close()
		}
	}()
	for _, spec := range l.topology.Nodes {
		p, err := openPort(netnsPath(l.topology.Name, spec.Name))
		if err != nil {
			return fmt.Errorf("node %s: %w", spec.Name, err)
		}
		ports[spec.Name] = p
		if err := p.setUp("lo"); err != nil {
			return fmt.Errorf("node %s: %w", spec.Name, err)
		}
		if spec.Kind == KindBridge {
			if err := l.nodes[spec.Name].createBridge(p); err != nil {
				return fmt.Errorf("node %s: %w", spec.Name, err)
			}
		}
	}
	for _, link := range l.topology.Links {
		a, b := link.Endpoints[0], link.Endpoints[1]
		if err := createVeth(link, ports[a.Node], ports[b.Node]); err != nil {
			return fmt.Errorf("%s:%d: link %s - %s: %w", l.topology.File, link.Line, a, b, err)
		}
	}
	return nil
}

func openPort(path string) (*port, error) {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return nil, fmt.Errorf("open network namespace %s: %w", path, err)
	}
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		ns.Close()
		return nil, fmt.Errorf("open route netlink in %s: %w", path, err)
	}
	return &port{ns: ns, links: h}, nil
}

func (p *port) setUp(name string) error {
	link, err := p.links.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", name, err)
	}
	if err := p.links.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring interface %s up: %w", name, err)
	}
	return nil
}

// createBridge makes the bridge of a bridge node, named after it, without STP and forwarding from the first frame on.
func (n *Node) createBridge(p *port) error {
	name := n.spec.Name
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	if err := p.links.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		return fmt.Errorf("create bridge %s: %w", name, err)
	}
	delay := "/sys/class/net/" + name + "/bridge/forward_delay"
	if err := n.inside(func() error { return os.WriteFile(delay, []byte("0"), 0) }); err != nil {
		return fmt.Errorf("take the forward delay from bridge %s: %w", name, err)
	}
	var err error
	if p.bridge, err = p.links.LinkByName(name); err != nil {
		return fmt.Errorf("find bridge %s: %w", name, err)
	}
	return p.setUp(name)
}

// createVeth makes a veth pair with its ends in a and b, and brings both up.
func createVeth(link Link, a, b *port) error {
	endA, endB := link.Endpoints[0], link.Endpoints[1]
	macA, err := parseMAC(endA.MAC)
	if err != nil {
		return err
	}
	macB, err := parseMAC(endB.MAC)
	if err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.HardwareAddr = endA.Interface, link.MTU, macA
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerMTU, veth.PeerHardwareAddr = endB.Interface, uint32(link.MTU), macB
	veth.PeerNamespace = netlink.NsFd(int(b.ns))
	if err := a.links.LinkAdd(veth); err != nil {
		return fmt.Errorf("create veth pair: %w", err)
	}
	if err := a.plug(endA.Interface); err != nil {
		return err
	}
	return b.plug(endB.Interface)
}

// plug makes an interface a port of the node's bridge, if it has one, and brings it up.
func (p *port) plug(name string) error {
	if p.bridge != nil {
		link, err := p.links.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find interface %s: %w", name, err)
		}
		if err := p.links.LinkSetMaster(link, p.bridge); err != nil {
			return fmt.Errorf("plug %s into bridge %s: %w", name, p.bridge.Attrs().Name, err)
		}
	}
	return p.setUp(name)
}

func parseMAC(s string) (net.HardwareAddr, error) {
	if s == "" {
		return nil, nil
	}
	mac, err := net.ParseMAC(s)
	if err != nil {
		return nil, fmt.Errorf("mac of an endpoint: %w", err)
	}
	return mac, nil
}
