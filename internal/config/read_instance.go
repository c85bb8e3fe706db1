// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"time"
)

// Limits of an instance. The protocol's are of RFC 9568 section 5.2.
const (
	defaultPriority    = 100
	ownerPriority      = 255
	advertIntervalUnit = 10 * time.Millisecond // section 5.2.7: centiseconds, 12 bits
	maxAdvertInterval  = 4095 * advertIntervalUnit

	// One advertisement lists all addresses of a family, counted in 8 bits (section 5.2.5). An IPv6 one must fit a packet
	// of 1500 bytes with 40 of IPv6 header and 8 of its own, and its first address is link-local, perhaps none of these.
	maxIPv4Addresses = 255
	maxIPv6Addresses = (1500-40-8)/16 - 1

	minLease = 3 * time.Second // renewals go out at a third of the lease, and the kernel counts in seconds
	maxLease = time.Hour
)

// defaultLease is the master-down interval (RFC 9568 section 6.1) and one second more, rounded up to whole seconds:
// when it runs out a peer has taken over.
func defaultLease(priority uint8, interval time.Duration) time.Duration {
	skew := time.Duration(256-int(priority)) * interval / 256
	lease := 3*interval + skew + time.Second
	return max(minLease, (lease + time.Second - 1).Truncate(time.Second))
}

// virtualRouter is what must be unique on a link (RFC 9568 section 1.2: a VRID's two families are two virtual routers).
type virtualRouter struct {
	link   string
	vrid   uint8
	family string
}

// vip is what must be unique among all instances. A link-local address is one on each link.
type vip struct {
	address netip.Addr
	link    string
}

// instanceReader reads the [[vrrp]] tables and remembers what they use.
type instanceReader struct {
	*reader
	names   unique[string]
	routers unique[virtualRouter]
	vips    unique[vip]
}

// readInstances reads the [[vrrp]] tables and makes them known by name.
func (r *reader) readInstances(tables []*table) []Instance {
	ir := instanceReader{r, unique[string]{}, unique[virtualRouter]{}, unique[vip]{}}
	r.instances = make(map[string]Instance)
	var instances []Instance
	for _, t := range tables {
		i := ir.instance(t)
		instances = append(instances, i)
		r.instances[i.Name] = i
	}
	return instances
}

// instance reads one [[vrrp]] table.
func (r *instanceReader) instance(t *table) Instance {
	i := Instance{Name: r.name(t, r.names), Preempt: t.boolean("preempt").or(true)}
	t.require("interface", "where the advertisements go")
	i.Interface = r.interfaceName(t).value
	t.require("vrid", "the virtual router's number on that link, 1 to 255, the same on all its directors")
	vrid := t.integer("vrid", 1, 255)
	i.VRID = uint8(vrid.value)
	priority := t.integer("priority", 1, ownerPriority)
	i.Priority = uint8(priority.or(defaultPriority))

	interval := t.duration("advert_interval", advertIntervalUnit, maxAdvertInterval)
	if interval.ok && interval.value%advertIntervalUnit != 0 {
		interval = refuse(t, interval, "advert_interval is %s, expected a multiple of %s: the protocol counts in these",
			show(interval.value), show(advertIntervalUnit))
	}
	i.AdvertInterval = interval.or(time.Second)
	i.Lease = r.lease(t, defaultLease(i.Priority, i.AdvertInterval))

	t.require("addresses", "the VIPs, at least one")
	i.Addresses = r.addresses(t, i.Interface)
	if vrid.ok && i.Interface != "" {
		r.claimRouters(vrid.at, i)
	}
	if priority.ok && i.Priority == ownerPriority {
		r.checkOwner(priority.at, i.Addresses)
	}
	return i
}

