// SPDX-License-Identifier: Apache-2.0

package config

import (
	"math"
	"net/netip"
	"slices"
)

const (
	defaultScheduler = "wlc"
	defaultForward   = "masquerade"
	defaultWeight    = 100
	maxWeight        = 65535
)

// schedulers are the ones of the kernel: net/netfilter/ipvs/ip_vs_*.c.
var schedulers = []string{
	"rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "twos",
}

// virtualServerReader reads the [[virtual_server]] tables and remembers what they use.
type virtualServerReader struct {
	*reader
	names    unique[string]
	services unique[service]
}

// service is what must be unique among all virtual servers.
type service struct {
	protocol string
	address  netip.AddrPort
}

// endpoint is an address and where in the file it stands.
type endpoint struct {
	address netip.AddrPort
	at      int
}

// readVirtualServers reads the [[virtual_server]] tables, after the checks, and makes them known by name.
func (r *reader) readVirtualServers(tables []*table) []VirtualServer {
	vr := virtualServerReader{r, unique[string]{}, unique[service]{}}
	var servers []VirtualServer
	if r.host != nil && len(tables) > 0 {
		if fault := r.host.IPVSFault(); fault != "" {
			r.doc.warnf(tables[0].place.value, "virtual servers need IPVS: %s", fault)
		}
	}
	for _, t := range tables {
		v := vr.virtualServer(t)
		servers = append(servers, v)
		r.virtualServers[v.Name] = v
	}
	return servers
}

// virtualServer reads one [[virtual_server]] table with its real servers.
func (r *virtualServerReader) virtualServer(t *table) VirtualServer {
	v := VirtualServer{
		Name:      r.name(t, r.names),
		Protocol:  t.choice("protocol", "tcp", "udp", "sctp").or("tcp"),
		Scheduler: t.choice("scheduler", schedulers...).or(defaultScheduler),
		Forward:   forwardOf(t, defaultForward),
		OnFailure: t.choice("on_failure", "weight0", "remove").or("weight0"),
	}
	check := r.checkReference(t, nil)
	t.require("addresses", "where clients connect, at least one address with its port")
	addresses, complete := r.endpoints(t, v.Protocol)

	rr := realServerReader{
		reader: r.reader, forward: v.Forward, check: check,
		addresses: addresses, allAddresses: complete, seen: unique[netip.AddrPort]{},
	}
	v.RealServers = rr.read(t.tables("real_server"))
	for _, a := range addresses {
		v.Addresses = append(v.Addresses, a.address)
	}
	v.Quorum = r.quorum(t, v.RealServers)
	return v
}

// quorum reads the sum of healthy weights that makes a virtual server worth a mastership.
func (r *virtualServerReader) quorum(t *table, servers []RealServer) int {
	f := t.integer("quorum", 1, math.MaxInt32)
	sum := 0
	for _, s := range servers {
		sum += s.Weight
	}
	if f.ok && f.value > sum {
		r.doc.warnf(f.at, "quorum is %d and is never reached: the weights of all real servers are %d together", f.value, sum)
	}
	return f.or(1)
}

// endpoints reads the addresses of a virtual server, and tells whether all of them are usable.
func (r *virtualServerReader) endpoints(t *table, protocol string) (endpoints []endpoint, complete bool) {
	texts, complete := t.texts("addresses", `"192.0.2.10:80"`)
	if complete && len(texts) == 0 {
		r.doc.errorf(t.place.field("addresses").value, "addresses is empty, expected at least one address with its port")
		return nil, false
	}
	for _, text := range texts {
		a, err := parseEndpoint(text.value)
		if err != nil {
			r.doc.errorf(text.at, "bad virtual server address %q: %v", text.value, err)
			complete = false
			continue
		}
		if line, again := r.services.use(service{protocol, a}, text.at, r.doc); again {
			r.doc.errorf(text.at, "%s %s is also in line %d: it can belong to one virtual server, once", protocol, a, line)
		}
		endpoints = append(endpoints, endpoint{a, text.at})
	}
	return endpoints, complete
}

// forwardOf reads a table's forwarding method.
func forwardOf(t *table, byDefault string) string {
	return t.choice("forward", "masquerade", "direct", "tunnel").or(byDefault)
}

// checkReference returns the check that a table names.
func (r *reader) checkReference(t *table, byDefault *Check) *Check {
	name := t.text("check")
	if !name.ok {
		return byDefault
	}
	c, _ := reference(r, "check", name, "[[check]]", r.checks)
	return c
}

// realServerReader reads the real servers of one virtual server.
type realServerReader struct {
	*reader
	forward      string // the virtual server's
	check        *Check // the virtual server's
	addresses    []endpoint
	allAddresses bool // addresses holds all of the virtual server's: none was unusable
	seen         unique[netip.AddrPort]
}

// read reads the [[virtual_server.real_server]] tables.
func (r *realServerReader) read(tables []*table) []RealServer {
	var servers []RealServer
	for _, t := range tables {
		servers = append(servers, r.realServer(t))
	}
	usable := !slices.ContainsFunc(servers, func(s RealServer) bool { return !s.Address.IsValid() })
	if usable && len(servers) > 0 {
		r.checkServed(servers)
	}
	return servers
}

// realServer reads one [[virtual_server.real_server]] table.
func (r *realServerReader) realServer(t *table) RealServer {
	s := RealServer{
		Weight:  t.integer("weight", 0, maxWeight).or(defaultWeight),
		Forward: forwardOf(t, r.forward),
		Check:   r.checkReference(t, r.check),
	}
	t.require("address", "where the real server listens, with its port")
	text := t.text("address")
	if !text.ok {
		return s
	}
	a, err := parseEndpoint(text.value)
	if err != nil {
		r.doc.errorf(text.at, "bad real server address %q: %v", text.value, err)
		return s
	}
	s.Address = a
	if line, again := r.seen.use(a, text.at, r.doc); again {
		r.doc.errorf(text.at, "real server %s is also in line %d: a virtual server can have it once", a, line)
	}
	r.checkFits(endpoint{a, text.at}, s.Forward)
	return s
}

// checkFits reports a real server that no address of the virtual server can use, or whose port an address cannot reach.
func (r *realServerReader) checkFits(server endpoint, forward string) {
	fits := false
	for _, virtual := range r.addresses {
		if family(virtual.address.Addr()) != family(server.address.Addr()) {
			continue
		}
		fits = true
		if forward != "masquerade" && virtual.address.Port() != server.address.Port() {
			r.doc.errorf(server.at, `real server %s has another port than virtual server address %s: forward %q cannot change it, expected port %d or forward "masquerade"`,
				server.address, virtual.address, forward, virtual.address.Port())
		}
	}
	if !fits && r.allAddresses {
		r.doc.errorf(server.at, "real server %s is %s and no address of the virtual server is: expected a real server or an address of the other family",
			server.address, family(server.address.Addr()))
	}
}

// checkServed reports an address of the virtual server that none of its real servers can serve.
func (r *realServerReader) checkServed(servers []RealServer) {
	for _, virtual := range r.addresses {
		served := slices.ContainsFunc(servers, func(s RealServer) bool {
			return family(s.Address.Addr()) == family(virtual.address.Addr())
		})
		if !served {
			r.doc.errorf(virtual.at, "virtual server address %s has no real server: expected at least one that is %s",
				virtual.address, family(virtual.address.Addr()))
		}
	}
}
