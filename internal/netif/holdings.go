// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"maps"
)

// holdings is what is ours in the kernel and does not say so itself. It is never changed once it is in the journal.
type holdings struct {
	addresses ownership
	macs      map[string]macLink // by the macvlan interface's name
	settings  map[setting]string // former values of base interfaces' settings
}

// macLink is a macvlan interface of ours.
type macLink struct {
	base         string // name of its base interface
	index        int    // of the base interface
	hardwareAddr string
}

// setting is a setting of an interface, net.ipv4.conf.INTERFACE.NAME.
type setting struct {
	iface string
	index int
	name  string
}

func newHoldings() holdings {
	return holdings{addresses: make(ownership), macs: make(map[string]macLink), settings: make(map[setting]string)}
}

func (h holdings) clone() holdings {
	return holdings{addresses: maps.Clone(h.addresses), macs: maps.Clone(h.macs), settings: maps.Clone(h.settings)}
}

func (h holdings) equal(other holdings) bool {
	return maps.Equal(h.addresses, other.addresses) && maps.Equal(h.macs, other.macs) &&
		maps.Equal(h.settings, other.settings)
}

// follow returns the holdings under the present names of their interfaces, without those on interfaces that are gone.
func (h holdings) follow(s snapshot) holdings {
	now := newHoldings()
	for a, index := range h.addresses {
		if index == 0 {
			index = s.index(a.Interface)
		}
		if name := s.name(index); name != "" {
			a.Interface = name
			now.addresses[a] = index
		}
	}
	for name, m := range h.macs {
		if base := s.name(m.index); base != "" {
			m.base = base
			now.macs[name] = m
		}
	}
	for k, former := range h.settings {
		if name := s.name(k.index); name != "" {
			k.iface = name
			now.settings[k] = former
		}
	}
	return now
}

// owns reports whether a link is a macvlan interface of ours.
func (h holdings) owns(l *link) bool {
	m, named := h.macs[l.name]
	return named && l.kind == macvlan && l.base == m.index && l.hardware.String() == m.hardwareAddr
}
