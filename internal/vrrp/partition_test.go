// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// party is a router with an instance on each of some wires, all in one sync
// group.
type party struct {
	name     string
	group    *SyncGroup
	machines []*Machine
	sources  []map[Family]netip.Addr // by wire
	cut      bool

	adverts, announced []int // by wire, since they were last cleared
}

// newParty returns a party whose address on each wire ends in host.
func newParty(name string, p Parameters, hosts ...uint8) *party {
	r := &party{name: name, group: NewSyncGroup(), adverts: make([]int, len(hosts)), announced: make([]int, len(hosts))}
	for wire, host := range hosts {
		p.VRID = uint8(wire + 1)
		m := NewMachine(p)
		sources := map[Family]netip.Addr{
			IPv4: netip.AddrFrom4([4]byte{192, 0, 2, host}),
			IPv6: netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 15: host}),
		}
		for f, a := range sources {
			m.SetLocal(f, a)
		}
		r.group.Join(m)
		r.machines, r.sources = append(r.machines, m), append(r.sources, sources)
	}
	return r
}

// network carries advertisements between parties at once, other than to and
// from those that are cut off.
type network struct {
	now     time.Time
	parties []*party
}

// onWire is an advertisement on its way.
type onWire struct {
	from *party
	wire int
	SendAdvert
}

// do lets a machine act, then all that hear what is sent because of it.
func (n *network) do(r *party, m *Machine, act func() []Action) {
	queue := n.perform(r, m, act)
	for len(queue) > 0 {
		sent := queue[0]
		queue = queue[1:]
		for _, to := range n.parties {
			if to == sent.from || to.cut || sent.from.cut {
				continue
			}
			m := to.machines[sent.wire]
			for _, f := range []Family{IPv4, IPv6} {
				if !sent.from.machines[sent.wire].own.Families.Has(f) {
					continue
				}
				a := Advertisement{Priority: sent.Priority, MaxAdvertInterval: sent.Interval}
				source := sent.from.sources[sent.wire][f]
				queue = append(queue, n.perform(to, m, func() []Action { return m.Receive(n.now, f, a, source) })...)
			}
		}
	}
}

func (n *network) perform(r *party, m *Machine, act func() []Action) []onWire {
	var sent []onWire
	for _, a := range r.group.Do(n.now, m, act) {
		for wire, of := range r.machines {
			if of != a.Machine {
				continue
			}
			switch a := a.Action.(type) {
			case SendAdvert:
				r.adverts[wire]++
				sent = append(sent, onWire{r, wire, a})
			case Reannounce:
				r.announced[wire]++
			}
		}
	}
	return sent
}

// start starts a party.
func (n *network) start(r *party) {
	n.parties = append(n.parties, r)
	for _, m := range r.machines {
		n.do(r, m, func() []Action { return m.Startup(n.now) })
	}
}

// run lets the time go on by d.
func (n *network) run(d time.Duration) {
	end := n.now.Add(d)
	for {
		at, party, machine := end, (*party)(nil), (*Machine)(nil)
		for _, r := range n.parties {
			for _, m := range r.machines {
				if next, ok := m.Next(); ok && next.Before(at) {
					at, party, machine = next, r, m
				}
			}
		}
		if n.now = later(n.now, at); party == nil {
			return
		}
		n.do(party, machine, func() []Action { return machine.Expire(n.now) })
	}
}

// observers are two backups of a pair of masters: one of a priority between
// theirs, that preempts when it has heard the lower for a moment, and one that
// follows both.
func observers(p Parameters, best uint8, wires int) []*party {
	waiting, following := p, p
	waiting.Priority, waiting.PreemptDelay = p.Priority+(best-p.Priority)/2, time.Millisecond
	following.Preempt = false
	return []*party{
		newParty("backup that waits to preempt", waiting, []uint8{4, 4}[:wires]...),
		newParty("backup that follows", following, []uint8{5, 5}[:wires]...),
	}
}

