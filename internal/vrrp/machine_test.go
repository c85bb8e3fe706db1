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

func TestChecklist05Skew(t *testing.T) {
	cases := []struct {
		priority       uint8
		interval, want time.Duration
	}{
		{1, time.Second, 996093750 * time.Nanosecond},
		{100, time.Second, 609375 * time.Microsecond},
		{254, time.Second, 7812500 * time.Nanosecond},
		{254, 10 * time.Millisecond, 78125 * time.Nanosecond},
		{255, 10 * time.Millisecond, 39062 * time.Nanosecond},
		{1, MaxInterval, 40790039062 * time.Nanosecond},
	}
	for _, c := range cases {
		if got := skewTime(c.priority, c.interval); got != c.want {
			t.Errorf("priority %d, interval %v: skew %v, want %v", c.priority, c.interval, got, c.want)
		}
	}
}

func TestChecklist06DownInterval(t *testing.T) {
	r := newBackup(t, 100, nil)
	r.wantTimer(down100)
	r.hearInterval(200, high4, 200*time.Millisecond)
	r.wantTimer(down100 / 5)
}

func TestChecklist07OwnerPreemptsAlways(t *testing.T) {
	r := newBackup(t, 100, func(p *Parameters) { p.Preempt = false })
	p := ownParameters
	p.Priority, p.Preempt = PriorityOwner, false
	r.Update(r.now, p)
	r.after(time.Second)
	before, _ := r.Next()
	r.want(r.hear(200, high4))
	if after, _ := r.Next(); !after.Equal(before) {
		t.Errorf("an owner without preempt waits for priority 200: timer moved by %v", after.Sub(before))
	}
}

func TestChecklist22NotRunning(t *testing.T) {
	r := newRig(t, 100, nil)
	for _, priority := range []uint8{PriorityResign, 50, 100, PriorityOwner} {
		r.want(r.hear(priority, high4))
	}
	r.want(r.Expire(r.now))
	r.want(r.Shutdown(r.now))
	r.want(r.Halt(r.now, ReasonInterfaceDown))
	r.wantState(Initialize)
	r.wantNoTimer()
	if !r.Since().IsZero() {
		t.Errorf("Since: got %v before the first transition, want zero", r.Since())
	}
}

func TestChecklist22FamilyNotConfigured(t *testing.T) {
	r := newMaster(t, 100, func(p *Parameters) { p.Families = Families{IPv4: true} })
	r.want(r.hear(200, high6))
	r.wantState(Master)
	r.want(r.hear(200, high4), Transition{Master, Backup, ReasonHigherPriority, high4})
}

func TestChecklist29StartupOwner(t *testing.T) {
	r := newRig(t, PriorityOwner, nil)
	r.want(r.Startup(r.now),
		SendAdvert{Priority: PriorityOwner, Interval: time.Second},
		Transition{From: Initialize, To: Master, Reason: ReasonOwner})
	r.wantState(Master)
	r.wantTimer(time.Second)
}

func TestChecklist30Startup(t *testing.T) {
	r := newBackup(t, 100, nil)
	r.wantState(Backup)
	r.wantTimer(down100)
	if !r.Since().Equal(start) {
		t.Errorf("Since: got %v, want %v", r.Since(), start)
	}
	r.want(r.Startup(r.now))

	r.hearInterval(200, high4, 10*time.Second)
	r.Shutdown(r.now)
	r.Startup(r.now)
	r.wantTimer(down100) // what was learned before is forgotten
}

func TestHalt(t *testing.T) {
	for _, r := range []*rig{newBackup(t, 100, nil), newMaster(t, 100, nil)} {
		from := r.State()
		r.want(r.Halt(r.now, ReasonInterfaceDown), Transition{From: from, To: Initialize, Reason: ReasonInterfaceDown})
		r.wantNoTimer()
		r.want(r.Startup(r.now), Transition{From: Initialize, To: Backup, Reason: ReasonStartup})
		r.wantTimer(down100)
	}
}

func TestParametersOutOfRange(t *testing.T) {
	m := NewMachine(Parameters{Families: Families{IPv4: true}})
	m.Startup(start)
	next, _ := m.Next()
	if down := next.Sub(start); down < 3*MinInterval {
		t.Errorf("zero parameters: master-down interval %v, want at least %v", down, 3*MinInterval)
	}
	for _, action := range m.Expire(next) {
		if advert, ok := action.(SendAdvert); ok && (advert != SendAdvert{Priority: 1, Interval: MinInterval}) {
			t.Errorf("zero parameters: sent %+v", advert)
		}
	}
}
