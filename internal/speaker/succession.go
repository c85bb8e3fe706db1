// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// inheritance is an instance of a speaker that died, and whether it was master.
type inheritance struct {
	instance Instance
	master   bool
}

// Succeed makes this speaker the heir of one that died, or that has been silent
// for at least the given time: Run then hands the masterships of the dead one
// over, instead of taking its VIPs away first, and ends with Stopped. It is
// called before Run.
func (s *Speaker) Succeed(instances []Instance, silent time.Duration, master func(name string) bool) {
	s.inherited, s.silent = []inheritance{}, silent
	for _, i := range instances {
		i.SyncGroup = "" // each hands over what it has
		s.inherited = append(s.inherited, inheritance{i, master(i.Name)})
	}
}

// Cautious makes address owners too listen to the network for a master-down
// interval before they become master. It is called before Run.
func (s *Speaker) Cautious() { s.cautious = true }

// inherit hands the inherited masterships over.
func (s *Speaker) inherit(now time.Time) {
	if s.inherited == nil {
		return
	}
	s.stopping = true
	for _, h := range s.inherited {
		if !h.master {
			continue
		}
		i := s.add(now, h.instance)
		i.leaving = true
		if s.obstacle(now, i) != "" {
			continue // nobody can be told: only the VIPs are taken away
		}
		i.setLocal(s.links[i.config.Interface])
		i.machine.Adopt(now, s.silent)
		s.do(now, i, func() []vrrp.Action { return i.machine.Yield(now, vrrp.ReasonSpeakerLost) })
	}
	s.dirty = true
	s.settle(now)
}