func wantParty(t *testing.T, r *party, state State, announced bool) {
	t.Helper()
	for wire, m := range r.machines {
		if m.State() != state {
			t.Errorf("%s, wire %d: %v, want %v", r.name, wire, m.State(), state)
		}
		if got := r.announced[wire] > 0; got != announced {
			t.Errorf("%s, wire %d: announced %d times after the partition healed, want any: %v", r.name, wire, r.announced[wire], announced)
		}
	}
}

// partition is two masters that could not hear each other, and then do.
type partition struct {
	name          string
	edit          func(*Parameters) // of all
	winner        func(*Parameters)
	hosts, losers []uint8       // addresses of the winner, of the loser
	outOfStep     time.Duration // of the second wire of the loser
}

// heal lets the adverts of the loser come phase after the winner's, and joins
// the two before the next advert of either.
func (c partition) heal(t *testing.T, phase time.Duration, loserFirst bool) {
	p := ownParameters
	p.Families = Families{IPv4: true}
	c.edit(&p)
	best := p
	c.winner(&best)
	winner, loser := newParty("winner", best, c.hosts...), newParty("loser", p, c.losers...)
	n := &network{now: start}
	loser.cut = true
	n.start(winner)
	n.start(loser)
	n.run(10 * time.Second)
	wantParty(t, winner, Master, false)
	wantParty(t, loser, Master, false)
	var backups []*party
	if p.Priority != PriorityOwner { // nobody is between two owners
		backups = observers(p, best.Priority, len(c.hosts))
	}
	for _, r := range backups {
		n.start(r)
	}
	for wire, m := range loser.machines {
		m.timer = winner.machines[0].timer.Add(phase + time.Duration(wire)*c.outOfStep)
	}
	n.run(20 * time.Second)
	n.run(winner.machines[0].timer.Sub(n.now) + 1) // the loser speaks next
	if loserFirst {
		n.run(phase)
	}

	loser.cut = false
	healed := n.now
	clear(loser.adverts)
	n.run(20 * time.Second)
	wantParty(t, winner, Master, true)
	wantParty(t, loser, Backup, false)
	for wire, m := range winner.machines {
		if m.Since().After(healed) {
			t.Errorf("the winner was not master all the time on wire %d", wire)
		}
	}
	for wire, sent := range loser.adverts {
		if sent > 2 {
			t.Errorf("the loser sent %d adverts on wire %d, want one and its last", sent, wire)
		}
	}
	for _, b := range backups {
		wantParty(t, b, Backup, false)
	}
}

// TestPartitionHeals: whichever of two masters hears the other one first, the
// better one stays and announces again, on all wires. Backups that hear both
// stay what they are.
func TestPartitionHeals(t *testing.T) {
	as := func(*Parameters) {}
	better := func(p *Parameters) { p.Priority = 150 }
	cases := []partition{
		{"priority", as, better, []uint8{1}, []uint8{9}, 0},
		{"address", as, as, []uint8{9}, []uint8{1}, 0},
		{"version 2", func(p *Parameters) { p.Version = Version2 }, better, []uint8{1}, []uint8{9}, 0},
		{"ipv6", func(p *Parameters) { p.Families = Families{IPv6: true} }, as, []uint8{9}, []uint8{1}, 0},
		{"both families", func(p *Parameters) { p.Families.IPv6 = true }, better, []uint8{1}, []uint8{9}, 0},
		{"owners", func(p *Parameters) { p.Priority = PriorityOwner }, as, []uint8{9}, []uint8{1}, 0},
		{"sync group", as, better, []uint8{1, 1}, []uint8{9, 9}, 0},
		{"sync group that would lose on its other wire", as, as, []uint8{9, 1}, []uint8{1, 9}, 0},
		{"the same, wires out of step", as, as, []uint8{9, 1}, []uint8{1, 9}, 100 * time.Millisecond},
	}
	for _, c := range cases {
		for phase := 100 * time.Millisecond; phase < time.Second; phase += 200 * time.Millisecond {
			for first, loserFirst := range map[string]bool{"winner": false, "loser": true} {
				t.Run(fmt.Sprintf("%s/%v/%s hears first", c.name, phase, first), func(t *testing.T) {
					c.heal(t, phase, loserFirst)
				})
			}
		}
	}
}
