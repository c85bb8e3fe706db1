// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"

	"golang.org/x/sys/unix"
)

// snapshot is what the kernel holds at one moment.
type snapshot struct {
	links     []link
	addresses []entry
}

// link is one network interface.
type link struct {
	index    int
	name     string
	flags    uint32 // IFF_*, linux/if.h
	hardware net.HardwareAddr
}

// entry is one address on a link.
type entry struct {
	Address
	flags uint32 // IFA_F_*, linux/if_addr.h
	raw   []byte // the kernel's own description (struct ifaddrmsg and attributes), to put the address back unchanged
}

func (e entry) has(flag uint32) bool { return e.flags&flag != 0 }

// index returns the index of the named link, or 0, which no link has.
func (s snapshot) index(name string) int {
	for _, l := range s.links {
		if l.name == name {
			return l.index
		}
	}
	return 0
}

// ownership is the set of addresses that the journal names as ours.
type ownership map[Address]struct{}

// owns reports whether an address in the kernel is ours: the journal names it, and it is still deprecated, as we add it.
func (o ownership) owns(e entry) bool {
	_, named := o[e.Address]
	return named && e.has(unix.IFA_F_DEPRECATED)
}
