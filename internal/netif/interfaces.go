// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Interface is what a VRRP instance must know of a network interface at one moment.
type Interface struct {
	// Name is the kernel's name, Index its number, which a new interface of the same name does not share.
	Name  string
	Index int
	// Up is true when the interface is administratively up, has carrier, and the interface below it, if any, is up.
	Up bool
	// Primary4 is the first IPv4 address that is not ours, a primary before a secondary one; invalid when there is none.
	Primary4 netip.Addr
	// LinkLocal6 is the first IPv6 link-local address that is not ours and can be sent from: duplicate address detection
	// has passed it. Invalid when there is none.
	LinkLocal6 netip.Addr
	// HardwareAddr is the link-layer address; empty where the link has none.
	HardwareAddr net.HardwareAddr
	// Addresses are all addresses in the kernel's order, VIPs of ours included.
	Addresses []netip.Prefix
}

// Interfaces returns the network interfaces by name.
func (k *Keeper) Interfaces() (map[string]Interface, error) {
	s, err := k.kernel.snapshot()
	if err != nil {
		return nil, err
	}
	return s.interfaces(k.journal.owned), nil
}

// up are the flags that an interface needs to carry packets: IFF_LOWER_UP follows the carrier at once, IFF_RUNNING the
// operational state (RFC 2863), which also covers a lower interface and 802.1X.
const up = unix.IFF_UP | unix.IFF_LOWER_UP | unix.IFF_RUNNING

// interfaces returns the links with their addresses, told apart by owner.
func (s snapshot) interfaces(owned ownership) map[string]Interface {
	byName := make(map[string]Interface, len(s.links))
	for _, l := range s.links {
		byName[l.name] = Interface{Name: l.name, Index: l.index, Up: l.flags&up == up, HardwareAddr: l.hardware}
	}
	fallback := make(map[string]netip.Addr) // secondary only because a VIP of ours came first
	for _, e := range s.addresses {
		i := byName[e.Interface]
		i.Addresses = append(i.Addresses, e.Prefix)
		addr := e.Prefix.Addr()
		switch {
		case owned.owns(e):
		case addr.Is4() && !e.has(unix.IFA_F_SECONDARY) && !i.Primary4.IsValid():
			i.Primary4 = addr
		case addr.Is4() && !fallback[e.Interface].IsValid():
			fallback[e.Interface] = addr
		case addr.Is6() && addr.IsLinkLocalUnicast() && !i.LinkLocal6.IsValid() &&
			!e.has(unix.IFA_F_TENTATIVE) && !e.has(unix.IFA_F_DADFAILED):
			i.LinkLocal6 = addr
		}
		byName[e.Interface] = i
	}
	for name, addr := range fallback {
		if i := byName[name]; !i.Primary4.IsValid() {
			i.Primary4 = addr
			byName[name] = i
		}
	}
	return byName
}
