// SPDX-License-Identifier: Apache-2.0

package ipvs

import "slices"

// An Entry is a virtual service with its destinations.
type Entry struct {
	Service      Service
	Destinations []Destination
}

// A Table is a set of virtual services. The functions that return a table return it normalized; those that take one
// don't ask for it.
type Table []Entry

// Normalize returns the table in the only form that the kernel would read back for it: sorted by service and by destination
// address; IPv4-mapped addresses as IPv4; timeouts rounded up to seconds; a netmask of 0 replaced by the one it means.
// Of entries for the same service, or destinations of the same address in one service, the first is kept. The result
// shares no memory with t.
func (t Table) Normalize() Table {
	norm := make(Table, 0, len(t))
	for _, e := range t {
		n := Entry{Service: e.Service.normalize()}
		for _, d := range e.Destinations {
			n.Destinations = append(n.Destinations, d.normalize())
		}
		slices.SortStableFunc(n.Destinations, func(a, b Destination) int { return a.Address.Compare(b.Address) })
		n.Destinations = slices.CompactFunc(n.Destinations, func(a, b Destination) bool { return a.Address == b.Address })
		norm = append(norm, n)
	}
	slices.SortStableFunc(norm, func(a, b Entry) int { return a.Service.Key.Compare(b.Service.Key) })
	return slices.CompactFunc(norm, func(a, b Entry) bool { return a.Service.Key == b.Service.Key })
}

// Lookup returns the entry of a service.
func (t Table) Lookup(key ServiceKey) (Entry, bool) {
	for _, e := range t {
		if e.Service.Key == key {
			return e, true
		}
	}
	return Entry{}, false
}

// Restrict returns the entries of the services that own holds for: what remains is what a caller of [Plan] answers for.
func (t Table) Restrict(own func(ServiceKey) bool) Table {
	var owned Table
	for _, e := range t {
		if own(e.Service.Key) {
			owned = append(owned, e)
		}
	}
	return owned
}

// A Snapshot is the table as it was read, with the connections of each destination at that time.
type Snapshot struct {
	Table       Table
	Connections map[DestinationKey]Connections
}
