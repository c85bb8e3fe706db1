// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"strings"
	"unicode"
)

const (
	// One advertisement lists all addresses of a family, counted in 8 bits (RFC 9568 section 5.2.5). An IPv6 one must fit
	// a packet of 1500 bytes with 40 of IPv6 header and 8 of its own, and its first address is link-local, perhaps none
	// of these.
	maxIPv4Addresses = 255
	maxIPv6Addresses = (1500-40-8)/16 - 1
	// Keyed authentication adds 28 bytes to it.
	maxSignedIPv6Addresses = (1500-40-8-28)/16 - 1

	maxExcluded = 4000

	maxLabel = 15 // bytes: IFNAMSIZ of include/uapi/linux/if.h without the final zero byte
)

// scopes are the RT_SCOPE_* of include/uapi/linux/rtnetlink.h.
var scopes = map[string]int{"global": 0, "site": 200, "link": 253, "host": 254}

// vip is what must be unique among all instances. A link-local address is one on each link.
type vip struct {
	address netip.Addr
	link    string
}

// listedVIP is a VIP as it stands in the file.
type listedVIP struct {
	Address
	at   int           // of the address
	link field[string] // the interface that it names
}

// addresses reads the VIPs of an instance and the interface of its virtual MAC, which is where they are by default.
func (r *instanceReader) addresses(t *table, i *Instance) {
	t.require("addresses", "the VIPs, at least one")
	list := t.list("addresses", `"192.0.2.10/24"`)
	if list.ok && len(list.value) == 0 {
		r.doc.errorf(list.at, "addresses is empty, expected at least one VIP")
	}
	addresses := r.listed(t, "addresses", list.value)
	excludedList := t.list("excluded", `"192.0.2.10/24"`)
	excluded := r.listed(t, "excluded", excludedList.value)

	var onVirtualMAC []Address
	for _, a := range addresses {
		onVirtualMAC = append(onVirtualMAC, a.Address)
	}
	for _, a := range excluded {
		if !a.link.ok {
			onVirtualMAC = append(onVirtualMAC, a.Address)
		}
	}
	i.VirtualMAC = r.virtualMAC(t, *i, familiesOf(onVirtualMAC))
	i.Addresses = r.settle(addresses, i)
	i.Excluded = r.settle(excluded, i)

	v4 := 0
	for _, a := range i.Addresses {
		if a.Prefix.Addr().Is4() {
			v4++
		}
	}
	v6, max6 := len(i.Addresses)-v4, maxIPv6Addresses
	if i.Auth != nil {
		max6 = maxSignedIPv6Addresses
	}
	if v4 > maxIPv4Addresses || v6 > max6 {
		r.doc.errorf(list.at, "%d IPv4 and %d IPv6 addresses, expected at most %d and %d: all of a family go into one advertisement, others can be in excluded",
			v4, v6, maxIPv4Addresses, max6)
	}
	if n := len(i.Excluded); n > maxExcluded {
		r.doc.errorf(excludedList.at, "excluded has %d addresses, expected at most %d", n, maxExcluded)
	}
}

// listed reads the VIPs in the list of a key.
func (r *instanceReader) listed(t *table, key string, list []element) []listedVIP {
	var vips []listedVIP
	for n, e := range list {
		if a, ok := r.address(t, key, n, e); ok {
			vips = append(vips, a)
		}
	}
	return vips
}

// settle gives each VIP its interface, and reports one that is in the file twice.
func (r *instanceReader) settle(vips []listedVIP, i *Instance) []Address {
	var settled []Address
	for _, a := range vips {
		a.Interface = r.checkInterface("interface", a.link, i.VirtualMAC, r.doc.warnf).value
		switch {
		case a.Interface != "":
		case i.VirtualMAC != "":
			a.Interface = i.VirtualMAC
		default:
			a.Interface = i.Interface
		}
		key := vip{address: a.Prefix.Addr()}
		if key.address.IsLinkLocalUnicast() {
			key.link = a.Interface
		}
		if line, again := r.vips.use(key, a.at, r.doc); again {
			r.doc.errorf(a.at, "VIP %s is also in line %d: it can belong to one instance, once", key.address, line)
		}
		settled = append(settled, a.Address)
	}
	return settled
}

// address reads the n-th VIP of a list: a string, or a table that says more.
func (r *instanceReader) address(t *table, key string, n int, e element) (a listedVIP, ok bool) {
	var text field[string]
	inner := (*table)(nil)
	switch v := e.value.(type) {
	case string:
		text = field[string]{value: v, at: e.place.value, ok: true}
	case map[string]any:
		inner = r.doc.open("[["+t.childName(key)+"]]", v, e.place, t)
		inner.require("address", `the VIP, such as "192.0.2.10/24"`)
		text = inner.text("address")
		a.link = inner.text("interface")
	default:
		r.doc.errorf(e.place.value, `%s[%d] is %s, expected a string such as "192.0.2.10/24" or a table { address = "192.0.2.10/24", interface = "eth1" }`, key, n, describe(v))
	}
	a.at = text.at
	prefix, err := parsePrefix(text.value)
	if text.ok && err != nil {
		r.doc.errorf(text.at, "bad VIP %q: %v", text.value, err)
	}
	a.Prefix = prefix
	if inner != nil {
		r.addressDetails(inner, &a.Address)
	}
	return a, text.ok && err == nil
}

// addressDetails reads what only IPv4 addresses have.
func (r *instanceReader) addressDetails(t *table, a *Address) {
	label := t.text("label")
	switch {
	case !label.ok:
	case len(label.value) > maxLabel:
		r.doc.errorf(label.at, "label is %q, expected at most %d bytes", label.value, maxLabel)
	case strings.ContainsFunc(label.value, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }):
		r.doc.errorf(label.at, "label is %q, expected no spaces", label.value)
	case a.Prefix.Addr().Is6():
		r.doc.errorf(label.at, "label is for IPv4 only, and %s is IPv6: leave it out", a.Prefix.Addr())
	}
	scope := t.choice("scope", "global", "site", "link", "host")
	if scope.ok && a.Prefix.Addr().Is6() {
		r.doc.errorf(scope.at, "scope is for IPv4 only, the kernel tells that of %s from the address: leave it out", a.Prefix.Addr())
	}
	a.Label, a.Scope = label.value, scopes[scope.value]
}

// familiesOf returns the names of the address families among the VIPs, IPv4 first.
func familiesOf(addresses []Address) []string {
	var v4, v6 []string
	for _, a := range addresses {
		if a.Prefix.Addr().Is4() {
			v4 = []string{"IPv4"}
		} else {
			v6 = []string{"IPv6"}
		}
	}
	return append(v4, v6...)
}
