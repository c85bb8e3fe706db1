// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// start is when the tests' machines are started.
var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// The master-down interval and skew of priority 100 at an interval of 1 s.
const (
	skew100 = 156 * time.Second / 256
	down100 = 3*time.Second + skew100
)

// rig drives one machine with both families and checks what it does.
type rig struct {
	*testing.T
	*Machine
	now time.Time
}

// newRig returns a machine of the given priority in Initialize.
func newRig(t *testing.T, priority uint8, edit func(*Parameters)) *rig {
	p := ownParameters
	p.Priority = priority
	if edit != nil {
		edit(&p)
	}
	r := &rig{T: t, Machine: NewMachine(p), now: start}
	r.SetLocal(IPv4, own4)
	r.SetLocal(IPv6, own6)
	return r
}

// newBackup returns a rig that was started.
func newBackup(t *testing.T, priority uint8, edit func(*Parameters)) *rig {
	t.Helper()
	r := newRig(t, priority, edit)
	r.want(r.Startup(r.now), Transition{From: Initialize, To: Backup, Reason: ReasonStartup})
	return r
}

// newMaster returns a rig whose machine heard nobody and became master now.
func newMaster(t *testing.T, priority uint8, edit func(*Parameters)) *rig {
	t.Helper()
	r := newBackup(t, priority, edit)
	r.expire()
	r.wantState(Master)
	return r
}

// after moves the time on.
func (r *rig) after(d time.Duration) { r.now = r.now.Add(d) }

// expire moves the time on to the machine's timer and lets it fire.
func (r *rig) expire() []Action {
	r.Helper()
	next, ok := r.Next()
	if !ok {
		r.Fatal("no timer runs")
	}
	r.now = next
	return r.Expire(r.now)
}

// hear delivers an advertisement of the given priority from source.
func (r *rig) hear(priority uint8, source netip.Addr) []Action {
	return r.hearInterval(priority, source, time.Second)
}

func (r *rig) hearInterval(priority uint8, source netip.Addr, interval time.Duration) []Action {
	a := Advertisement{VRID: 51, Priority: priority, MaxAdvertInterval: interval, Addresses: vips4}
	return r.Receive(r.now, FamilyOf(source), a, source)
}

func (r *rig) want(got []Action, want ...Action) {
	r.Helper()
	if diff := cmp.Diff(want, got, compareAddr); diff != "" {
		r.Errorf("actions (-want +got):\n%s", diff)
	}
}

func (r *rig) wantState(want State) {
	r.Helper()
	if r.State() != want {
		r.Errorf("state: got %v, want %v", r.State(), want)
	}
}

// wantTimer checks that the timer fires d from now.
func (r *rig) wantTimer(d time.Duration) {
	r.Helper()
	next, ok := r.Next()
	if !ok || !next.Equal(r.now.Add(d)) {
		r.Errorf("timer: got %v from now (running: %v), want %v", next.Sub(r.now), ok, d)
	}
}

func (r *rig) wantNoTimer() {
	r.Helper()
	if next, ok := r.Next(); ok {
		r.Errorf("timer: fires %v from now, want none", next.Sub(r.now))
	}
}

// advert100 is what a machine of priority 100 sends.
var advert100 = SendAdvert{Priority: 100, Interval: time.Second}

// advert255 is what an owner sends.
var advert255 = SendAdvert{Priority: PriorityOwner, Interval: time.Second}

func TestSkewTime(t *testing.T) {
	cases := []struct {
		version        Version
		priority       uint8
		interval, want time.Duration
	}{
		{Version3, 1, time.Second, 996093750 * time.Nanosecond},
		{Version3, 100, time.Second, 609375 * time.Microsecond},
		{Version3, 254, time.Second, 7812500 * time.Nanosecond},
		{Version3, 254, 10 * time.Millisecond, 78125 * time.Nanosecond},
		{Version3, 255, 10 * time.Millisecond, 39062 * time.Nanosecond},
		{Version3, 1, MaxInterval, 40790039062 * time.Nanosecond},
		{Version2, 100, time.Second, 609375 * time.Microsecond},
		{Version2, 100, 255 * time.Second, 609375 * time.Microsecond},
	}
	for _, c := range cases {
		if got := c.version.skewTime(c.priority, c.interval); got != c.want {
			t.Errorf("version %d, priority %d, interval %v: skew %v, want %v", c.version, c.priority, c.interval, got, c.want)
		}
	}
}

func TestEffectivePriority(t *testing.T) {
	cases := []struct {
		base          uint8
		contributions []int
		want          uint8
	}{
		{100, nil, 100},
		{100, []int{-30, 10}, 80},
		{100, []int{-253}, 1},
		{100, []int{200, -100}, 200},
		{254, []int{1}, 254},
		{PriorityOwner, []int{-100}, PriorityOwner},
	}
	for _, c := range cases {
		if got := EffectivePriority(c.base, c.contributions); got != c.want {
			t.Errorf("%d with %v: got %d, want %d", c.base, c.contributions, got, c.want)
		}
	}
}

