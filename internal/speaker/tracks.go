// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
	"strings"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// trackLinks reads the tracked interfaces off the links.
func (s *Speaker) trackLinks() {
	for _, t := range s.linkTracks {
		news := Tracked{Name: t.Name, Up: true, Value: 1, Detail: "interface " + t.Interface + " is up"}
		if down := s.down(t.Interface); down != "" {
			news = Tracked{Name: t.Name, Detail: down}
		}
		s.tracks[t.Name] = news
	}
}

// contributions returns what the tracked objects add to the priority. One that
// nothing is known of yet adds nothing.
func (s *Speaker) contributions(i *instance) []Contribution {
	var all []Contribution
	for _, use := range i.config.Tracks {
		t, known := s.tracks[use.Name]
		c := Contribution{Track: use.Name, Detail: t.Detail}
		switch {
		case !known:
			c.Detail = "not known yet"
		case use.Scaled:
			c.Weight = use.Weight * t.Value
		case use.Weight < 0 && !t.Up, use.Weight > 0 && t.Up:
			c.Weight = use.Weight
		}
		all = append(all, c)
	}
	return all
}

// trackFault says which tracked object keeps the instance from running; empty:
// none.
func (s *Speaker) trackFault(i *instance) string {
	for _, use := range i.config.Tracks {
		if t, known := s.tracks[use.Name]; known && use.Weight == 0 && !t.Up {
			return fmt.Sprintf("track %s: %s", use.Name, t.Detail)
		}
	}
	return ""
}

// weigh computes the effective priority of an instance.
func (s *Speaker) weigh(now time.Time, i *instance) {
	i.contributions = s.contributions(i)
	weights := make([]int, len(i.contributions))
	for n, c := range i.contributions {
		weights[n] = c.Weight
	}
	before := i.priority
	i.priority = vrrp.EffectivePriority(i.config.Priority, weights)
	if before == 0 || before == i.priority {
		return
	}
	s.emit(PriorityChanged{At: now, Instance: i.config.Name, From: before, To: i.priority, Reason: i.why()})
	if !i.leaving {
		s.do(now, i, func() []vrrp.Action { return i.machine.Update(now, i.parameters()) })
	}
}

// why says how the effective priority comes about.
func (i *instance) why() string {
	words := []string{fmt.Sprintf("base %d", i.config.Priority)}
	for _, c := range i.contributions {
		if c.Weight != 0 {
			words = append(words, fmt.Sprintf("%+d %s (%s)", c.Weight, c.Track, c.Detail))
		}
	}
	return strings.Join(words, ", ")
}

func (s *Speaker) weighAll(now time.Time) {
	for _, i := range s.instances {
		s.weigh(now, i)
	}
}
