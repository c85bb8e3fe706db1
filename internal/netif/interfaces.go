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

// Links reads the network interfaces through a socket of its own. It is not safe for concurrent use.
type Links struct{ rtnetlink *rtnetlink }

// OpenLinks returns the links of the calling thread's network namespace.
func OpenLinks() (*Links, error) {
	r, err := dialRTNetlink()
	if err != nil {
		return nil, err
	}
	return &Links{r}, nil
}

// Close closes the socket.
func (l *Links) Close() error { return l.rtnetlink.Close() }

// Interfaces returns the network interfaces by name. owned says which addresses are VIPs of ours; of those the ones that
// are deprecated, as a Keeper adds them, are neither primary nor link-local addresses of an interface.
func (l *Links) Interfaces(owned func(Address) bool) (map[string]Interface, error) {
	s, err := l.rtnetlink.links()
	if err != nil {
		return nil, err
	}
	addresses, err := l.rtnetlink.allAddresses(s)
	if err != nil {
		return nil, err
	}
	return s.interfaces(addresses, owned), nil
}

// up are the flags that an interface needs to carry packets: IFF_LOWER_UP follows the carrier at once, IFF_RUNNING the
// operational state (RFC 2863), which also covers a lower interface and 802.1X.
const up = unix.IFF_UP | unix.IFF_LOWER_UP | unix.IFF_RUNNING

// interfaces returns the links with their addresses, told apart by owner.
func (s snapshot) interfaces(addresses []entry, owned func(Address) bool) map[string]Interface {
	byName := make(map[string]Interface, len(s.links))
	for _, l := range s.links {
		byName[l.name] = Interface{Name: l.name, Index: l.index, Up: l.flags&up == up, HardwareAddr: l.hardware}
	}
	fallback := make(map[string]netip.Addr) // secondary only because a VIP of ours came first
	for _, e := range addresses {
		i := byName[e.Interface]
		i.Addresses = append(i.Addresses, e.Prefix)
		addr := e.Prefix.Addr()
		switch {
		case e.has(unix.IFA_F_DEPRECATED) && owned(e.Address):
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
