// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// routed is a master with routes and rules.
func routed() Desired {
	return Desired{
		Leases: leases(addr("eth0", "192.0.2.10/24"), addr("eth0", "2001:db8::10/64")),
		Routes: []Route{
			{Destination: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.254"), Source: netip.MustParseAddr("192.0.2.10"), Table: 100},
			{Destination: netip.MustParsePrefix("198.51.100.0/24"), Interface: "eth0", Metric: 50},
			{Destination: netip.MustParsePrefix("::/0"), Via: netip.MustParseAddr("2001:db8::fe"), Interface: "eth0"},
		},
		Rules: []Rule{
			{From: netip.MustParsePrefix("192.0.2.10/32"), Table: 100, Priority: 1000},
			{IPv6: true, To: netip.MustParsePrefix("2001:db8:9::/48"), IIF: "eth0", OIF: "lo", FWMark: 7, Table: 1000, Priority: 1001},
		},
	}
}

// kernelRoutes returns the routes and rules in the kernel with our protocol number.
func kernelRoutes(t *testing.T) (routes, rules []string) {
	t.Helper()
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		all, err := netlink.RouteListFiltered(family, &netlink.Route{Protocol: Protocol, Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
		must(t, err)
		for _, r := range all {
			routes = append(routes, strings.TrimSpace(r.Dst.String()))
		}
		said, err := netlink.RuleList(family)
		must(t, err)
		for _, r := range said {
			if r.Protocol == Protocol {
				rules = append(rules, r.String())
			}
		}
	}
	slices.Sort(routes)
	return routes, rules
}

func TestRoutesComeAndGo(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	k := w.keeper()
	for range 2 {
		holdAll(t, k, routed())
		routes, rules := kernelRoutes(t)
		if diff := cmp.Diff([]string{"0.0.0.0/0", "198.51.100.0/24", "::/0"}, routes); diff != "" {
			t.Errorf("routes (-want +got):\n%s", diff)
		}
		if len(rules) != 2 {
			t.Errorf("rules %v", rules)
		}
	}
	s, err := k.kernel.links()
	must(t, err)
	have, err := k.kernel.routes(s)
	must(t, err)
	removals, additions := planRoutes([]Route{routed().Routes[0].normal(), routed().Routes[1].normal(), routed().Routes[2].normal()}, have)
	if removals != nil || additions != nil {
		t.Errorf("read back differently: remove %v, add %v", removals, additions)
	}

	less := routed()
	less.Routes, less.Rules = less.Routes[1:2], less.Rules[1:]
	holdAll(t, k, less)
	if routes, rules := kernelRoutes(t); len(routes) != 1 || len(rules) != 1 {
		t.Errorf("routes %v, rules %v", routes, rules)
	}
	holdAll(t, w.keeper(), Desired{}) // of another process
	if routes, rules := kernelRoutes(t); len(routes)+len(rules) != 0 {
		t.Errorf("after a crash: routes %v, rules %v", routes, rules)
	}
}

func TestRoutesAreRepaired(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	k := w.keeper()
	holdAll(t, k, routed())
	must(t, netlink.RouteDel(&netlink.Route{Dst: network("198.51.100.0/24"), LinkIndex: w.eth0.Attrs().Index, Priority: 50, Scope: netlink.SCOPE_LINK}))
	all, err := netlink.RuleList(netlink.FAMILY_V4)
	must(t, err)
	for _, r := range all {
		if r.Protocol == Protocol {
			must(t, netlink.RuleDel(&r))
		}
	}
	holdAll(t, k, routed())
	if routes, rules := kernelRoutes(t); len(routes) != 3 || len(rules) != 2 {
		t.Errorf("routes %v, rules %v", routes, rules)
	}
}

func TestForeignRoutesAndRulesAreLeft(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	w.add("203.0.113.1/24") // with an interface's last address the kernel removes its routes
	k := w.keeper()
	must(t, netlink.RouteAdd(&netlink.Route{Dst: network("198.51.100.0/24"), LinkIndex: w.eth0.Attrs().Index, Priority: 50, Scope: netlink.SCOPE_LINK}))
	rule := netlink.NewRule()
	rule.Src, rule.Table, rule.Priority = &net.IPNet{IP: net.IPv4(192, 0, 2, 10).To4(), Mask: net.CIDRMask(32, 32)}, 100, 1000
	must(t, netlink.RuleAdd(rule))
	_, err := k.Hold(routed())
	for _, part := range []string{
		"add route 198.51.100.0/24 dev eth0 metric 50: a route of somebody else",
		"add routing rule priority 1000 from 192.0.2.10/32 lookup 100: somebody else's rule",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q:\n%v", part, err)
		}
	}
	holdAll(t, k, Desired{})
	left, err := netlink.RouteList(w.eth0, netlink.FAMILY_V4)
	must(t, err)
	if !slices.ContainsFunc(left, func(r netlink.Route) bool { return r.Dst.String() == "198.51.100.0/24" }) {
		t.Errorf("routes %v lack somebody else's", left)
	}
	rules, err := netlink.RuleList(netlink.FAMILY_V4)
	must(t, err)
	if !slices.ContainsFunc(rules, func(r netlink.Rule) bool { return r.Priority == 1000 }) {
		t.Errorf("rules %v lack somebody else's", rules)
	}
}

func TestRouteErrors(t *testing.T) {
	w := newWorld(t)
	w.awaitUp()
	_, err := w.keeper().Hold(Desired{
		Routes: []Route{
			{Destination: netip.MustParsePrefix("198.51.100.0/24"), Via: netip.MustParseAddr("203.0.113.1")},
			{Destination: netip.MustParsePrefix("198.51.101.0/24"), Interface: "eth9"},
			{Destination: netip.MustParsePrefix("198.51.102.0/24"), Interface: "eth0"},
		},
		Rules: []Rule{{Table: 1, Priority: 0}},
	})
	for _, part := range []string{
		"add route 198.51.100.0/24 via 203.0.113.1: network is unreachable",
		"add route 198.51.101.0/24 dev eth9: no such interface",
		"add routing rule priority 0 lookup 1: its table or priority is out of range",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q:\n%v", part, err)
		}
	}
	if routes, _ := kernelRoutes(t); len(routes) != 1 {
		t.Errorf("routes %v, want the good one", routes)
	}
}
