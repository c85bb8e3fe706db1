// SPDX-License-Identifier: Apache-2.0

package config

import (
	"math"
	"net/netip"
)

const (
	mainTable       = 254   // RT_TABLE_MAIN of include/uapi/linux/rtnetlink.h
	maxRulePriority = 32765 // the kernel's own rules begin with the next one
)

// The unspecified prefixes: the default route, and any address of a rule.
var (
	anyIPv4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	anyIPv6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)

// routeKey is what must be unique among all routes: two with the same are the same to the kernel.
type routeKey struct {
	destination   netip.Prefix
	metric, table int
}

// ruleKey is what must be unique among all rules.
type ruleKey struct {
	family   string
	priority int
}

// readRoutes reads the [[vrrp.route]] tables of an instance.
func (r *instanceReader) readRoutes(tables []*table, virtualMAC string) []Route {
	var routes []Route
	for _, t := range tables {
		routes = append(routes, r.route(t, virtualMAC))
	}
	return routes
}

// route reads one [[vrrp.route]] table.
func (r *instanceReader) route(t *table, virtualMAC string) Route {
	via, source := r.hostAddress(t, "via"), r.hostAddress(t, "source")
	route := Route{
		Via: via.value, Source: source.value,
		Interface: r.checkInterface("interface", t.text("interface"), virtualMAC, r.doc.warnf).value,
		Metric:    t.integer("metric", 0, math.MaxUint32).value,
		Table:     routingTable(t).or(mainTable),
	}
	t.require("destination", `where the route leads, such as "default" or "10.1.0.0/16"`)
	destination := t.text("destination")
	if !destination.ok {
		return route
	}
	switch prefix, err := parseNetwork(destination.value); {
	case destination.value != "default" && err != nil:
		r.doc.errorf(destination.at, `bad destination %q: %v`, destination.value, err)
		return route
	case destination.value != "default":
		route.Destination = prefix
	case via.value.Is6() || !via.ok && source.value.Is6():
		route.Destination = anyIPv6
	default:
		route.Destination = anyIPv4
	}
	r.checkRoute(t, route, via, source)
	if line, again := r.routes.use(routeKey{route.Destination, route.Metric, route.Table}, destination.at, r.doc); again {
		r.doc.errorf(destination.at, "route %s is also in line %d, with the same table and metric: expected it once", destination.value, line)
	}
	return route
}

// checkRoute reports a route whose parts do not fit together.
func (r *instanceReader) checkRoute(t *table, route Route, via, source field[netip.Addr]) {
	wanted := family(route.Destination.Addr())
	for key, f := range map[string]field[netip.Addr]{"via": via, "source": source} {
		if f.ok && family(f.value) != wanted {
			r.doc.errorf(f.at, "%s %s is %s, expected %s as the destination", key, f.value, family(f.value), wanted)
		}
	}
	_, hasVia := t.values["via"]
	_, hasInterface := t.values["interface"]
	if !hasVia && !hasInterface {
		r.doc.errorf(t.place.value, "route %s has neither via nor interface: expected at least one of them", route.Destination)
	}
	if via.value.IsLinkLocalUnicast() && via.value.Is6() && !hasInterface {
		r.doc.errorf(via.at, "via %s is link-local: expected an interface beside it", via.value)
	}
}

// readRules reads the [[vrrp.rule]] tables of an instance.
func (r *instanceReader) readRules(tables []*table, virtualMAC string) []Rule {
	var rules []Rule
	for _, t := range tables {
		rules = append(rules, r.rule(t, virtualMAC))
	}
	return rules
}

// rule reads one [[vrrp.rule]] table.
func (r *instanceReader) rule(t *table, virtualMAC string) Rule {
	t.require("table", "the routing table that a match is looked up in")
	t.require("priority", "the rule's place among the rules of its family, 1 to 32765")
	rule := Rule{
		IIF:    r.checkInterface("iif", t.text("iif"), virtualMAC, r.doc.warnf).value,
		OIF:    r.checkInterface("oif", t.text("oif"), virtualMAC, r.doc.warnf).value,
		FWMark: uint32(t.integer("fwmark", 1, math.MaxUint32).value),
		Table:  routingTable(t).value,
	}
	choice := t.choice("family", "ipv4", "ipv6")
	rule.Family = choice.value
	for _, key := range []string{"from", "to"} {
		text := t.text(key)
		if !text.ok {
			continue
		}
		prefix, err := parseNetwork(text.value)
		if err != nil {
			r.doc.errorf(text.at, "bad address %q in %s: %v", text.value, key, err)
			continue
		}
		name := "ipv4"
		if prefix.Addr().Is6() {
			name = "ipv6"
		}
		switch {
		case rule.Family == "":
			rule.Family = name
		case rule.Family != name:
			r.doc.errorf(text.at, "%s %s is %s and the rule is %s: a rule is of one family", key, prefix, name, rule.Family)
		}
		if prefix.Bits() == 0 { // any address
			continue
		}
		if key == "from" {
			rule.From = prefix
		} else {
			rule.To = prefix
		}
	}
	if rule.Family == "" {
		rule.Family = "ipv4"
	}
	priority := t.integer("priority", 1, maxRulePriority)
	rule.Priority = priority.value
	if priority.ok {
		if line, again := r.rules.use(ruleKey{rule.Family, rule.Priority}, priority.at, r.doc); again {
			r.doc.errorf(priority.at, "priority is %d as in line %d, expected another one: both rules are %s", rule.Priority, line, rule.Family)
		}
	}
	return rule
}

// hostAddress returns the address of a key.
func (r *instanceReader) hostAddress(t *table, key string) field[netip.Addr] {
	text := t.text(key)
	f := field[netip.Addr]{at: text.at}
	if !text.ok {
		return f
	}
	a, err := parseAddress(text.value)
	if err != nil {
		return refuse(t, f, "bad address %q in %s: %v", text.value, key, err)
	}
	return field[netip.Addr]{value: a, at: text.at, ok: true}
}

// routingTable reads the number of a routing table, or "main".
func routingTable(t *table) field[int] {
	if t.values["table"] == "main" {
		f := get[string](t, "table", "")
		return field[int]{value: mainTable, at: f.at, ok: true}
	}
	if _, isText := t.values["table"].(string); isText {
		f := get[any](t, "table", "")
		return refuse(t, field[int]{at: f.at}, `table is %q, expected its number, or "main"`, f.value)
	}
	return t.integer("table", 1, math.MaxUint32)
}
