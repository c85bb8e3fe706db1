// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// holdResult is what became of a request to the keeper.
type holdResult struct {
	want    netif.Desired
	changes netif.Changes
	err     error
}

func has(link netif.Interface, a netip.Addr) bool {
	return slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return p.Addr() == a })
}

// hold asks the keeper to make the kernel hold what all masters need and
// nothing else, and to renew the leases; kept gets the answer. What leaves is
// no longer announced.
func (s *Speaker) hold(now time.Time) {
	s.dirty = false
	want := s.desired(now)
	wanted := make(map[netif.Address]bool, len(want.Leases))
	for _, l := range want.Leases {
		wanted[l.Address] = true
	}
	var leave []netif.Address
	for a := range s.held {
		if !wanted[a] {
			leave = append(leave, a)
		}
	}
	if len(leave) > 0 {
		s.sys.Announcer.Withdraw(leave)
	}
	s.keeper.ask(want)
}

func (s *Speaker) desired(now time.Time) netif.Desired {
	var want netif.Desired
	s.renewAt = time.Time{}
	for _, i := range s.instances {
		c := i.config
		holds := i.holds(now)
		if c.VirtualMAC != "" && (i.running() || holds) {
			f := vrrp.IPv6
			if c.families().IPv4 {
				f = vrrp.IPv4
			}
			want.VirtualMACs = append(want.VirtualMACs, netif.VirtualMAC{Name: c.VirtualMAC, Interface: c.Interface, HardwareAddr: vrrp.VirtualMAC(c.VRID, f), Up: holds})
		}
		if !holds {
			if !s.stopping {
				for v := range c.vips() {
					want.Standing = append(want.Standing, v.Address)
				}
			}
			continue
		}
		for v := range c.vips() {
			if s.inherited != nil && !has(s.links[v.Interface], v.Prefix.Addr()) {
				continue // an heir does not put back what the kernel dropped
			}
			want.Leases = append(want.Leases, netif.Lease{Address: v.Address, Valid: c.Lease, Label: v.Label, Scope: v.Scope})
			if c.Refuse && c.Priority != vrrp.PriorityOwner {
				want.Refuse = append(want.Refuse, v.Prefix.Addr())
			}
		}
		want.Routes = append(want.Routes, c.Routes...)
		want.Rules = append(want.Rules, c.Rules...)
		if renew := now.Add(c.Lease / 3); c.Lease > 0 && (s.renewAt.IsZero() || renew.Before(s.renewAt)) {
			s.renewAt = renew
		}
	}
	return want
}

// kept takes the keeper's answer.
func (s *Speaker) kept(now time.Time, r holdResult) {
	s.keeper.busy = false
	s.tellChanges(now, r.changes)
	before := maps.Clone(s.held)
	clear(s.held)
	for _, l := range r.want.Leases {
		s.held[l.Address] = true
	}
	if !maps.Equal(before, s.held) {
		s.sys.Claims.Watch(slices.Collect(maps.Keys(s.held)))
	}
	failed := ""
	if r.err != nil {
		failed = r.err.Error()
		s.retryAt = now.Add(retryInterval)
	}
	if r.err != nil || s.linksMissed {
		s.linksMissed = false
		s.readLinks() // says what is held indeed
	}
	if failed != "" && failed != s.holdError {
		s.emit(Failed{At: now, Error: failed})
	}
	s.holdError = failed
}

// tellChanges makes events of what Hold did, by instance, and announces what
// is new.
func (s *Speaker) tellChanges(now time.Time, changes netif.Changes) {
	owners := s.owners()
	moved := make(map[string]*Moved)
	of := func(a netif.Address) (*instance, *Moved) {
		i := owners[a]
		name := s.heldFor[a]
		if i != nil {
			name = i.config.Name
		}
		if moved[name] == nil {
			moved[name] = &Moved{At: now, Instance: name}
		}
		return i, moved[name]
	}
	for _, a := range changes.Added {
		i, m := of(a)
		s.heldFor[a] = m.Instance
		if s.held[a] {
			s.emit(Restored{At: now, Instance: m.Instance, Address: a})
		} else {
			m.Added = append(m.Added, a)
		}
		if i != nil && i.machine.State() == vrrp.Master {
			i.rounds.Start(now, i.config.Announce)
		}
	}
	for _, a := range changes.Removed {
		_, m := of(a)
		delete(s.heldFor, a)
		m.Removed = append(m.Removed, a)
	}
	for _, name := range slices.Sorted(maps.Keys(moved)) {
		if m := moved[name]; len(m.Added)+len(m.Removed) > 0 {
			s.emit(*m)
		}
	}
	for _, a := range changes.Foreign {
		i := owners[a]
		if i == nil || s.held[a] {
			continue
		}
		if i.machine.State() == vrrp.Master {
			i.rounds.Start(now, i.config.Announce)
		}
		if i.config.Priority != vrrp.PriorityOwner {
			s.emit(Foreign{At: now, Instance: i.config.Name, Address: a})
		}
	}
}

// owners returns whose VIP each address is.
func (s *Speaker) owners() map[netif.Address]*instance {
	owners := make(map[netif.Address]*instance)
	for _, i := range s.instances {
		for v := range i.config.vips() {
			owners[v.Address] = i
		}
	}
	return owners
}

const (
	// claimDelay is how long a claim rests: where it is the first that is heard
	// of a better master, its advert has come by then.
	claimDelay = 200 * time.Millisecond
	// claimGrace is how long after a take-over the old master is no alarm: its
	// last announcements and adverts are still about.
	claimGrace = time.Second
)

// reannounce answers a losing master, at most once a second.
func (s *Speaker) reannounce(now time.Time, i *instance, peer netip.Addr) {
	if now.Sub(i.contested) < time.Second {
		return
	}
	i.contested = now
	if len(s.present(i)) > 0 {
		i.rounds.Start(now, i.config.Announce) // what is added is announced then
	}
	if now.Sub(i.since) >= claimGrace {
		s.emit(Contested{At: now, Instance: i.config.Name, Peer: peer})
	}
}

// claimed takes another machine's claim of a held VIP, at most one a second.
func (s *Speaker) claimed(now time.Time, c netif.Claim) {
	i := s.instanceOf(c.Address, c.Interface)
	if i == nil || i.machine.State() != vrrp.Master || i.machine.HandingOver() || now.Sub(i.claimed) < time.Second {
		return
	}
	var address netif.Address
	for v := range i.config.vips() {
		if v.Prefix.Addr() == c.Address {
			address = v.Address
		}
	}
	if !s.held[address] {
		return
	}
	i.claimed, i.claimDue = now, now.Add(claimDelay)
	i.claim = Claimed{Instance: i.config.Name, Address: address, HardwareAddr: c.HardwareAddr.String()}
}

// answerClaim answers a claim with announcements, if we are still the master.
func (s *Speaker) answerClaim(now time.Time, i *instance) {
	i.claimDue = time.Time{}
	if i.machine.State() != vrrp.Master || i.machine.HandingOver() || !s.held[i.claim.Address] {
		return
	}
	i.rounds.Start(now, i.config.Announce)
	if now.Sub(i.since) >= claimGrace+claimDelay {
		i.claim.At = now
		s.emit(i.claim)
	}
}

// announceFailed says once why announcements do not go out.
func (s *Speaker) announceFailed(now time.Time, err error) {
	if err.Error() != s.announceFail {
		s.emit(Failed{At: now, Error: err.Error()})
	}
	s.announceFail = err.Error()
}
