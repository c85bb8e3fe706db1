// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Desired is all that a director wants to hold in the kernel at one moment.
type Desired struct {
	Leases      []Lease
	Routes      []Route
	Rules       []Rule
	VirtualMACs []VirtualMAC
	// Refuse are the addresses whose packets this host itself does not accept (RFC 9568 section 6.1, Accept_Mode off).
	// Traffic of virtual services goes to IPVS before that.
	Refuse []netip.Addr
	// Standing are the addresses that may become leases at any moment. They are written to the journal beforehand, so
	// that taking over costs no time for it.
	Standing []Address
}

// Protocol is the number that marks routes (RTPROT_*, linux/rtnetlink.h) and rules (FRA_PROTOCOL, linux/fib_rules.h) as
// lvs-ha's. It is VRRP's IP protocol number, which no routing daemon of iproute2's rt_protos uses.
const Protocol = 112

// Route is a unicast route. Of Via and Interface at least one is needed.
type Route struct {
	Destination netip.Prefix `json:"destination"`         // 0.0.0.0/0 or ::/0 is the default route
	Via         netip.Addr   `json:"via,omitzero"`        // gateway; invalid: on link
	Interface   string       `json:"interface,omitempty"` // empty: where Via is reachable
	Source      netip.Addr   `json:"source,omitzero"`     // preferred source address; invalid: the kernel's choice
	Metric      int          `json:"metric,omitempty"`    // 0: the kernel's default, which is 1024 in IPv6
	Table       int          `json:"table,omitempty"`     // routing table number; 0: main
}

// String returns the route in the form of iproute2.
func (r Route) String() string {
	var b strings.Builder
	b.WriteString(r.Destination.String())
	if r.Via.IsValid() {
		fmt.Fprintf(&b, " via %s", r.Via)
	}
	if r.Interface != "" {
		fmt.Fprintf(&b, " dev %s", r.Interface)
	}
	if r.Source.IsValid() {
		fmt.Fprintf(&b, " src %s", r.Source)
	}
	if r.Metric != 0 {
		fmt.Fprintf(&b, " metric %d", r.Metric)
	}
	if r.Table != 0 && r.Table != unix.RT_TABLE_MAIN {
		fmt.Fprintf(&b, " table %d", r.Table)
	}
	return b.String()
}

// metric6 is the metric of an IPv6 route that is given none (IP6_RT_PRIO_USER, linux/ipv6_route.h).
const metric6 = 1024

// normal returns the route as the kernel shows it.
func (r Route) normal() Route {
	r.Destination = r.Destination.Masked()
	if r.Table == 0 {
		r.Table = unix.RT_TABLE_MAIN
	}
	if r.Metric == 0 && r.Destination.Addr().Is6() {
		r.Metric = metric6
	}
	return r
}

// check returns why the route cannot be asked for.
func (r Route) check() error {
	switch is4 := r.Destination.Addr().Is4(); {
	case !r.Destination.IsValid() || r.Destination.Addr().Is4In6():
		return fmt.Errorf("its destination is not an IPv4 or IPv6 prefix")
	case r.Via.IsValid() && r.Via.Is4() != is4, r.Source.IsValid() && r.Source.Is4() != is4:
		return fmt.Errorf("its destination, gateway and source address are not of one family")
	case !r.Via.IsValid() && r.Interface == "":
		return fmt.Errorf("it has neither a gateway nor an interface")
	case r.Metric < 0 || int64(r.Metric) > 1<<32-1 || r.Table < 0 || int64(r.Table) > 1<<32-1:
		return fmt.Errorf("its metric or table is out of range")
	}
	return nil
}

// Rule is a rule that looks a table up (ip-rule(8)). What is zero matches everything.
type Rule struct {
	IPv6     bool         `json:"ipv6,omitempty"`
	From     netip.Prefix `json:"from,omitzero"`
	To       netip.Prefix `json:"to,omitzero"`
	IIF      string       `json:"iif,omitempty"`
	OIF      string       `json:"oif,omitempty"`
	FWMark   uint32       `json:"fwmark,omitempty"`
	Table    int          `json:"table"`    // at least 1
	Priority int          `json:"priority"` // at least 1
}

// String returns the rule in the form of iproute2.
func (r Rule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "priority %d", r.Priority)
	for _, p := range []struct {
		word   string
		prefix netip.Prefix
	}{{"from", r.From}, {"to", r.To}} {
		if p.prefix.IsValid() {
			fmt.Fprintf(&b, " %s %s", p.word, p.prefix)
		}
	}
	if r.IIF != "" {
		fmt.Fprintf(&b, " iif %s", r.IIF)
	}
	if r.OIF != "" {
		fmt.Fprintf(&b, " oif %s", r.OIF)
	}
	if r.FWMark != 0 {
		fmt.Fprintf(&b, " fwmark %#x", r.FWMark)
	}
	fmt.Fprintf(&b, " lookup %d", r.Table)
	if r.IPv6 {
		b.WriteString(" (IPv6)")
	}
	return b.String()
}

// normal returns the rule as the kernel shows it.
func (r Rule) normal() Rule {
	for _, p := range []*netip.Prefix{&r.From, &r.To} {
		if *p = p.Masked(); p.Bits() <= 0 {
			*p = netip.Prefix{}
		}
	}
	return r
}

// check returns why the rule cannot be asked for.
func (r Rule) check() error {
	for _, p := range []netip.Prefix{r.From, r.To} {
		if p.IsValid() && (p.Addr().Is4() == r.IPv6 || p.Addr().Is4In6()) {
			return fmt.Errorf("%s is of another family", p)
		}
	}
	if r.Table < 1 || int64(r.Table) > 1<<32-1 || r.Priority < 1 || int64(r.Priority) > 1<<32-1 {
		return fmt.Errorf("its table or priority is out of range")
	}
	return nil
}

// VirtualMAC is a macvlan interface that has the virtual MAC address of a virtual router (RFC 9568 section 7.3).
type VirtualMAC struct {
	Name         string // of the macvlan interface
	Interface    string // that it is on, the base interface
	HardwareAddr net.HardwareAddr
	// Up is true while the virtual router is master here. While it is false the interface is administratively down, and
	// frames to its address are discarded.
	Up bool
}

// String names the interface, its base, and its address.
func (v VirtualMAC) String() string {
	return fmt.Sprintf("%s on %s (%s)", v.Name, v.Interface, v.HardwareAddr)
}

// refusals returns the addresses to refuse, sorted, each once.
func refusals(addrs []netip.Addr) []netip.Addr {
	var sorted []netip.Addr
	for _, a := range addrs {
		sorted = append(sorted, a.Unmap())
	}
	slices.SortFunc(sorted, netip.Addr.Compare)
	return slices.Compact(sorted)
}
