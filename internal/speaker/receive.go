// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"errors"
	"fmt"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// receive takes what one read of a Conn brought, or its end.
func (s *Speaker) receive(now time.Time, r received) {
	if s.conns[r.conn.wire] != r.conn {
		return // the Conn was closed meanwhile
	}
	if r.err != nil {
		s.reopen(now, r.conn, r.err)
		return
	}
	for _, p := range r.packets {
		s.take(now, r.conn.wire, p)
	}
	r.conn.batches <- r.batch
}

// take takes one packet.
func (s *Speaker) take(now time.Time, w wire, p vrrp.Packet) {
	vrid, ok := vrrp.PeekVRID(p.Payload)
	if !ok {
		s.unclaimed(now, w, p, vrrp.DiscardShort)
		return
	}
	i := s.routers[router{w, vrid}]
	if i == nil {
		s.unclaimed(now, w, p, vrrp.DiscardVRID)
		return
	}
	group := i.groups[w.family]
	intervals, addresses := group.Mismatches()
	advert, err := group.Receive(now, p, i.parameters())
	if d, ok := errors.AsType[vrrp.Discard](err); ok {
		s.discard(now, w, p, i, d)
		return
	}
	// With both families the peer goes by its IPv4 address, which operators know.
	if advert.Priority > 0 {
		i.heard = now
		if w.family == vrrp.IPv4 || i.groups[vrrp.IPv4] == nil || !i.peer.IsValid() {
			i.peer = p.Source
		}
	}
	intervalsNow, addressesNow := group.Mismatches()
	if addressesNow > addresses {
		s.conflict(now, i, conflictKey{"addresses", p.Source}, "its list of VIPs differs from ours")
	}
	if intervalsNow > intervals {
		s.conflict(now, i, conflictKey{"interval", p.Source}, fmt.Sprintf("its advert_interval is %s", advert.MaxAdvertInterval))
	}
	s.checkClock(now, i, group)
	s.do(now, i, func() []vrrp.Action { return i.machine.Receive(now, w.family, advert, p.Source) })
}

// skewWarning is the part of the window that the clocks may differ by before
// it is worth a warning.
const skewWarning = 3

// checkClock warns of a peer whose clock runs away from ours: authentication
// would refuse its adverts in the end.
func (s *Speaker) checkClock(now time.Time, i *instance, g *vrrp.Group) {
	skew, peer := g.ClockSkew()
	if window := g.Window(i.config.AdvertInterval); window > 0 && skew.Abs() > window/skewWarning {
		s.conflict(now, i, conflictKey{"clock", peer}, fmt.Sprintf("its clock and ours differ by about %s, and adverts are refused from %s on: set both by NTP", skew.Abs().Round(time.Second), window))
	}
}

// conflict reports a disagreement with a peer: at once, then seldom while it
// lasts.
func (s *Speaker) conflict(now time.Time, i *instance, key conflictKey, reason string) {
	if i.conflicts.tell(now, key) {
		s.emit(Conflict{At: now, Instance: i.config.Name, Reason: reason, Peer: key.peer})
	}
}

// unclaimed drops a packet that belongs to no instance.
func (s *Speaker) unclaimed(now time.Time, w wire, p vrrp.Packet, d vrrp.Discard) {
	counts := s.strays[w.ifname]
	if counts == nil {
		counts = make(map[string]uint64)
		s.strays[w.ifname] = counts
	}
	counts[d.String()]++
	s.discard(now, w, p, nil, d)
}

// discard tells of a packet that was dropped; i is nil if it belongs to no
// instance.
func (s *Speaker) discard(now time.Time, w wire, p vrrp.Packet, i *instance, d vrrp.Discard) {
	e := dropOf(now, w, p, i, d)
	if i != nil {
		i.dropped = e
	}
	if e, ok := s.noise.add(e); ok {
		s.emit(e.event())
	}
}
