// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"time"
)

// SyncGroup is a set of machines on different wires that move together. Its
// peers are groups too: one that leads on one wire leads on all. An instance
// that moves alone is a group of one, in which everything is as without.
//
//   - One that becomes master makes the others master; one that steps down for
//     a better master, or was stalled, takes the others along.
//   - When one hears a master that loses, all announce again: the loser's group
//     led on all wires. Only the member that stepped down sent a last
//     advertisement. Those that it took along may be the better ones on their
//     wires, where the winner might take one more advertisement for a rival
//     that insists, and step down too.
//   - While a member is in Initialize or hands over, none leads: masters hand
//     over and end in Backup, and nobody takes over.
//   - The group takes over when the last of its members would, so that a wire
//     that loses the master's advertisements does not make a rival of a group
//     that hears the same master on another wire. After a resignation was heard
//     on any wire only what is heard later holds the group back, and the first
//     member whose timer ends takes all along.
//   - When two groups lead, the member of the lowest VRID decides at once. Were
//     all equal in this, each of two groups could lose on one wire, and both
//     step down, again and again. On another wire a better master has to be
//     heard for half of its interval, in case the deciding wire is cut.
//   - Standby is refused for all or for none: as soon as one member was taken
//     over all go, since the peer has the whole group then. To take the rest
//     back would contest what the peer has. Members wait for their successors
//     up to the longest of their bounds.
//
// SyncGroup is pure and not safe for concurrent use.
type SyncGroup struct {
	members []*Machine // by VRID, then as they joined
}

// MemberAction is what a member of a [SyncGroup] wants done.
type MemberAction struct {
	Machine *Machine
	Action  Action
}

// NewSyncGroup returns a group of the given members, which may be none.
func NewSyncGroup(members ...*Machine) *SyncGroup {
	g := &SyncGroup{}
	for _, m := range members {
		g.Join(m)
	}
	return g
}

// Join adds a machine, which is in no group. It changes no state: the next Do
// brings the machine to the state of the others. One that was never started
// keeps the others from nothing they have.
func (g *SyncGroup) Join(m *Machine) {
	m.group = g
	g.members = append(g.members, m)
	slices.SortStableFunc(g.members, func(a, b *Machine) int { return cmp.Compare(a.own.VRID, b.own.VRID) })
}

// Leave removes a machine, which keeps its state and is alone then.
func (g *SyncGroup) Leave(m *Machine) {
	m.group = nil
	g.members = slices.DeleteFunc(g.members, func(o *Machine) bool { return o == m })
}

// Do lets act call a method of member m, and returns what is to be done for m
// and, as a consequence, for the others, in this order.
func (g *SyncGroup) Do(now time.Time, m *Machine, act func() []Action) []MemberAction {
	wanted := m.wantsStandby()
	actions := act()
	todo := memberActions(wrap(m, actions))
	if len(g.members) == 1 {
		return todo
	}
	refused := false
	for _, a := range actions {
		switch a := a.(type) {
		case StandbyRefused:
			refused = true
		case Reannounce:
			todo.add(g.reannounce(m, a))
		case Transition:
			todo.add(g.followDown(now, m, a))
		}
	}
	if wants := m.wantsStandby(); wants != wanted {
		todo.add(g.followStandby(now, m, wants, refused))
	}
	todo.add(g.agree(now))
	return todo
}

// memberActions collects the actions of members.
type memberActions []MemberAction

func (l *memberActions) add(more []MemberAction) { *l = append(*l, more...) }

func wrap(m *Machine, actions []Action) []MemberAction {
	if len(actions) == 0 {
		return nil
	}
	todo := make([]MemberAction, len(actions))
	for i, a := range actions {
		todo[i] = MemberAction{m, a}
	}
	return todo
}

// followDown takes the others along when m has left the role to a better
// master, or was stalled.
func (g *SyncGroup) followDown(now time.Time, m *Machine, t Transition) []MemberAction {
	var todo memberActions
	for o := range g.others(m) {
		switch {
		case t.Reason == ReasonStalled:
			todo.add(wrap(o, o.Stalled(now)))
		case t.Reason != ReasonHigherPriority && t.Reason != ReasonHigherAddress:
		case o.leads():
			todo.add(wrap(o, o.retreat(now, ReasonSyncGroup, t.Peer)))
		}
	}
	return todo
}

// reannounce lets the other masters announce what m does.
func (g *SyncGroup) reannounce(m *Machine, a Reannounce) []MemberAction {
	var todo memberActions
	for o := range g.others(m) {
		if o.leads() {
			todo.add(wrap(o, []Action{a}))
		}
	}
	return todo
}

