// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
)

// linksResult is the answer of Keeper.Interfaces.
type linksResult struct {
	links map[string]netif.Interface
	err   error
}

// readLinks asks for the links; linksRead gets the answer.
func (s *Speaker) readLinks() {
	if s.linksReader.busy {
		s.linksStale = true
		return
	}
	s.linksStale = false
	s.linksReader.ask(struct{}{})
}

func (s *Speaker) linksRead(now time.Time, r linksResult) {
	s.linksReader.busy = false
	if s.linksStale {
		s.readLinks()
	}
	if r.err != nil {
		s.fail(now, "", fmt.Errorf("list network interfaces: %w", r.err))
		return
	}
	s.links = r.links
	s.trackLinks()
	s.weigh(now, s.instances...)
	s.review(now)
	if s.keeper.busy {
		s.linksMissed = true // what is held is about to be known better
		return
	}
	present := make(map[netif.Address]bool)
	for name, link := range s.links {
		for _, p := range link.Addresses {
			present[netif.Address{Interface: name, Prefix: p}] = true
		}
	}
	for a := range s.held {
		if present[a] {
			continue
		}
		if s.holdError == "" {
			s.dirty = true
		} else {
			delete(s.held, a) // it is tried again in a while
		}
	}
}

// obstacle says why an instance cannot run; empty: it can, and its Conns are
// open.
func (s *Speaker) obstacle(now time.Time, i *instance) string {
	if mute := s.mute(now, i); mute != "" {
		return mute
	}
	for v := range i.config.vips() {
		if v.Interface == i.config.Interface || v.Interface == i.config.VirtualMAC {
			continue
		}
		if down := s.down(v.Interface); down != "" {
			return fmt.Sprintf("%s, which VIP %s is for", down, v.Prefix)
		}
	}
	return s.trackFault(i)
}

// mute says why an instance cannot send adverts; empty: it can.
func (s *Speaker) mute(now time.Time, i *instance) string {
	if down := s.down(i.config.Interface); down != "" {
		return down
	}
	link := s.links[i.config.Interface]
	for f := range i.groups {
		source := i.config.source(link, f)
		if !source.IsValid() {
			return fmt.Sprintf("interface %s has no %s address to send adverts from", link.Name, f)
		}
		if _, unicast := i.config.Unicast[f]; unicast && !has(link, source) {
			return fmt.Sprintf("interface %s does not have the unicast source %s", link.Name, source)
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