// lease reads the lifetime of the VIPs.
func (r *instanceReader) lease(t *table, byDefault time.Duration) time.Duration {
	f := t.duration("lease", 0, maxLease)
	switch {
	case !f.ok || f.value == 0:
	case f.value < minLease:
		r.doc.errorf(f.at, `lease is %s, expected at least %s, so that a late renewal does no harm, or "0s" for VIPs that never expire`, show(f.value), show(minLease))
	case f.value%time.Second != 0:
		r.doc.errorf(f.at, "lease is %s, expected whole seconds: the kernel counts in these", show(f.value))
	}
	return f.or(byDefault)
}

// addresses reads the VIPs of an instance.
func (r *instanceReader) addresses(t *table, link string) []Address {
	list := t.list("addresses", `"192.0.2.10/24"`)
	if list.ok && len(list.value) == 0 {
		r.doc.errorf(list.at, "addresses is empty, expected at least one VIP")
	}
	var addresses []Address
	v4, v6 := 0, 0
	for n, e := range list.value {
		a, at, ok := r.address(t, n, e)
		if !ok {
			continue
		}
		if a.Interface == "" {
			a.Interface = link
		}
		key := vip{address: a.Prefix.Addr()}
		if key.address.IsLinkLocalUnicast() {
			key.link = a.Interface
		}
		if line, again := r.vips.use(key, at, r.doc); again {
			r.doc.errorf(at, "VIP %s is also in line %d: it can belong to one instance, once", key.address, line)
		}
		if key.address.Is4() {
			v4++
		} else {
			v6++
		}
		addresses = append(addresses, a)
	}
	if v4 > maxIPv4Addresses || v6 > maxIPv6Addresses {
		r.doc.errorf(list.at, "%d IPv4 and %d IPv6 addresses, expected at most %d and %d: all of a family go into one advertisement",
			v4, v6, maxIPv4Addresses, maxIPv6Addresses)
	}
	return addresses
}

// address reads the n-th VIP: a string, or a table that also names an interface.
func (r *instanceReader) address(t *table, n int, e element) (a Address, at int, ok bool) {
	var text field[string]
	switch v := e.value.(type) {
	case string:
		text = field[string]{value: v, at: e.place.value, ok: true}
	case map[string]any:
		inner := r.doc.open("[[vrrp.addresses]]", v, e.place, t)
		inner.require("address", `the VIP, such as "192.0.2.10/24"`)
		text = inner.text("address")
		a.Interface = r.interfaceName(inner).value
	default:
		r.doc.errorf(e.place.value, `addresses[%d] is %s, expected a string such as "192.0.2.10/24" or a table { address = "192.0.2.10/24", interface = "eth1" }`, n, describe(v))
	}
	if !text.ok {
		return a, 0, false
	}
	prefix, err := parsePrefix(text.value)
	if err != nil {
		r.doc.errorf(text.at, "bad VIP %q: %v", text.value, err)
		return a, 0, false
	}
	a.Prefix = prefix
	return a, text.at, true
}

// claimRouters reports a VRID that another instance uses on the same link in the same family.
func (r *instanceReader) claimRouters(at int, i Instance) {
	for _, name := range familiesOf(i.Addresses) {
		if line, again := r.routers.use(virtualRouter{i.Interface, i.VRID, name}, at, r.doc); again {
			r.doc.errorf(at, "vrid is %d as in line %d, expected another one: both instances are %s on interface %q",
				i.VRID, line, name, i.Interface)
		}
	}
}

// familiesOf returns the names of the address families among the VIPs.
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

// checkOwner reports a priority of 255 if this machine does not itself have all the addresses.
func (r *instanceReader) checkOwner(at int, addresses []Address) {
	if r.host == nil {
		return
	}
	for _, a := range addresses {
		carried, exists := r.host.InterfaceAddresses(a.Interface)
		if exists && !carries(carried, a.Prefix.Addr()) {
			r.doc.errorf(at, "priority 255 is for the owner of the addresses, and interface %q does not carry %s: expected 1 to 254",
				a.Interface, a.Prefix.Addr())
		}
	}
}

// carries tells whether an address is among those of an interface.
func carries(carried []netip.Prefix, a netip.Addr) bool {
	for _, p := range carried {
		if p.Addr() == a {
			return true
		}
	}
	return false
}
