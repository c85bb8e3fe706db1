// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// groupRig drives a sync group of rigs at one time.
type groupRig struct {
	*testing.T
	*SyncGroup
	rigs []*rig
	now  time.Time
}

// moved is one action of a member, by its number.
type moved struct {
	Member int
	Action Action
}

// newGroupRig returns a group of members of priority 100 in Initialize.
func newGroupRig(t *testing.T, members int) *groupRig {
	g := &groupRig{T: t, SyncGroup: NewSyncGroup(), now: start}
	for n := range members {
		r := newRig(t, 100, func(p *Parameters) { p.VRID = uint8(n + 1) })
		g.rigs = append(g.rigs, r)
		g.Join(r.Machine)
	}
	return g
}

// newGroup returns a group whose members were started.
func newGroup(t *testing.T, members int) *groupRig {
	g := newGroupRig(t, members)
	for n := range g.rigs {
		g.do(n, func(m *Machine) []Action { return m.Startup(g.now) })
	}
	return g
}

// newLeaders returns a group that became master now.
func newLeaders(t *testing.T, members int) *groupRig {
	t.Helper()
	g := newGroup(t, members)
	g.now = g.now.Add(down100)
	g.expire(0)
	g.wantStates(Master, Master)
	return g
}

func (g *groupRig) do(member int, act func(*Machine) []Action) []moved {
	m := g.rigs[member].Machine
	var steps []moved
	for _, a := range g.Do(g.now, m, func() []Action { return act(m) }) {
		for n, r := range g.rigs {
			if r.Machine == a.Machine {
				steps = append(steps, moved{n, a.Action})
			}
		}
	}
	return steps
}

func (g *groupRig) expire(member int) []moved {
	return g.do(member, func(m *Machine) []Action { return m.Expire(g.now) })
}

func (g *groupRig) hear(member int, priority uint8, source netip.Addr) []moved {
	a := Advertisement{Version: Version3, VRID: 51, Priority: priority, MaxAdvertInterval: time.Second, Addresses: vips4}
	return g.do(member, func(m *Machine) []Action { return m.Receive(g.now, FamilyOf(source), a, source) })
}

func (g *groupRig) after(d time.Duration) { g.now = g.now.Add(d) }

// resign sends the resignations of all members that are not sent yet.
func (g *groupRig) resign() {
	for range resignations - 1 {
		g.after(resignSpacing)
		for n := range g.rigs {
			g.expire(n)
		}
	}
}

func (g *groupRig) want(got []moved, want ...moved) {
	g.Helper()
	if diff := cmp.Diff(want, got, compareAddr, cmpopts.EquateEmpty()); diff != "" {
		g.Errorf("actions (-want +got):\n%s", diff)
	}
}

func (g *groupRig) wantStates(want ...State) {
	g.Helper()
	for n, state := range want {
		if got := g.rigs[n].State(); got != state {
			g.Errorf("member %d: got %v, want %v", n, got, state)
		}
	}
}

// wantNext checks when a member may act; negative: never.
func (g *groupRig) wantNext(member int, want time.Duration) {
	g.Helper()
	next, ok := g.rigs[member].Next()
	switch {
	case want < 0 && ok:
		g.Errorf("member %d: next in %v, want never", member, next.Sub(g.now))
	case want >= 0 && (!ok || !next.Equal(g.now.Add(want))):
		g.Errorf("member %d: next in %v (%v), want %v", member, next.Sub(g.now), ok, want)
	}
}

func TestGroupTakesOverTogether(t *testing.T) {
	g := newGroup(t, 2)
	g.after(down100)
	g.want(g.expire(1),
		moved{1, advert100}, moved{1, Transition{From: Backup, To: Master, Reason: ReasonMasterDown}},
		moved{0, advert100}, moved{0, Transition{From: Backup, To: Master, Reason: ReasonSyncGroup}})
	g.want(g.expire(0))
}

func TestGroupStepsDownTogether(t *testing.T) {
	g := newLeaders(t, 2)
	g.want(g.hear(0, 200, high4),
		moved{0, advert100},
		moved{0, Transition{Master, Backup, ReasonHigherPriority, high4}},
		moved{1, Transition{Master, Backup, ReasonSyncGroup, high4}})
	g.wantNext(1, down100)
}

