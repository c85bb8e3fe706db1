// SPDX-License-Identifier: Apache-2.0

// Package speaker is the VRRP side of a director: it elects, holds VIPs and
// announces them. It joins the packages vrrp (protocol) and netif (addresses,
// links) and speaks with the rest of the daemon only through the Command and
// Event values of this package.
//
// It runs as a process of its own. [Serve] is that process; [Process] is the
// director's end, which watches it and hands over on its behalf.
package speaker

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// Keeper holds VIPs in the kernel and knows its interfaces; netif.Keeper is
// the real one. The two methods are called from two goroutines.
type Keeper interface {
	Hold(want netif.Desired) (netif.Changes, error)
	Interfaces() (map[string]netif.Interface, error)
}

// Announcer tells the neighbours who holds a VIP; netif.Announcer is the real
// one. Its methods do not wait.
type Announcer interface {
	Announce(addresses []netif.Address)
	Withdraw(addresses []netif.Address)
	SetRate(ifname string, framesPerSecond int)
	Failures() <-chan error
}

// Claims tells when another machine claims a VIP; netif.Claims is the real one.
type Claims interface {
	Watch(addresses []netif.Address)
	Seen() <-chan netif.Claim
}

// Conn carries VRRP messages of one family on one interface; vrrp.Conn is the
// real one. Close makes a blocked ReadPackets return.
type Conn interface {
	ReadPackets(b *vrrp.Batch) ([]vrrp.Packet, error)
	Write(messages []vrrp.Outgoing) error
	Close() error
}

// System is what a speaker needs of the machine.
type System struct {
	Keeper    Keeper
	Announcer Announcer
	Claims    Claims
	// Changed fires after links or addresses changed.
	Changed <-chan struct{}
	// Listen opens a Conn on an interface.
	Listen func(ifname string, f vrrp.Family) (Conn, error)
	// Beat is called by the speaker's goroutine several times in each heartbeat,
	// as a sign that it turns. Nil: never.
	Beat func()
	// Ticker makes what it is called by; nil: a time.Ticker.
	Ticker func(pace time.Duration) Ticker
	// Slept is how long this machine was suspended since it was booted; nil:
	// it never is.
	Slept func() time.Duration
}

// retryInterval is how long the speaker waits before it tries again what the
// kernel refused.
const retryInterval = time.Second

// Speaker runs the VRRP instances of one director. One goroutine, that of Run,
// owns all of its state; it never waits for the kernel.
type Speaker struct {
	sys       System
	commands  <-chan Command
	events    chan<- Event
	outbox    []Event
	inherited []inheritance // from a speaker that died
	silent    time.Duration // how long that one was, at least
	cautious  bool          // address owners listen first too
	started   time.Time

	instances []*instance
	routers   map[router]*instance
	machines  map[*vrrp.Machine]*instance
	groups    map[string]*vrrp.SyncGroup // by name
	waiting   []Instance                 // to be started once what is in their way has left
	stopping  bool                       // Shutdown was received
	stopped   bool                       // Stopped was emitted
	stopBy    time.Time
	unsettled bool // an instance has stopped that may start again

	tracks     map[string]Tracked
	linkTracks []LinkTrack

	links        map[string]netif.Interface
	linksReader  worker[struct{}, linksResult]
	linksStale   bool // links may have changed since they were asked for
	linksMissed  bool // they could not be compared with what is held
	conns        map[wire]*conn
	readers      sync.WaitGroup
	packets      chan received
	noise        noise
	strays       map[string]map[string]uint64 // by interface and reason
	announceFail string                       // the last failed announcement, to say it once

	keeper    worker[netif.Desired, holdResult]
	held      map[netif.Address]bool
	heldFor   map[netif.Address]string // the instances that they were added for
	holdError string                   // of the last Hold
	dirty     bool                     // held may not be what the states demand
	renewAt   time.Time                // when the leases want renewal; zero: there are none
	retryAt   time.Time                // when to try again what failed; zero: nothing did
	slept     time.Duration            // what Slept said last
	turn      uint64                   // of the loop, counted

	beats        Ticker // when to call Beat
	beatInterval time.Duration
}

// New returns a speaker that obeys commands and reports on events.
func New(sys System, commands <-chan Command, events chan<- Event) *Speaker {
	s := &Speaker{
		sys: sys, commands: commands, events: events,
		routers:  make(map[router]*instance),
		machines: make(map[*vrrp.Machine]*instance),
		groups:   make(map[string]*vrrp.SyncGroup),
		tracks:   make(map[string]Tracked),
		conns:    make(map[wire]*conn),
		packets:  make(chan received, 16),
		noise:    newNoise(), beatInterval: defaultPatience / beatsPerPatience,
		held: make(map[netif.Address]bool), heldFor: make(map[netif.Address]string),
		strays: make(map[string]map[string]uint64),
	}
	s.keeper = newWorker(func(want netif.Desired) holdResult {
		changes, err := sys.Keeper.Hold(want)
		return holdResult{want, changes, err}
	})
	s.linksReader = newWorker(func(struct{}) linksResult {
		links, err := sys.Keeper.Interfaces()
		return linksResult{links, err}
	})
	return s
}

