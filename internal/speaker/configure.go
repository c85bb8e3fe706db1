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
	kept := make(map[string]bool)
	var leaving []*instance
	for _, i := range s.instances {
		k := slices.IndexFunc(want, i.sameRouter)
		switch {
		case i.leaving:
		case k >= 0:
			kept[want[k].Name] = true
			s.rename(now, i, want[k].Name)
			s.update(now, i, want[k])
		default:
			i.leaving = true
			leaving = append(leaving, i)
		}
	}
	for _, i := range leaving {
		i.leave()
		s.do(now, i, func() []vrrp.Action { return i.machine.Shutdown(now) })
	}
	s.waiting = slices.DeleteFunc(slices.Clone(want), func(w Instance) bool { return kept[w.Name] })
	s.dirty = true
	s.forget()
	s.admit(now)
}

// rename tells of the new name as of an instance that comes where another goes.
func (s *Speaker) rename(now time.Time, i *instance, name string) {
	if name == i.config.Name {
		return
	}
	state := i.machine.State()
	s.emit(Transition{At: now, Instance: i.config.Name, From: state, To: vrrp.Initialize, Reason: "renamed to " + name})
	s.emit(Transition{At: now, Instance: name, From: vrrp.Initialize, To: state, Reason: "renamed from " + i.config.Name})
}

// update gives an instance new parameters; it keeps its role.
func (s *Speaker) update(now time.Time, i *instance, w Instance) {
	regroup := w.SyncGroup != i.config.SyncGroup
	i.config = w
	for f, g := range i.groups {
		g.Update(w.groupConfig(f))
	}
	if regroup {
		i.leave()
		s.join(i)
	}
	s.sys.Announcer.SetRate(w.Interface, w.AnnounceRate)
	s.weigh(now, i)
	s.do(now, i, func() []vrrp.Action { return i.machine.Update(now, i.parameters()) })
	switch {
	case w.Standby && !i.machine.InStandby():
		s.do(now, i, func() []vrrp.Action { return i.machine.Standby(now) })
	case !w.Standby: // also calls a hand-over to standby off
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