// TestGroupOnVirtualMAC: a last advertisement is sent for the sake of any member
// whose hosts know it by its own MAC address.
func TestGroupOnVirtualMAC(t *testing.T) {
	for virtual, want := range []int{1, 1, 0} {
		g := newLeaders(t, 2)
		for _, r := range g.rigs[:virtual] {
			p := r.own
			p.VirtualMAC = true
			r.Update(g.now, p)
		}
		adverts := 0
		for _, a := range g.hear(0, 200, high4) {
			if _, ok := a.Action.(SendAdvert); ok {
				adverts++
			}
		}
		if adverts != want {
			t.Errorf("%d of 2 members on virtual MAC addresses: %d last advertisements, want %d", virtual, adverts, want)
		}
		g.wantStates(Backup, Backup)
	}
}

func TestGroupVeto(t *testing.T) {
	t.Run("another member hears the master", func(t *testing.T) {
		g := newGroup(t, 2)
		for range 5 {
			g.after(time.Second)
			g.hear(1, 200, high4)
			g.want(g.expire(0))
		}
		g.wantNext(0, down100)
		if g.rigs[0].Paused(g.now) {
			t.Error("a member that is held back is no paused one")
		}
		g.after(down100)
		g.expire(0)
		g.wantStates(Master, Master)
	})
	t.Run("a lower master does not hold back", func(t *testing.T) {
		g := newGroup(t, 2)
		g.after(down100)
		g.hear(1, 50, low4)
		g.wantNext(0, 0)
	})
	t.Run("a resignation on one wire is enough", func(t *testing.T) {
		g := newGroup(t, 2)
		g.hear(0, 200, high4)
		g.hear(1, 200, high4)
		g.after(time.Second)
		g.hear(0, PriorityResign, high4)
		g.wantNext(0, skew100)
		g.after(skew100)
		g.want(g.expire(0),
			moved{0, advert100}, moved{0, Transition{Backup, Master, ReasonPeerResigned, high4}},
			moved{1, advert100}, moved{1, Transition{Backup, Master, ReasonSyncGroup, high4}})
	})
	t.Run("but not against what is heard later", func(t *testing.T) {
		g := newGroup(t, 2)
		g.hear(0, PriorityResign, high4)
		g.after(time.Millisecond)
		g.hear(1, 200, high4)
		g.wantNext(0, down100)
	})
	t.Run("startup delay", func(t *testing.T) {
		g := newGroupRig(t, 2)
		p := g.rigs[1].own
		p.StartupDelay = time.Minute
		g.rigs[1].Update(g.now, p)
		for n := range g.rigs {
			g.do(n, func(m *Machine) []Action { return m.Startup(g.now) })
		}
		g.hear(0, PriorityResign, high4)
		g.wantNext(0, time.Minute)
	})
}

func TestGroupMemberOut(t *testing.T) {
	t.Run("masters hand over, then wait", func(t *testing.T) {
		g := newLeaders(t, 2)
		g.want(g.do(0, func(m *Machine) []Action { return m.Halt(g.now, ReasonInterfaceDown) }),
			moved{0, Transition{From: Master, To: Initialize, Reason: ReasonInterfaceDown}}, moved{1, resignation})
		g.resign()
		g.hear(1, 50, low4)
		g.after(Linger)
		g.want(g.expire(1), moved{1, Transition{Master, Backup, ReasonSyncGroup, low4}})
		g.wantNext(1, -1)

		g.after(time.Hour)
		g.do(0, func(m *Machine) []Action { return m.Startup(g.now) })
		g.wantNext(1, down100)
		if g.rigs[1].Paused(g.now) {
			t.Error("a member that was held back is no paused one")
		}
	})
	t.Run("also where nobody takes over", func(t *testing.T) {
		g := newLeaders(t, 2)
		g.do(0, func(m *Machine) []Action { return m.Halt(g.now, ReasonInterfaceDown) })
		g.resign()
		g.after(time.Minute)
		g.want(g.expire(1), moved{1, Transition{From: Master, To: Backup, Reason: ReasonSyncGroup}})
	})
	t.Run("yield of one, then of the others", func(t *testing.T) {
		g := newLeaders(t, 2)
		yield := func(m *Machine) []Action { return m.Yield(g.now, ReasonFault) }
		g.want(g.do(0, yield), moved{0, resignation}, moved{1, resignation})
		g.want(g.do(1, yield))
		g.resign()
		g.after(time.Minute)
		g.want(g.expire(1), moved{1, Transition{From: Master, To: Initialize, Reason: ReasonFault}})
		g.want(g.expire(0), moved{0, Transition{From: Master, To: Initialize, Reason: ReasonFault}})
	})
	t.Run("each waits for its own successor", func(t *testing.T) {
		g := newLeaders(t, 2)
		g.do(0, func(m *Machine) []Action { return m.Shutdown(g.now) })
		g.resign()
		g.hear(0, 50, low4)
		g.after(Linger)
		g.want(g.expire(0), moved{0, Transition{Master, Initialize, ReasonHandedOver, low4}})
		g.want(g.expire(1))
		g.wantStates(Initialize, Master)
	})
	t.Run("as long as the most patient", func(t *testing.T) {
		g := newLeaders(t, 2)
		p := g.rigs[1].own
		p.AdvertInterval = 5 * time.Second
		g.do(1, func(m *Machine) []Action { return m.Update(g.now, p) })
		g.do(0, func(m *Machine) []Action { return m.Shutdown(g.now) })
		g.resign()
		g.wantNext(0, 5*255*time.Second/256+HandOverMargin-2*resignSpacing)
	})
	t.Run("an owner listens until all run", func(t *testing.T) {
		g := newGroupRig(t, 2)
		for n, r := range g.rigs {
			p := r.own
			p.Priority = PriorityOwner
			r.Update(g.now, p)
			g.do(n, func(m *Machine) []Action { return m.Startup(g.now) })
			g.wantStates([]State{Backup, Master}[n])
		}
		g.wantStates(Master, Master)
	})
}

