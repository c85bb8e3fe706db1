// SPDX-License-Identifier: Apache-2.0

// Package speaker is the VRRP side of a director: it elects, holds VIPs and
// announces them. It joins the packages vrrp (protocol) and netif (addresses,
// links) and speaks with the rest of the daemon only through the Command and
// Event values of this package.
package speaker

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// Keeper holds VIPs in the kernel and knows its interfaces; netif.Keeper is
// the real one.
type Keeper interface {
	Hold(want []netif.Lease) (netif.Changes, error)
	Interfaces() (map[string]netif.Interface, error)
}

// Announcer tells the neighbours who holds a VIP; netif.Announcer is the real
// one.
type Announcer interface {
	Announce(addresses []netif.Address) error
}

// Conn carries VRRP messages of one family on one interface; vrrp.Conn is the
// real one. Close makes a blocked ReadPacket return.
type Conn interface {
	ReadPacket(buf []byte) (vrrp.Packet, error)
	WriteMessage(b []byte, source netip.Addr) error
	Close() error
}

// System is what a speaker needs of the machine.
type System struct {
	Keeper    Keeper
	Announcer Announcer
	// Changed fires after links or addresses changed.
	Changed <-chan struct{}
	// Listen opens a Conn on an interface.
	Listen func(ifname string, f vrrp.Family) (Conn, error)
}

// retryInterval is how long the speaker waits before it tries again what the
// kernel refused.
const retryInterval = time.Second

// Speaker runs the VRRP instances of one director. One goroutine, that of Run,
// owns all of its state.
type Speaker struct {
	sys       System
	commands  <-chan Command
	events    chan<- Event
	outbox    []Event
	instances []*instance
	waiting   []Instance // to be started once what is in their way has left
	stopping  bool       // Shutdown was received
	stopped   bool       // Stopped was emitted

	links   map[string]netif.Interface
	conns   map[wire]*conn
	readers sync.WaitGroup
	packets chan received
	noise   noise

	strays map[string]map[string]uint64 // by interface and reason

	held      map[netif.Address]bool
	holdError string // of the last Hold
	stopBy    time.Time
	dirty     bool      // held may not be what the states demand
	renewAt   time.Time // when the leases want renewal; zero: there are none
	retryAt   time.Time // when to try again what failed; zero: nothing did
}

// New returns a speaker that obeys commands and reports on events.
func New(sys System, commands <-chan Command, events chan<- Event) *Speaker {
	return &Speaker{
		sys: sys, commands: commands, events: events,
		conns:   make(map[wire]*conn),
		packets: make(chan received, 64),
		noise:   make(noise),
		held:    make(map[netif.Address]bool),
		strays:  make(map[string]map[string]uint64),
	}
}

// Run removes the VIPs that a dead predecessor left, then obeys commands until
// Shutdown is done and its last event, Stopped, is taken. When ctx ends first
// it gives up at once: sockets are closed, VIPs are left to their leases.
func (s *Speaker) Run(ctx context.Context) error {
	defer s.closeConns()
	if _, err := s.sys.Keeper.Hold(nil); err != nil {
		return fmt.Errorf("remove VIPs that an earlier run left: %w", err)
	}
	if err := s.readLinks(); err != nil {
		return err
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if s.stopped && len(s.outbox) == 0 {
			return nil
		}
		timer.Reset(s.untilNext(time.Now()))
		var out chan<- Event
		var first Event
		if len(s.outbox) > 0 {
			out, first = s.events, s.outbox[0]
		}
		select {
		case <-ctx.Done():
			return nil
		case out <- first:
			s.outbox = s.outbox[1:]
			continue
		case c := <-s.commands:
			s.obey(time.Now(), c)
		case r := <-s.packets:
			s.receive(time.Now(), r)
		case <-s.sys.Changed:
			s.linksChanged(time.Now())
		case <-timer.C:
			s.expire(time.Now())
		}
		s.settle(time.Now())
	}
}

func (s *Speaker) emit(e Event) { s.outbox = append(s.outbox, e) }

func (s *Speaker) obey(now time.Time, c Command) {
	switch c := c.(type) {
	case Configure:
		s.configure(now, c.Instances)
	case Query:
		s.emit(s.status())
	case Shutdown:
		if !s.stopping {
			s.configure(now, nil)
			s.stopping = true
			s.dirty = true
		}
	}
}

