// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"

	"golang.org/x/sys/unix"
)

// snapshot is the links at one moment.
type snapshot struct {
	links   []link
	byName  map[string]*link
	byIndex map[int]*link
}

func newSnapshot(links []link) snapshot {
	s := snapshot{links: links, byName: make(map[string]*link, len(links)), byIndex: make(map[int]*link, len(links))}
	for i := range links {
		s.byName[links[i].name] = &links[i]
		s.byIndex[links[i].index] = &links[i]
	}
	return s
}

// index returns the index of the named link, or 0, which no link has.
func (s snapshot) index(name string) int {
	if l := s.byName[name]; l != nil {
		return l.index
	}
	return 0
}

// name returns the name of the link of this index; empty: there is none.
func (s snapshot) name(index int) string {
	if l := s.byIndex[index]; l != nil {
		return l.name
	}
	return ""
}

// link is one network interface.
type link struct {
	index    int
	name     string
	flags    uint32 // IFF_*, linux/if.h
	hardware net.HardwareAddr
	kind     string // IFLA_INFO_KIND; empty: a device
	base     int    // index of the interface that this one is on; 0: none
}

// entry is one address on a link.
type entry struct {
	Address
	flags uint32 // IFA_F_*, linux/if_addr.h
	label string // IPv4
	scope int    // RT_SCOPE_*
	raw   []byte // the kernel's own description (struct ifaddrmsg and attributes), to put the address back unchanged
}

func (e entry) has(flag uint32) bool { return e.flags&flag != 0 }

// shows reports whether the entry has the lease's properties that a renewal does not change.
func (e entry) shows(l Lease) bool {
	return !l.Prefix.Addr().Is4() || e.label == l.label() && e.scope == l.Scope
}

// ownership is the set of addresses that the journal names as ours, with the index of the interface, or 0 if it is
// not known.
type ownership map[Address]int

// owns reports whether an address in the kernel is ours: the journal names it, and it is still deprecated, as we add it.
func (o ownership) owns(e entry) bool {
	_, named := o[e.Address]
	return named && e.has(unix.IFA_F_DEPRECATED)
}