// followStandby takes the others along to standby or out of it.
func (g *SyncGroup) followStandby(now time.Time, m *Machine, wants, refused bool) []MemberAction {
	var todo memberActions
	for o := range g.others(m) {
		switch {
		case wants:
			todo.add(wrap(o, o.Standby(now)))
		case refused && o.handOver.purpose == handOverToStandby:
			todo.add(wrap(o, o.refuseStandby(now)))
		default:
			todo.add(wrap(o, o.Resume(now)))
		}
	}
	return todo
}

// agree makes all members masters, or none.
func (g *SyncGroup) agree(now time.Time) []MemberAction {
	var todo memberActions
	if slices.ContainsFunc(g.members, (*Machine).out) {
		for _, m := range g.members {
			if m.leads() {
				todo.add(wrap(m, m.handOverFor(now, handOverToGroup, ReasonSyncGroup)))
			}
		}
		g.alignBounds()
	}
	if slices.ContainsFunc(g.members, (*Machine).leads) {
		for _, m := range g.members {
			if m.state == Backup && !m.standby {
				todo.add(wrap(m, m.becomeMaster(now, ReasonSyncGroup, m.master)))
			}
		}
	}
	return todo
}

// alignBounds lets all that hand over wait for as long as the most patient.
func (g *SyncGroup) alignBounds() {
	var bound time.Time
	for _, m := range g.members {
		bound = later(bound, m.handOver.bound)
	}
	for _, m := range g.members {
		if m.HandingOver() {
			m.extendHandOver(bound)
		}
	}
}

// takeOverTime is when m, a backup whose timer runs, may take over; false while
// its group cannot lead.
func (g *SyncGroup) takeOverTime(m *Machine) (time.Time, bool) {
	resigned := m.resignedAt
	for o := range g.others(m) {
		if o.state != Backup || o.standby {
			return time.Time{}, false
		}
		resigned = later(resigned, o.resignedAt)
	}
	at := m.timer
	for o := range g.others(m) {
		at = later(at, o.listenUntil)
		if o.waitingSince.After(resigned) {
			at = later(at, o.timer)
		}
	}
	return at, true
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// blocks reports whether a member other than m keeps the group from the lead.
func (g *SyncGroup) blocks(m *Machine) bool {
	for o := range g.others(m) {
		if o.state == Initialize || o.HandingOver() || o.standby {
			return true
		}
	}
	return false
}

// decides reports whether m is the member that settles at once who of two
// masters is the better one.
func (g *SyncGroup) decides(m *Machine) bool {
	return g == nil || g.members[0] == m
}

// onVirtualMAC reports whether m and all others advertise from virtual MAC
// addresses.
func (g *SyncGroup) onVirtualMAC(m *Machine) bool {
	for o := range g.others(m) {
		if !o.own.VirtualMAC {
			return false
		}
	}
	return m.own.VirtualMAC
}

// taken reports whether a member has a successor, or is or will be in standby
// since it leaves without one.
func (g *SyncGroup) taken() bool {
	return g != nil && slices.ContainsFunc(g.members, func(m *Machine) bool {
		return m.standby || m.handOver.successor.IsValid()
	})
}

// others yields the members except m; none where there is no group.
func (g *SyncGroup) others(m *Machine) iter.Seq[*Machine] {
	return func(yield func(*Machine) bool) {
		if g == nil {
			return
		}
		for _, o := range g.members {
			if o != m && !yield(o) {
				return
			}
		}
	}
}

// out reports whether the machine was in the election and is not, or is about
// to leave it.
func (m *Machine) out() bool {
	return m.HandingOver() || m.state == Initialize && m.ran()
}

func (m *Machine) wantsStandby() bool {
	return m.standby || m.handOver.purpose == handOverToStandby
}

// rival is a better master that was met by a member that does not decide.
type rival struct {
	peer        netip.Addr
	since, last time.Time
}

// insists takes one more advertisement of a rival, and reports whether it goes
// on though it lost on the wire that decides: it does not hear us there. One
// that takes over at each of a row of resignations, since it did not hear us
// in time, is not meant.
func (m *Machine) insists(now time.Time, a Advertisement, peer netip.Addr) bool {
	r := &m.rivals[0]
	if FamilyOf(peer) == IPv6 {
		r = &m.rivals[1]
	}
	interval := m.own.learned(a.MaxAdvertInterval)
	if peer != r.peer || now.Sub(r.last) > interval+interval/2 {
		*r = rival{peer: peer, since: now}
	}
	r.last = now
	return now.Sub(r.since) > max(interval/2, resignations*resignSpacing)
}