// TestGroupRivals: on the wires of two groups the better one is not the same.
func TestGroupRivals(t *testing.T) {
	t.Run("the lowest VRID decides", func(t *testing.T) {
		g := newLeaders(t, 2)
		g.want(g.hear(1, 200, high4))
		g.want(g.hear(0, 50, low4), moved{0, advert100}, moved{0, Reannounce{low4}}, moved{1, Reannounce{low4}})
		g.after(300 * time.Millisecond)
		g.want(g.hear(1, 200, high4))
		g.wantStates(Master, Master)
	})
	t.Run("another wire when the rival goes on there", func(t *testing.T) {
		g := newLeaders(t, 2)
		g.hear(1, 200, high4)
		g.after(time.Second)
		g.want(g.hear(1, 200, high4),
			moved{1, advert100},
			moved{1, Transition{Master, Backup, ReasonHigherPriority, high4}},
			moved{0, Transition{Master, Backup, ReasonSyncGroup, high4}})
	})
	t.Run("two visits are not one stay", func(t *testing.T) {
		g := newLeaders(t, 2)
		g.hear(1, 200, high4)
		g.after(2 * time.Second)
		g.want(g.hear(1, 200, high4))
		g.wantStates(Master, Master)
	})
}

func TestGroupJoinAndLeave(t *testing.T) {
	g := newLeaders(t, 2)
	late := newRig(t, 100, func(p *Parameters) { p.VRID = 9 })
	g.rigs = append(g.rigs, late)
	g.Join(late.Machine)
	g.want(g.do(0, func(m *Machine) []Action { return m.Update(g.now, m.own) }))
	g.want(g.do(2, func(m *Machine) []Action { return m.Startup(g.now) }),
		moved{2, Transition{From: Initialize, To: Backup, Reason: ReasonStartup}},
		moved{2, advert100}, moved{2, Transition{From: Backup, To: Master, Reason: ReasonSyncGroup}})

	g.Leave(late.Machine)
	NewSyncGroup(late.Machine).Do(g.now, late.Machine, func() []Action { return late.Shutdown(g.now) })
	g.want(g.do(0, func(m *Machine) []Action { return m.Update(g.now, m.own) }))
	g.wantStates(Master, Master)
}

func TestGroupOfOne(t *testing.T) {
	r := newMaster(t, 100, nil)
	g := NewSyncGroup(r.Machine)
	got := g.Do(r.now, r.Machine, func() []Action { return r.hear(200, high4) })
	want := []MemberAction{{r.Machine, advert100}, {r.Machine, Transition{Master, Backup, ReasonHigherPriority, high4}}}
	if diff := cmp.Diff(want, got, compareAddr, cmp.Comparer(func(a, b *Machine) bool { return a == b })); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}