// Run removes the VIPs that a dead predecessor left, then obeys commands until
// Shutdown is done and its last event, Stopped, is taken. When ctx ends first
// it gives up at once: sockets are closed, VIPs are left to their leases.
func (s *Speaker) Run(ctx context.Context) error {
	defer s.closeConns()
	if s.inherited == nil {
		_, err := s.sys.Keeper.Hold(netif.Desired{})
		switch {
		case netif.JournalOnly(err): // is told again with the next one
		case err != nil:
			return fmt.Errorf("remove VIPs that an earlier run left: %w", err)
		}
	}
	links, err := s.sys.Keeper.Interfaces()
	if err != nil {
		return fmt.Errorf("list network interfaces: %w", err)
	}
	s.links = links
	s.keeper.start()
	defer s.keeper.stop()
	s.linksReader.start()
	defer s.linksReader.stop()

	s.started = time.Now()
	s.slept = s.sleep()
	s.inherit(s.started)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	s.beats = s.sys.ticker(s.beatInterval)
	defer s.beats.Stop()
	for {
		if s.stopped && len(s.outbox) == 0 {
			return nil
		}
		s.turn++
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
			s.obey(s.wake(), c)
		case r := <-s.packets:
			s.receive(s.wake(), r)
		case <-s.sys.Changed:
			s.readLinks()
		case r := <-s.linksReader.results:
			s.linksRead(s.wake(), r)
		case r := <-s.keeper.results:
			s.kept(s.wake(), r)
		case c := <-s.sys.Claims.Seen():
			s.claimed(s.wake(), c)
		case err := <-s.sys.Announcer.Failures():
			s.announceFailed(time.Now(), err)
		case <-s.beats.Chan():
			s.beat()
			continue
		case <-timer.C:
			s.expire(s.wake())
		}
		s.settle(time.Now())
	}
}

func (s *Speaker) emit(e Event) { s.outbox = append(s.outbox, e) }

func (s *Speaker) obey(now time.Time, c Command) {
	switch c := c.(type) {
	case Configure:
		if s.stopping {
			return
		}
		if h := c.Settings.Heartbeat; h > 0 {
			s.pace(h / beatsPerPatience)
		}
		s.track(c)
		s.configure(now, c.Instances)
	case Tracked:
		s.tracks[c.Name] = c
		s.weigh(now, s.instances...)
		s.review(now)
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

// do lets a machine act, and performs what it and its sync group decided.
func (s *Speaker) do(now time.Time, i *instance, act func() []vrrp.Action) {
	for _, a := range i.group.Do(now, i.machine, act) {
		s.perform(now, s.machines[a.Machine], a.Action)
	}
}

// perform carries out what a machine decided; settle does the rest.
func (s *Speaker) perform(now time.Time, i *instance, action vrrp.Action) {
	switch a := action.(type) {
	case vrrp.SendAdvert:
		s.send(now, i, a)
	case vrrp.Transition:
		i.since, i.reason = now, a.Reason.String()
		i.yield(now, a)
		s.dirty = true
		i.rounds.Stop()
		if a.To == vrrp.Master && len(s.present(i)) > 0 {
			i.rounds.Start(now, i.config.Announce) // what is added is announced then
		}
		s.unsettled = s.unsettled || a.To == vrrp.Initialize
		s.emit(Transition{At: now, Instance: i.config.Name, From: a.From, To: a.To, Reason: i.reason, Peer: a.Peer})
	case vrrp.Reannounce:
		s.reannounce(now, i, a.Peer)
	case vrrp.StandbyRefused:
		i.config.Standby = false
		s.emit(StandbyRefused{At: now, Instance: i.config.Name, Reason: i.alone(now, a.Reason)})
	case vrrp.Conflict:
		s.conflict(now, i, conflictKey{a.Reason.String(), a.Peer}, a.Reason.String())
	}
}

// settle makes the machine what the states demand: VIPs, then announcements.
func (s *Speaker) settle(now time.Time) {
	if s.unsettled {
		s.unsettled = false
		s.review(now)
	}
	if s.forget() {
		s.admit(now)
	}
	s.flush(now)
	urgent := s.dirty && !s.keeper.busy
	if urgent {
		s.hold(now)
	}
	for _, i := range s.instances {
		if i.rounds.Due(now) {
			s.sys.Announcer.Announce(s.present(i))
			urgent = true
		}
	}
	if urgent {
		// VIPs and announcements first: what there is to tell the director
		// would make them wait for most of a millisecond.
		runtime.Gosched()
	}
	s.stop(now)
}

// stopPatience is how long a stop waits for the kernel to take VIPs away.
const stopPatience = 3 * time.Second

// stop says that the last instance has left and its VIPs are gone.
func (s *Speaker) stop(now time.Time) {
	if !s.stopping || s.stopped || slices.ContainsFunc(s.instances, (*instance).running) {
		return
	}
	if s.stopBy.IsZero() {
		s.stopBy = now.Add(stopPatience)
	}
	gone := s.holdError == "" && !s.dirty && !s.keeper.busy
	if !gone && now.Before(s.stopBy) {
		return
	}
	s.stopped = true
	reason := s.holdError
	if !gone && reason == "" {
		reason = fmt.Sprintf("the kernel has not answered for %s", stopPatience)
	}
	s.emit(Stopped{Error: reason})
}

// fail reports what the machine refused and sees that it is tried again.
func (s *Speaker) fail(now time.Time, instance string, err error) {
	s.emit(Failed{At: now, Instance: instance, Error: err.Error()})
	s.retryAt = now.Add(retryInterval)
}