func TestRule29_StartupOwner(t *testing.T) {
	t.Run("positive master at once", func(t *testing.T) {
		r := newRig(t, PriorityOwner, nil)
		r.want(r.Startup(r.now), advert255, Transition{From: Initialize, To: Master, Reason: ReasonOwner})
		r.wantTimer(time.Second)
	})
	listens := map[string]func(*Parameters){
		"negative InitialBackup": func(p *Parameters) { p.InitialBackup = true },
		"negative StartupDelay":  func(p *Parameters) { p.StartupDelay = time.Millisecond },
	}
	for name, edit := range listens {
		t.Run(name, func(t *testing.T) {
			r := newBackup(t, PriorityOwner, edit)
			r.wantTimer(3*time.Second + time.Second/256)
			r.after(time.Second)
			r.hear(254, high4) // an owner preempts
			r.wantTimer(2*time.Second + time.Second/256)
			r.want(r.expire(), advert255, Transition{Backup, Master, ReasonPreempts, high4})
		})
	}
	t.Run("negative not started twice", func(t *testing.T) {
		r := newRig(t, PriorityOwner, nil)
		r.Startup(r.now)
		r.want(r.Startup(r.now))
	})
}

func TestRule30_Startup(t *testing.T) {
	t.Run("positive backup by its own interval", func(t *testing.T) {
		r := newBackup(t, 100, nil)
		r.wantTimer(down100)
		if !r.Since().Equal(start) {
			t.Errorf("Since: got %v, want %v", r.Since(), start)
		}
	})
	t.Run("negative what was learned before is forgotten", func(t *testing.T) {
		r := newBackup(t, 100, nil)
		r.want(r.Startup(r.now))
		r.hearInterval(200, high4, 10*time.Second)
		r.Shutdown(r.now)
		r.Startup(r.now)
		r.wantTimer(down100)
	})
	delayed := func(p *Parameters) { p.StartupDelay = 10 * time.Second }
	t.Run("positive StartupDelay on a dead segment", func(t *testing.T) {
		r := newBackup(t, 100, delayed)
		r.wantTimer(10 * time.Second)
		r.Update(r.now, ownParameters)
		r.wantTimer(10 * time.Second)
		r.want(r.expire(), advert100, Transition{From: Backup, To: Master, Reason: ReasonMasterDown})
	})
	t.Run("negative StartupDelay does not preempt nor succeed", func(t *testing.T) {
		r := newBackup(t, 100, delayed)
		r.after(time.Second)
		r.hear(PriorityResign, low4)
		r.wantTimer(9 * time.Second)
		r.after(8 * time.Second)
		r.hear(50, low4)
		r.wantTimer(down100)
		r.after(2 * time.Second)
		r.hear(50, low4)
		r.wantTimer(down100 - 2*time.Second)
	})
	t.Run("negative InitialBackup is nothing to a backup", func(t *testing.T) {
		newBackup(t, 100, func(p *Parameters) { p.InitialBackup = true }).wantTimer(down100)
	})
}

func TestHalt(t *testing.T) {
	for _, r := range []*rig{newBackup(t, 100, nil), newMaster(t, 100, nil)} {
		from := r.State()
		r.want(r.Halt(r.now, ReasonInterfaceDown), Transition{From: from, To: Initialize, Reason: ReasonInterfaceDown})
		r.wantNoTimer()
		r.want(r.Startup(r.now), Transition{From: Initialize, To: Backup, Reason: ReasonRecovered})
		r.wantTimer(down100)
	}
	owner := newRig(t, PriorityOwner, nil)
	owner.Startup(owner.now)
	owner.Halt(owner.now, ReasonInterfaceDown)
	owner.want(owner.Startup(owner.now), advert255, Transition{From: Initialize, To: Master, Reason: ReasonRecovered})
}

func TestFamilyNotConfigured(t *testing.T) {
	r := newMaster(t, 100, func(p *Parameters) { p.Families = Families{IPv4: true} })
	r.want(r.hear(200, high6))
	r.wantState(Master)
	r.want(r.hear(200, high4), advert100, Transition{Master, Backup, ReasonHigherPriority, high4})
}

func TestParametersOutOfRange(t *testing.T) {
	cases := []struct {
		give, want Parameters
	}{
		{Parameters{}, Parameters{Version: Version3, Priority: 1, AdvertInterval: MinInterval}},
		{Parameters{Version: 7, PreemptDelay: -1, StartupDelay: -1}, Parameters{Version: Version3, Priority: 1, AdvertInterval: MinInterval}},
		{Parameters{Version: Version2, Priority: 9, AdvertInterval: time.Millisecond},
			Parameters{Version: Version2, Priority: 9, AdvertInterval: time.Second}},
		{Parameters{Version: Version2, Priority: 9, AdvertInterval: time.Hour},
			Parameters{Version: Version2, Priority: 9, AdvertInterval: 255 * time.Second}},
	}
	for _, c := range cases {
		if diff := cmp.Diff(c.want, c.give.legal()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.give, diff)
		}
	}
}
