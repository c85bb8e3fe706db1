// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
	"slices"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
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
	link, ok := s.links[i.config.Interface]
	switch {
	case !ok:
		return fmt.Sprintf("interface %s does not exist", i.config.Interface)
	case !link.Up:
		return fmt.Sprintf("interface %s is down", link.Name)
	}
	for f := range i.groups {
		if !source(link, f).IsValid() {
			return fmt.Sprintf("interface %s has no %s address to send adverts from", link.Name, f)
		}
		if err := s.open(wire{link.Name, f}, link.Index); err != nil {
			s.retryAt = now.Add(retryInterval)
			return err.Error()
		}
	}
	return ""
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
	for _, a := range changes.Added {
		if s.held[a] {
			s.emit(Restored{At: now, Address: a})
			s.announceAgain(now, a)
		}
	}
	clear(s.held)
	for _, l := range want {
		s.held[l.Address] = true
	}
	if err != nil {
		s.fail(now, "", err)
		s.doubtHeld()
	}
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

func (s *Speaker) announceAgain(now time.Time, a netif.Address) {
	for _, i := range s.instances {
		if slices.Contains(i.config.Addresses, a) {
			i.rounds.Start(now)
		}
	}
}
