// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"net"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// minMTU is the least MTU the kernel accepts on an interface that carries IPv4 (ETH_MIN_MTU, linux/if_ether.h).
const minMTU = 68

// links reads topology.links. The nodes must have been read.
func (p *parser) links(t *Topology, node *yaml.Node) {
	used := map[Endpoint]int{} // endpoint, without MAC, to line
	for _, n := range p.sequence(node, "topology.links") {
		before := len(p.errs)
		l := p.link(n)
		if len(p.errs) > before {
			continue
		}
		for _, e := range l.Endpoints {
			key := Endpoint{Node: e.Node, Interface: e.Interface}
			switch spec := t.node(e.Node); {
			case spec == nil:
				p.errorf(l.Line, "link end %s: there is no node %q", e, e.Node)
			case e.Interface == "lo" || spec.Kind == KindBridge && e.Interface == e.Node:
				p.errorf(l.Line, "link end %s: the node has an interface of that name already", e)
			case used[key] != 0:
				p.errorf(l.Line, "link end %s is used twice, first in line %d", e, used[key])
			}
			used[key] = l.Line
		}
		t.Links = append(t.Links, l)
	}
}

// link reads one link in either form: endpoints: ["a:eth1", "b:eth1"], or type: veth with endpoints as mappings.
func (p *parser) link(node *yaml.Node) Link {
	l := Link{MTU: DefaultMTU, Line: node.Line}
	var (
		extended  bool
		endpoints *yaml.Node
	)
	for _, f := range p.mapping(node, "link") {
		switch f.key {
		case "type":
			extended = true
			if kind := p.text(f.value, "link type"); kind != "veth" {
				p.errorf(f.line, "link type %q is not supported here: veth is", kind)
			}
		case "endpoints":
			endpoints = f.value
		case "mtu":
			mtu, err := strconv.Atoi(p.text(f.value, "mtu"))
			if err != nil || mtu < minMTU || mtu > 65535 {
				p.errorf(f.line, "mtu %q: want %d-65535 bytes", f.value.Value, minMTU)
			}
			l.MTU = mtu
		case "vars", "labels": // data for other tools
		case "ipv4", "ipv6", "endpoint", "host-interface", "mode", "remote", "vni", "dst-port", "src-port":
			p.errorf(f.line, "link key %s is containerlab's, but not supported here", f.key)
		default:
			p.errorf(f.line, "unknown key %q in link", f.key)
		}
	}
	if endpoints == nil {
		p.errorf(node.Line, "a link needs endpoints")
		return l
	}
	ends := p.sequence(endpoints, "endpoints")
	if len(ends) != len(l.Endpoints) {
		p.errorf(endpoints.Line, "a link has two endpoints, not %d", len(ends))
		return l
	}
	for i, n := range ends {
		if extended {
			l.Endpoints[i] = p.extendedEndpoint(n)
		} else {
			l.Endpoints[i] = p.shortEndpoint(n)
		}
	}
	return l
}

// shortEndpoint reads "node:interface".
func (p *parser) shortEndpoint(node *yaml.Node) Endpoint {
	s := p.text(node, "endpoint")
	name, iface, ok := strings.Cut(s, ":")
	if !ok || name == "" {
		p.errorf(node.Line, "endpoint %q: want NODE:INTERFACE", s)
		return Endpoint{}
	}
	switch name {
	case "host", "macvlan", "mgmt-net": // containerlab's names for the host's own network
		p.errorf(node.Line, "endpoint %q would reach into the host's network: not supported here", s)
	}
	p.interfaceName(node.Line, iface, "interface name")
	return Endpoint{Node: name, Interface: iface}
}

// extendedEndpoint reads {node: …, interface: …, mac: …}.
func (p *parser) extendedEndpoint(node *yaml.Node) Endpoint {
	var e Endpoint
	for _, f := range p.mapping(node, "endpoint") {
		switch f.key {
		case "node":
			e.Node = p.text(f.value, "endpoint node")
		case "interface":
			e.Interface = p.text(f.value, "endpoint interface")
		case "mac":
			e.MAC = p.text(f.value, "endpoint mac")
			mac, err := net.ParseMAC(e.MAC)
			switch {
			case err != nil || len(mac) != 6:
				p.errorf(f.line, "mac %q is not an Ethernet address", e.MAC)
			case mac[0]&1 != 0:
				p.errorf(f.line, "mac %q is a group address, no interface can have it", e.MAC)
			}
		case "vars": // data for other tools
		case "ipv4", "ipv6":
			p.errorf(f.line, "endpoint key %s is containerlab's, but not supported here: use exec", f.key)
		default:
			p.errorf(f.line, "unknown key %q in endpoint", f.key)
		}
	}
	if e.Node == "" {
		p.errorf(node.Line, "an endpoint needs a node")
	}
	p.interfaceName(node.Line, e.Interface, "interface name")
	return e
}
