// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"cmp"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// track takes what a configuration says of tracked objects. What it does not
// say, as that of a new director, stays as it is while an instance uses it.
func (s *Speaker) track(c Configure) {
	for _, t := range s.linkTracks {
		delete(s.tracks, t.Name)
	}
	used := make(map[string]bool)
	for _, i := range c.Instances {
		for _, use := range i.Tracks {
			used[use.Name] = true
		}
	}
	maps.DeleteFunc(s.tracks, func(name string, _ Tracked) bool { return !used[name] })
	for _, t := range c.Tracked {
		s.tracks[t.Name] = t
	}
	s.linkTracks = c.Links
	s.trackLinks()
}

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
// nothing is known of yet adds nothing, and nothing changes that of an owner.
func (s *Speaker) contributions(i *instance) []Contribution {
	fixed := i.config.Priority == vrrp.PriorityOwner
	var all []Contribution
	for _, use := range i.config.Tracks {
		t, known := s.tracks[use.Name]
		c := Contribution{Track: use.Name, Detail: t.Detail}
		switch {
		case !known:
			c.Detail = "not known yet"
		case fixed:
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

// weigh computes the effective priorities of instances, then acts on those that
// changed: each tells what the others of its sync group have.
func (s *Speaker) weigh(now time.Time, instances ...*instance) {
	before := make([]uint8, len(instances))
	for n, i := range instances {
		before[n] = cmp.Or(i.priority, i.config.Priority)
		if i.leaving {
			continue
		}
		i.contributions = s.contributions(i)
		weights := make([]int, len(i.contributions))
		for m, c := range i.contributions {
			weights[m] = c.Weight
		}
		i.priority = vrrp.EffectivePriority(i.config.Priority, weights)
	}
	for n, i := range instances {
		if before[n] == i.priority {
			continue
		}
		s.emit(PriorityChanged{At: now, Instance: i.config.Name, From: before[n], To: i.priority, Reason: s.why(i)})
		s.do(now, i, func() []vrrp.Action { return i.machine.Update(now, i.parameters()) })
	}
}

// why says how the effective priority comes about, and what keeps it from
// moving the role.
func (s *Speaker) why(i *instance) string {
	words := []string{fmt.Sprintf("base %d", i.config.Priority)}
	sum := int(i.config.Priority)
	for _, c := range i.contributions {
		if c.Weight != 0 {
			words = append(words, fmt.Sprintf("%+d %s (%s)", c.Weight, c.Track, c.Detail))
		}
		sum += c.Weight
	}
	switch {
	case sum < 1:
		words = append(words, "1 at least")
	case sum > 254 && i.config.Priority != vrrp.PriorityOwner:
		words = append(words, "254 at most")
	}
	text := strings.Join(words, ", ")
	if others := s.othersHave(i); others != "" {
		text += fmt.Sprintf("; sync group %s moves only when all its members do: %s", i.config.SyncGroup, others)
	}
	return text
}

// maxOthers is how many members of a sync group a text names.
const maxOthers = 3

// othersHave tells the priorities of the other members of the sync group;
// empty: there are none.
func (s *Speaker) othersHave(i *instance) string {
	if i.config.SyncGroup == "" || i.leaving {
		return ""
	}
	var words []string
	more := 0
	for _, o := range s.instances {
		switch {
		case o == i || o.leaving || o.config.SyncGroup != i.config.SyncGroup:
		case len(words) == maxOthers:
			more++
		default:
			words = append(words, fmt.Sprintf("%s has %d", o.config.Name, o.priority))
		}
	}
	if more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, ", ")
}
