// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// host is a fake machine: an interface eth0, perhaps a second one, and the VIPs
// on them.
type host struct {
	segment *segment
	changed chan struct{}
	claims  chan netif.Claim
	failed  chan error
	// beat and slept are those of its System.
	beat  func()
	slept func() time.Duration

	mu        sync.Mutex
	link      netif.Interface
	gone      bool
	back      netif.Interface // the second interface, when it has a name
	cut       map[string]bool // interfaces that carry nothing, and do not know
	foreign   map[netif.Address]bool
	vips      map[netif.Address]time.Duration // lease
	desired   netif.Desired                   // as asked for last
	holds     []time.Time
	holdErr   error
	holdDelay time.Duration // that the kernel takes
	holdTail  time.Duration // that it takes to answer then
	sent      []sent
	listens   int
	announced []time.Time
	watched   []netif.Address
	withdrawn []netif.Address
}

// sent is an advert that left a host.
type sent struct {
	at     time.Time
	ifname string
	vrrp.Outgoing
}

// priority is that of the advert.
func (s sent) priority() uint8 { return s.Payload[2] }

func newHost(s *segment, primary string) *host {
	last := primary[len(primary)-1:]
	h := &host{
		segment: s, changed: make(chan struct{}, 1), claims: make(chan netif.Claim), failed: make(chan error),
		vips: make(map[netif.Address]time.Duration), cut: make(map[string]bool),
	}
	h.link = interfaceOf("eth0", 2, primary, "fe80::"+last)
	return h
}

func interfaceOf(name string, index int, primary, local string) netif.Interface {
	i := netif.Interface{Name: name, Index: index, Up: true, Primary4: netip.MustParseAddr(primary), LinkLocal6: netip.MustParseAddr(local)}
	i.Addresses = []netip.Prefix{netip.PrefixFrom(i.Primary4, 24), netip.PrefixFrom(i.LinkLocal6, 64)}
	return i
}

func (h *host) Hold(want netif.Desired) (netif.Changes, error) {
	h.mu.Lock()
	delay, tail := h.holdDelay, h.holdTail
	h.mu.Unlock()
	defer time.Sleep(tail)
	time.Sleep(delay)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds = append(h.holds, time.Now())
	if h.holdErr != nil {
		return netif.Changes{}, h.holdErr
	}
	h.desired = want
	var c netif.Changes
	wanted := make(map[netif.Address]time.Duration)
	for _, l := range want.Leases {
		if h.foreign[l.Address] {
			c.Foreign = append(c.Foreign, l.Address)
			continue
		}
		wanted[l.Address] = l.Valid
		if _, ok := h.vips[l.Address]; !ok {
			c.Added = append(c.Added, l.Address)
			h.book(l.Address, true)
		}
	}
	for a := range h.vips {
		if _, ok := wanted[a]; !ok {
			c.Removed = append(c.Removed, a)
			h.book(a, false)
		}
	}
	h.vips = wanted
	return c, nil
}

func (h *host) book(a netif.Address, held bool) {
	h.segment.mu.Lock()
	defer h.segment.mu.Unlock()
	h.segment.ledger = append(h.segment.ledger, entry{time.Now(), a.Prefix, held})
}

func (h *host) Interfaces() (map[string]netif.Interface, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	links := make(map[string]netif.Interface)
	for _, link := range []netif.Interface{h.link, h.back} {
		if link.Name == "" || h.gone && link.Name == "eth0" {
			continue
		}
		link.Addresses = slices.Clone(link.Addresses)
		for a := range h.vips {
			if a.Interface == link.Name {
				link.Addresses = append(link.Addresses, a.Prefix)
			}
		}
		links[link.Name] = link
	}
	return links, nil
}

func (h *host) Announce([]netif.Address) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.announced = append(h.announced, time.Now())
}

func (h *host) Withdraw(addresses []netif.Address) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.withdrawn = append(h.withdrawn, addresses...)
}

func (h *host) Watch(addresses []netif.Address) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watched = addresses
}

func (h *host) SetRate(string, int)      {}
func (h *host) Failures() <-chan error   { return h.failed }
func (h *host) Seen() <-chan netif.Claim { return h.claims }

// sends takes note of an advert, and reports whether it gets anywhere.
func (h *host) sends(ifname string, m vrrp.Outgoing) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = append(h.sent, sent{time.Now(), ifname, m})
	return !h.cut[ifname]
}

// hears reports whether what is sent to an address arrives at an interface.
func (h *host) hears(ifname string, to netip.Addr) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cut[ifname] {
		return false
	}
	link := h.link
	if ifname == h.back.Name {
		link = h.back
	}
	return to.IsMulticast() || has(link, to)
}

// set alters the machine.
func (h *host) set(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
}

// change alters the machine and tells its watcher.
func (h *host) change(fn func()) {
	h.set(fn)
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

func (h *host) vipCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.vips)
}

func (h *host) count(times *[]time.Time) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(*times)
}

func (h *host) listenCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.listens
}

// wanted is what the keeper was asked for last.
func (h *host) wanted() netif.Desired {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.desired
}

// sentSince returns the adverts that left since a time.
func (h *host) sentSince(from time.Time) []sent {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.sent), func(s sent) bool { return s.at.Before(from) })
}

// system is what a speaker needs of this machine.
func (h *host) system() System {
	return System{
		Keeper: h, Announcer: h, Claims: h, Changed: h.changed,
		Listen: func(ifname string, f vrrp.Family) (Conn, error) {
			h.set(func() { h.listens++ })
			return h.segment.listen(h, ifname, f), nil
		},
		Beat: h.beat, Slept: h.slept,
	}
}
