// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
	"slices"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

func (s *Speaker) readLinks() error {
	links, err := s.sys.Keeper.Interfaces()
	if err != nil {
		return fmt.Errorf("list network interfaces: %w", err)
	}
	s.links = links
	return nil
}

func (s *Speaker) linksChanged(now time.Time) {
	if err := s.readLinks(); err != nil {
		s.fail(now, "", err)
		return
	}
	s.review(now)
	for a := range s.held {
		if !slices.Contains(s.links[a.Interface].Addresses, a.Prefix) {
			s.dirty = true
		}
	}
}

// obstacle says why an instance cannot run; empty: it can, and its Conns are
// open.
func (s *Speaker) obstacle(now time.Time, i *instance) string {
	if down := s.down(i.config.Interface); down != "" {
		return down
	}
	for _, a := range i.config.Addresses {
		if down := s.down(a.Interface); down != "" {
			return fmt.Sprintf("%s, which VIP %s is for", down, a.Prefix)
		}
	}
	link := s.links[i.config.Interface]
	for f := range i.groups {
		if !source(link, f).IsValid() {
			return fmt.Sprintf("interface %s has no %s address to send adverts from", link.Name, f)
		}
		if err := s.open(now, wire{link.Name, f}, link.Index); err != nil {
			s.retryAt = now.Add(retryInterval)
			return err.Error()
		}
	}
	return ""
}

// down says why an interface cannot be used; empty: it can.
func (s *Speaker) down(ifname string) string {
	link, ok := s.links[ifname]
	switch {
	case !ok:
		return fmt.Sprintf("interface %s does not exist", ifname)
	case !link.Up:
		return fmt.Sprintf("interface %s is down", ifname)
	}
	return ""
}

// giveUp halts an instance that cannot go on. Where its own interface still
// works a master resigns first, so that the others need not find out.
func (s *Speaker) giveUp(now time.Time, i *instance) {
	if i.machine.State() == vrrp.Master && s.down(i.config.Interface) == "" {
		s.send(now, i, vrrp.SendAdvert{Priority: vrrp.PriorityResign, Interval: i.config.AdvertInterval})
	}
	s.perform(now, i, i.machine.Halt(now, vrrp.ReasonInterfaceDown))
}

// hold makes the kernel hold the VIPs of all masters and no others, and renews
// their leases.
func (s *Speaker) hold(now time.Time) {
	var want []netif.Lease
	s.renewAt = time.Time{}
	for _, i := range s.instances {
		if !i.holds(now) {
			continue
		}
		for _, a := range i.config.Addresses {
			want = append(want, netif.Lease{Address: a, Valid: i.config.Lease})
		}
		if renew := now.Add(i.config.Lease / 3); i.config.Lease > 0 && (s.renewAt.IsZero() || renew.Before(s.renewAt)) {
			s.renewAt = renew
		}
	}
	changes, err := s.sys.Keeper.Hold(want)
	s.tellChanges(now, changes)
	clear(s.held)
	for _, l := range want {
		s.held[l.Address] = true
	}
	failed := ""
	if err != nil {
		failed = err.Error()
		s.retryAt = now.Add(retryInterval)
		s.doubtHeld()
	}
	if failed != "" && failed != s.holdError {
		s.emit(Failed{At: now, Error: failed})
	}
	s.holdError = failed
}

// tellChanges makes events of what Hold did, by instance.
func (s *Speaker) tellChanges(now time.Time, changes netif.Changes) {
	moved := make(map[string]*Moved)
	of := func(a netif.Address) (*instance, *Moved) {
		i := s.instanceOf(a)
		name := ""
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
		if !s.held[a] {
			m.Added = append(m.Added, a)
			continue
		}
		s.emit(Restored{At: now, Instance: m.Instance, Address: a})
		if i != nil {
			i.rounds.Start(now)
		}
	}
	for _, a := range changes.Removed {
		_, m := of(a)
		m.Removed = append(m.Removed, a)
	}
	for _, m := range moved {
		if len(m.Added)+len(m.Removed) > 0 {
			s.emit(*m)
		}
	}
	for _, a := range changes.Foreign {
		if i := s.instanceOf(a); i != nil && !s.held[a] && i.config.Priority != vrrp.PriorityOwner {
			s.emit(Foreign{At: now, Instance: i.config.Name, Address: a})
		}
	}
}

// instanceOf returns the instance that an address is a VIP of, or nil.
func (s *Speaker) instanceOf(a netif.Address) *instance {
	for _, i := range s.instances {
		if slices.Contains(i.config.Addresses, a) {
			return i
		}
	}
	return nil
}

// doubtHeld corrects held after a Hold that did not succeed.
func (s *Speaker) doubtHeld() {
	if s.readLinks() != nil {
		return
	}
	for a := range s.held {
		if !slices.Contains(s.links[a.Interface].Addresses, a.Prefix) {
			delete(s.held, a)
		}
	}
}
