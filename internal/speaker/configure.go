// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"slices"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// configure makes the running instances those of want: unchanged ones are not
// touched, changed and renamed ones keep their role, others hand over. One that
// takes the place of another waits until that has left.
func (s *Speaker) configure(now time.Time, want []Instance) {
	to := make(map[*instance]Instance)
	names := make(map[string]bool) // of what is kept
	var kept, leaving []*instance
	for _, i := range s.instances {
		k := slices.IndexFunc(want, i.sameRouter)
		switch {
		case i.leaving:
		case k >= 0:
			kept = append(kept, i)
			to[i] = want[k]
			names[want[k].Name] = true
		default:
			i.leaving = true
			leaving = append(leaving, i)
		}
	}
	s.rename(now, func(i *instance) string {
		switch {
		case !i.leaving:
			return to[i].Name
		case names[i.config.Name]:
			return i.config.Name + " (leaving)"
		}
		return i.config.Name
	})
	for _, i := range kept {
		s.reconfigure(now, i, to[i])
	}
	s.weigh(now, kept...)
	for _, i := range kept {
		s.update(now, i)
	}
	for _, i := range leaving {
		i.leave()
		s.do(now, i, func() []vrrp.Action { return i.machine.Shutdown(now) })
	}
	s.waiting = slices.DeleteFunc(slices.Clone(want), func(w Instance) bool { return names[w.Name] })
	s.dirty = true
	s.forget()
	s.admit(now)
}

// rename tells of new names as of instances that come where others go. All go
// before any comes: they may exchange their names.
func (s *Speaker) rename(now time.Time, name func(i *instance) string) {
	renamed := slices.DeleteFunc(slices.Clone(s.instances), func(i *instance) bool { return name(i) == i.config.Name })
	names := make(map[string]string)
	for _, i := range renamed {
		names[i.config.Name] = name(i)
		s.emit(Transition{At: now, Instance: i.config.Name, From: i.machine.State(), To: vrrp.Initialize, Reason: "renamed to " + name(i)})
	}
	for _, i := range renamed {
		before := i.config.Name
		i.config.Name = names[before]
		s.emit(Transition{At: now, Instance: i.config.Name, From: vrrp.Initialize, To: i.machine.State(), Reason: "renamed from " + before})
	}
	for a, before := range s.heldFor {
		if after, ok := names[before]; ok {
			s.heldFor[a] = after
		}
	}
}

// reconfigure gives an instance new parameters, which nothing is done about yet.
func (s *Speaker) reconfigure(now time.Time, i *instance, w Instance) {
	regroup := w.SyncGroup != i.config.SyncGroup
	if w.Standby && !i.config.Standby {
		i.ordered = now
	}
	i.config = w
	for f, g := range i.groups {
		g.Update(w.groupConfig(f))
	}
	if regroup {
		i.leave()
		s.join(i)
	}
	s.sys.Announcer.SetRate(w.Interface, w.AnnounceRate)
}

// update makes the machine follow new parameters; it keeps its role.
func (s *Speaker) update(now time.Time, i *instance) {
	s.do(now, i, func() []vrrp.Action { return i.machine.Update(now, i.parameters()) })
	switch {
	case i.config.Standby && !i.machine.InStandby():
		s.do(now, i, func() []vrrp.Action { return i.machine.Standby(now) })
	case !i.config.Standby: // also calls a hand-over to standby off
		s.do(now, i, func() []vrrp.Action { return i.machine.Resume(now) })
	}
}

// admit starts the waiting instances that nothing stands in the way of.
func (s *Speaker) admit(now time.Time) {
	s.waiting = slices.DeleteFunc(s.waiting, func(w Instance) bool {
		if slices.ContainsFunc(s.instances, func(i *instance) bool { return i.blocks(w) }) {
			return false
		}
		s.add(now, w)
		return true
	})
	s.review(now)
}

// add makes an instance of w, in Initialize.
func (s *Speaker) add(now time.Time, w Instance) *instance {
	i := newInstance(now, w)
	s.instances = append(s.instances, i)
	s.join(i)
	s.index()
	s.sys.Announcer.SetRate(w.Interface, w.AnnounceRate)
	s.weigh(now, i)
	return i
}

// join puts an instance into its sync group, or into one of its own.
func (s *Speaker) join(i *instance) {
	name := i.config.SyncGroup
	i.group = s.groups[name]
	if name == "" || i.group == nil {
		i.group = vrrp.NewSyncGroup()
	}
	if name != "" {
		s.groups[name] = i.group
	}
	i.group.Join(i.machine)
}

// leave takes an instance out of its sync group: what it does from here on is
// its own affair.
func (i *instance) leave() {
	i.group.Leave(i.machine)
	i.group = vrrp.NewSyncGroup()
	i.group.Join(i.machine)
}

// review starts the instances that can run and halts those that cannot.
func (s *Speaker) review(now time.Time) {
	obstacles := make(map[*instance]string, len(s.instances))
	faulty := make(map[string]string) // sync group: obstacle of a member
	for _, i := range s.instances {
		if obstacles[i] = s.obstacle(now, i); obstacles[i] != "" && i.config.SyncGroup != "" && !i.leaving {
			faulty[i.config.SyncGroup] = i.config.Name + ": " + obstacles[i]
		}
	}
	for _, i := range s.instances {
		obstacle := obstacles[i]
		if fault := faulty[i.config.SyncGroup]; obstacle == "" && fault != "" && !i.leaving {
			obstacle = "sync group " + i.config.SyncGroup + ": " + fault
		}
		s.judge(now, i, obstacle)
	}
}

// judge starts an instance, or gives it up for an obstacle.
func (s *Speaker) judge(now time.Time, i *instance, obstacle string) {
	if obstacle != "" {
		if i.running() {
			s.giveUp(now, i)
		}
		if !i.leaving && i.fault != obstacle {
			i.fault = obstacle
			if !i.running() {
				i.since = now
			}
			s.emit(Fault{At: now, Instance: i.config.Name, Reason: obstacle})
		}
		return
	}
	i.setLocal(s.links[i.config.Interface])
	if i.fault != "" {
		i.fault = ""
		s.emit(Recovered{At: now, Instance: i.config.Name})
	}
	if i.running() || i.leaving {
		return
	}
	p := i.parameters()
	p.StartupDelay = max(0, i.config.StartupDelay-now.Sub(s.started))
	p.InitialBackup = p.InitialBackup || s.cautious
	i.machine.Update(now, p)
	s.dirty = true
	if i.config.Standby && !i.machine.InStandby() {
		s.do(now, i, func() []vrrp.Action { return i.machine.Standby(now) })
	}
	s.do(now, i, func() []vrrp.Action { return i.machine.Startup(now) })
}

// giveUp halts an instance that cannot go on. One that can still send hands
// over, so that the others need not find out.
func (s *Speaker) giveUp(now time.Time, i *instance) {
	if s.mute(now, i) != "" {
		s.do(now, i, func() []vrrp.Action { return i.machine.Halt(now, vrrp.ReasonInterfaceDown) })
		return
	}
	s.do(now, i, func() []vrrp.Action { return i.machine.Yield(now, vrrp.ReasonFault) })
}
