// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"slices"
	"time"
)

// Limits of an instance. The protocol's are of RFC 9568 section 5.2 and RFC 3768 section 5.3.
const (
	version2, version3 = 2, 3

	defaultPriority    = 100
	ownerPriority      = 255
	advertIntervalUnit = 10 * time.Millisecond // RFC 9568 section 5.2.7: centiseconds, 12 bits
	maxAdvertInterval  = 4095 * advertIntervalUnit
	maxAdvertInterval2 = 255 * time.Second // RFC 3768 section 5.3.7: seconds, 8 bits

	minLease = 3 * time.Second // renewals go out at a third of the lease, and the kernel counts in seconds
	maxLease = time.Hour
	maxDelay = time.Hour
)

// defaultLease is the master-down interval (RFC 9568 section 6.1, RFC 3768 section 6.1) and one second more, rounded up
// to whole seconds: when it runs out a peer has taken over.
func defaultLease(version int, priority uint8, interval time.Duration) time.Duration {
	unit := interval
	if version == version2 {
		unit = time.Second
	}
	skew := time.Duration(256-int(priority)) * unit / 256
	lease := 3*interval + skew + time.Second
	return max(minLease, (lease + time.Second - 1).Truncate(time.Second))
}

// virtualRouter is what must be unique on a link (RFC 9568 section 1.2: a VRID's two families are two virtual routers).
type virtualRouter struct {
	link   string
	vrid   uint8
	family string
}

// instanceReader reads the [[vrrp]] tables and remembers what they use.
type instanceReader struct {
	*reader
	names   unique[string]
	routers unique[virtualRouter]
	vips    unique[vip]
	routes  unique[routeKey]
	rules   unique[ruleKey]
}

// readInstances reads the [[vrrp]] tables, after the tracks, and makes them known by name.
func (r *reader) readInstances(tables []*table) []Instance {
	ir := instanceReader{
		reader: r, names: unique[string]{}, routers: unique[virtualRouter]{}, vips: unique[vip]{},
		routes: unique[routeKey]{}, rules: unique[ruleKey]{},
	}
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
	i := Instance{Name: r.name(t, r.names), Accept: t.boolean("accept").or(true)}
	t.require("interface", "where the advertisements go")
	i.Interface = r.interfaceName(t, "interface").value
	t.require("vrid", "the virtual router's number on that link, 1 to 255, the same on all its directors")
	vrid := t.integer("vrid", 1, 255)
	i.VRID = uint8(vrid.value)
	version := t.integer("version", version2, version3)
	i.Version = version.or(version3)
	priority := t.integer("priority", 1, ownerPriority)
	i.Priority = uint8(priority.or(defaultPriority))
	i.AdvertInterval = advertInterval(t, i.Version)
	i.Lease = r.lease(t, defaultLease(i.Version, i.Priority, i.AdvertInterval))
	r.roleChanges(t, &i)

	i.Password = r.password(t, i.Version)
	r.hide(t.values["auth"])
	i.Auth = r.auth(t.table("auth"), i.AdvertInterval)
	r.addresses(t, &i)
	families := familiesOf(i.Addresses)
	if i.Version == version2 && slices.Contains(families, "IPv6") {
		r.doc.errorf(version.at, "version 2 is for IPv4 only, and a VIP of this instance is IPv6: expected version 3")
	}
	i.Unicast = r.unicast(t.table("unicast"), families)
	r.checksumCompat(t, &i, families)
	i.Routes = r.readRoutes(t.tables("route"), i.VirtualMAC)
	i.Rules = r.readRules(t.tables("rule"), i.VirtualMAC)
	i.Tracks = r.trackUses(t, i.Priority)
	i.Announce = r.announce(t.table("announce"), t)

	if vrid.ok && i.Interface != "" {
		r.claimRouters(vrid.at, i, families)
	}
	if priority.ok && i.Priority == ownerPriority {
		r.checkOwner(priority.at, i.Addresses)
	}
	return i
}

// advertInterval reads the time between advertisements.
func advertInterval(t *table, version int) time.Duration {
	if version == version2 {
		f := t.duration("advert_interval", 0, time.Hour)
		if f.ok && (f.value < time.Second || f.value > maxAdvertInterval2 || f.value%time.Second != 0) {
			f = refuse(t, f, "advert_interval is %s, expected whole seconds from 1s to %s: version 2 counts in these", show(f.value), show(maxAdvertInterval2))
		}
		return f.or(time.Second)
	}
	f := t.duration("advert_interval", advertIntervalUnit, maxAdvertInterval)
	if f.ok && f.value%advertIntervalUnit != 0 {
		f = refuse(t, f, "advert_interval is %s, expected a multiple of %s: the protocol counts in these", show(f.value), show(advertIntervalUnit))
	}
	return f.or(time.Second)
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

// roleChanges reads what a backup waits for before it becomes master.
func (r *instanceReader) roleChanges(t *table, i *Instance) {
	i.Preempt = t.boolean("preempt").or(true)
	preemptDelay := t.duration("preempt_delay", 0, maxDelay)
	if preemptDelay.value > 0 && !i.Preempt {
		r.doc.warnf(preemptDelay.at, "preempt_delay has no effect with preempt = false")
	}
	i.PreemptDelay = preemptDelay.value
	i.StartupDelay = t.duration("startup_delay", 0, maxDelay).value
	initialBackup := t.boolean("initial_backup")
	if initialBackup.value && i.Priority != ownerPriority {
		r.doc.warnf(initialBackup.at, "initial_backup has no effect with priority %d: only an address owner, with priority 255, starts as master", i.Priority)
	}
	i.InitialBackup = initialBackup.value
}

// claimRouters reports a VRID that another instance uses on the same link in the same family.
func (r *instanceReader) claimRouters(at int, i Instance, families []string) {
	for _, name := range families {
		if line, again := r.routers.use(virtualRouter{i.Interface, i.VRID, name}, at, r.doc); again {
			r.doc.errorf(at, "vrid is %d as in line %d, expected another one: both instances are %s on interface %q",
				i.VRID, line, name, i.Interface)
		}
	}
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
