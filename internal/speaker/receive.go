// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// receive takes one packet, or the end of a Conn.
func (s *Speaker) receive(now time.Time, r received) {
	if s.conns[r.conn.wire] != r.conn {
		return // the Conn was closed meanwhile
	}
	if r.err != nil {
		s.reopen(now, r.conn, r.err)
		return
	}
	vrid, ok := vrrp.PeekVRID(r.packet.Payload)
	if !ok {
		s.unclaimed(now, r, vrrp.DiscardShort)
		return
	}
	i := s.find(r.conn.wire, vrid)
	if i == nil {
		s.unclaimed(now, r, vrrp.DiscardVRID)
		return
	}
	group := i.groups[r.conn.wire.family]
	before := group.Counters()
	advert, err := group.Receive(r.packet, i.config.parameters())
	if d, ok := errors.AsType[vrrp.Discard](err); ok {
		s.discard(now, r, i.config.Name, d)
		return
	}
	if advert.Priority > 0 {
		i.peer = r.packet.Source
	}
	after := group.Counters()
	switch {
	case after.AddressMismatch > before.AddressMismatch:
		s.conflict(now, i, "its list of VIPs differs from ours", r.packet.Source)
	case after.IntervalMismatch > before.IntervalMismatch:
		s.conflict(now, i, fmt.Sprintf("its advert_interval is %s", advert.MaxAdvertInterval), r.packet.Source)
	}
	s.perform(now, i, i.machine.Receive(now, r.conn.wire.family, advert, r.packet.Source))
}

// conflict reports a disagreement with a peer, once while it lasts and at most
// once a second.
func (s *Speaker) conflict(now time.Time, i *instance, reason string, peer netip.Addr) {
	c := Conflict{Instance: i.config.Name, Reason: reason, Peer: peer}
	known := i.conflict
	known.At = time.Time{}
	if c == known || now.Sub(i.conflict.At) < time.Second {
		return
	}
	c.At = now
	i.conflict = c
	s.emit(c)
}

func (s *Speaker) find(w wire, vrid uint8) *instance {
	for _, i := range s.instances {
		if i.config.Interface == w.ifname && i.config.VRID == vrid && i.groups[w.family] != nil {
			return i
		}
	}
	return nil
}

// unclaimed drops a packet that belongs to no instance.
func (s *Speaker) unclaimed(now time.Time, r received, d vrrp.Discard) {
	counts := s.strays[r.conn.wire.ifname]
	if counts == nil {
		counts = make(map[string]uint64)
		s.strays[r.conn.wire.ifname] = counts
	}
	counts[d.String()]++
	s.discard(now, r, "", d)
}

func (s *Speaker) discard(now time.Time, r received, instance string, d vrrp.Discard) {
	e := Discarded{At: now, Interface: r.conn.wire.ifname, Instance: instance, Reason: d, Source: r.packet.Source, Count: 1}
	if e, ok := s.noise.add(e); ok {
		s.emit(e)
	}
}
