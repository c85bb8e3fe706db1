// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
)

// phases are the moments, in parts of the interval after an advert of d1, at
// which a partition heals: d1's advert is the first that crosses at some, d2's at
// others.
var phases = []float64{0.1, 0.3, 0.5, 0.7, 0.9}

// partitionHeals separates the directors, so that both are master, and joins
// them again. The better one, and only it, remains; the client, which sees both all
// the time, must hear again whom to send to.
func partitionHeals(s *segment) {
	const interval = 300 * time.Millisecond // brisk
	const keys = brisk + "\nannounce = { count = 1, delay = \"0s\" }"
	s.d1.configure(keys, calm)
	s.d2.configure(keys, calm)
	c := s.captureFrom(s.d1.mac, s.d2.mac)
	s.begin()
	s.ping()
	for _, phase := range phases {
		s.split(true)
		s.waitHeld(true, true)
		c.waitNeighbour(s.d2)

		now := time.Now()
		c.waitAdvert(s.d1, now)
		first := c.adverts(s.d1, now)[0].at
		<-time.After(time.Until(first.Add(time.Duration(phase * float64(interval)))))
		healed := time.Now()
		s.split(false)
		s.settle()
		// Whatever there is to say is said before the third advert from now.
		settled := time.Now()
		s.poll("adverts of d1", func() bool { return len(c.adverts(s.d1, settled)) >= 3 })
		if !c.announced(s.d1, healed) {
			s.t.Errorf("healed %.1f of an interval after an advert: d1 did not announce its VIP", phase)
		} else {
			c.waitNeighbour(s.d1)
		}
		if got := s.watch.since(healed); len(got) != 1 || got[0].node != s.d2 || got[0].held {
			s.t.Errorf("healed %.1f of an interval after an advert: VIP %v, want it removed from d2", phase, got)
		}
	}
}

// split keeps the directors from hearing each other, or lets them. The client
// hears both.
func (s *segment) split(on bool) {
	s.t.Helper()
	client := handle(s.t, s.client)
	for _, n := range []*node{s.d1, s.d2} {
		s.must(client.LinkSetIsolated(s.port(client, n.name), on))
	}
}

// announced says whether a director has announced the VIP since from.
func (c *capture) announced(n *node, from time.Time) bool {
	for _, f := range c.since(from) {
		if bytes.Equal(f.sender(), n.mac) && f.announces() == netip.MustParseAddr(virtual) {
			return true
		}
	}
	return false
}

// waitNeighbour waits until the client takes a director for the VIP's neighbour.
func (c *capture) waitNeighbour(n *node) {
	c.t.Helper()
	client := handle(c.t, c.client)
	link := c.port(client, bridge)
	c.poll("the client's neighbour entry of "+n.name, func() bool {
		entries, err := client.NeighList(link.Attrs().Index, netlink.FAMILY_V4)
		c.must(err)
		for _, e := range entries {
			if e.IP.String() == virtual {
				return bytes.Equal(e.HardwareAddr, n.mac)
			}
		}
		return false
	})
}