// configure makes the running instances those of want: unchanged ones are not
// touched, changed and renamed ones keep their role, others hand over. One that
// takes the place of another waits until that has left.
func (s *Speaker) configure(now time.Time, want []Instance) {
	kept := make(map[string]bool)
	for _, i := range s.instances {
		k := slices.IndexFunc(want, i.sameRouter)
		switch {
		case i.leaving:
		case k >= 0:
			kept[want[k].Name] = true
			s.rename(now, i, want[k].Name)
			s.perform(now, i, i.update(now, want[k]))
			s.dirty = true
		default:
			i.leaving = true
			s.perform(now, i, i.machine.Shutdown(now))
		}
	}
	s.waiting = slices.DeleteFunc(slices.Clone(want), func(w Instance) bool { return kept[w.Name] })
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

// admit starts the waiting instances that nothing stands in the way of.
func (s *Speaker) admit(now time.Time) {
	s.waiting = slices.DeleteFunc(s.waiting, func(w Instance) bool {
		if slices.ContainsFunc(s.instances, func(i *instance) bool { return i.blocks(w) }) {
			return false
		}
		s.instances = append(s.instances, newInstance(now, w))
		return true
	})
	s.review(now)
}

// review starts the instances that can run and halts those that cannot.
func (s *Speaker) review(now time.Time) {
	for _, i := range s.instances {
		obstacle := s.obstacle(now, i)
		if obstacle != "" {
			if i.running() {
				s.giveUp(now, i)
			}
			if !i.leaving && i.fault != obstacle {
				i.fault, i.since = obstacle, now
				s.emit(Fault{At: now, Instance: i.config.Name, Reason: obstacle})
			}
			continue
		}
		i.setLocal(s.links[i.config.Interface])
		if i.fault != "" {
			i.fault = ""
			s.emit(Recovered{At: now, Instance: i.config.Name})
		}
		if !i.running() && !i.leaving {
			s.perform(now, i, i.machine.Startup(now))
		}
	}
}

// perform carries out what a machine decided; settle does the rest.
func (s *Speaker) perform(now time.Time, i *instance, actions []vrrp.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case vrrp.SendAdvert:
			s.send(now, i, a)
		case vrrp.Transition:
			i.since, i.reason = now, a.Reason.String()
			i.yield(now, a)
			s.dirty = true
			if a.To == vrrp.Master {
				i.rounds.Start(now)
			} else {
				i.rounds.Stop()
			}
			s.emit(Transition{At: now, Instance: i.config.Name, From: a.From, To: a.To, Reason: i.reason, Peer: a.Peer})
		case vrrp.Reannounce:
			if now.Sub(i.contested) >= time.Second {
				i.contested = now
				i.rounds.Start(now)
				s.emit(Contested{At: now, Instance: i.config.Name, Peer: a.Peer})
			}
		case vrrp.Conflict:
			s.conflict(now, i, a.Reason.String(), a.Peer)
		}
	}
}

// settle makes the machine what the states demand: VIPs, then announcements.
func (s *Speaker) settle(now time.Time) {
	if s.dirty {
		s.dirty = false
		s.hold(now)
	}
	for _, i := range s.instances {
		if i.rounds.Due(now) {
			s.announce(now, i)
		}
	}
	if s.forget() {
		s.admit(now)
	}
	s.stop(now)
}

// announce announces the VIPs that are there.
func (s *Speaker) announce(now time.Time, i *instance) {
	present := slices.DeleteFunc(slices.Clone(i.config.Addresses), func(a netif.Address) bool { return !s.held[a] })
	if err := s.sys.Announcer.Announce(present); err != nil {
		s.emit(Failed{At: now, Instance: i.config.Name, Error: err.Error()})
	}
}

// stopPatience is how long a stop waits for the kernel to take VIPs away.
const stopPatience = 3 * time.Second

// stop says that the last instance has left and its VIPs are gone.
func (s *Speaker) stop(now time.Time) {
	if !s.stopping || s.stopped || len(s.instances) > 0 {
		return
	}
	if s.stopBy.IsZero() {
		s.stopBy = now.Add(stopPatience)
	}
	if s.holdError == "" || !now.Before(s.stopBy) {
		s.stopped = true
		s.emit(Stopped{Error: s.holdError})
	}
}

// forget drops the instances that were told to leave and have, and reports
// whether there were any.
func (s *Speaker) forget() bool {
	before := len(s.instances)
	s.instances = slices.DeleteFunc(s.instances, func(i *instance) bool { return i.leaving && !i.running() })
	if len(s.instances) == before {
		return false
	}
	s.closeUnusedConns()
	return true
}

// expire does everything whose time has come.
func (s *Speaker) expire(now time.Time) {
	for _, i := range s.instances {
		s.perform(now, i, i.expire(now))
		if due(i.linger, now) {
			i.linger = time.Time{}
			s.dirty = true
		}
	}
	if due(s.retryAt, now) {
		s.retryAt = time.Time{}
		s.linksChanged(now)
		s.dirty = true
	}
	if due(s.renewAt, now) {
		s.dirty = true
	}
	for _, d := range s.noise.flush(now) {
		s.emit(d)
	}
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// fail reports what the machine refused and sees that it is tried again.
func (s *Speaker) fail(now time.Time, instance string, err error) {
	s.emit(Failed{At: now, Instance: instance, Error: err.Error()})
	s.retryAt = now.Add(retryInterval)
}

func (s *Speaker) untilNext(now time.Time) time.Duration {
	next := now.Add(time.Hour)
	earlier := func(t time.Time, ok bool) {
		if ok && t.Before(next) {
			next = t
		}
	}
	for _, i := range s.instances {
		earlier(i.next())
		earlier(i.rounds.Next())
		earlier(i.linger, !i.linger.IsZero())
	}
	earlier(s.renewAt, !s.renewAt.IsZero())
	earlier(s.retryAt, !s.retryAt.IsZero())
	earlier(s.noise.next())
	return max(next.Sub(now), 0)
}

func (s *Speaker) status() Status {
	st := Status{Instances: make([]InstanceStatus, 0, len(s.instances)), Unclaimed: make(map[string]map[string]uint64)}
	for ifname, counts := range s.strays {
		st.Unclaimed[ifname] = maps.Clone(counts)
	}
	for _, i := range s.instances {
		is := i.status()
		for _, a := range i.config.Addresses {
			if s.held[a] {
				is.Held = append(is.Held, a)
			}
		}
		st.Instances = append(st.Instances, is)
	}
	return st
}
