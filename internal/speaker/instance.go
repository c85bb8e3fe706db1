// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"net/netip"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

const (
	// lateness is how late a timer may be before it is distrusted.
	lateness = 20 * time.Millisecond
	// lateListen is how long a backup then listens: enough for its sockets to
	// be read.
	lateListen = 20 * time.Millisecond
)

// instance is one VRRP instance at work: a machine, and a group on the wire
// for each family of its addresses.
type instance struct {
	config    Instance
	machine   *vrrp.Machine
	groups    map[vrrp.Family]*vrrp.Group
	local     map[vrrp.Family]netip.Addr
	rounds    netif.Rounds
	fault     string // why it cannot run
	since     time.Time
	reason    string
	peer      netip.Addr
	contested time.Time // when a Contested was last emitted
	leaving   bool      // forgotten as soon as its machine stops
	linger    time.Time // until then a better master's VIPs are held too
	sendError string    // the last failed send, to say it once
	conflict  Conflict  // the last one, likewise

	lateFor  time.Time // the machine's deadline that was missed by more than lateness
	lateTill time.Time // when it may be acted on
}

func newInstance(now time.Time, c Instance) *instance {
	i := &instance{
		config: c, machine: vrrp.NewMachine(c.parameters()), since: now, reason: "start",
		groups: make(map[vrrp.Family]*vrrp.Group), local: make(map[vrrp.Family]netip.Addr),
	}
	for f, addresses := range c.byFamily() {
		i.groups[f] = vrrp.NewGroup(c.VRID, f, addresses)
	}
	return i
}

func (i *instance) running() bool { return i.machine.State() != vrrp.Initialize }

// holds says whether the instance's VIPs are to be in the kernel.
func (i *instance) holds(now time.Time) bool {
	return i.machine.State() == vrrp.Master || now.Before(i.linger)
}

// yield keeps the VIPs for a moment after a better master was heard, until its
// announcements have reached the segment.
func (i *instance) yield(now time.Time, t vrrp.Transition) {
	i.linger = time.Time{}
	if t.From == vrrp.Master && t.To == vrrp.Backup {
		i.linger = now.Add(vrrp.Linger)
	}
}

// sameRouter says whether w is the same virtual router with other parameters:
// such a change keeps the role.
func (i *instance) sameRouter(w Instance) bool {
	return i.config.Interface == w.Interface && i.config.VRID == w.VRID && i.config.families() == w.families()
}

// blocks says whether w has to wait until i has left: it has the name of i, or
// its place on the wire.
func (i *instance) blocks(w Instance) bool {
	mine, its := i.config.families(), w.families()
	sameWire := i.config.Interface == w.Interface && i.config.VRID == w.VRID &&
		(mine.IPv4 && its.IPv4 || mine.IPv6 && its.IPv6)
	return i.leaving && (i.config.Name == w.Name || sameWire)
}

func (i *instance) update(now time.Time, w Instance) []vrrp.Action {
	i.config = w
	for f, addresses := range w.byFamily() {
		i.groups[f].SetAddresses(addresses)
	}
	if i.machine.State() == vrrp.Master {
		i.rounds.Start(now)
	}
	return i.machine.Update(now, w.parameters())
}

// next says when expire has to be called.
func (i *instance) next() (time.Time, bool) {
	next, ok := i.machine.Next()
	if ok && next.Equal(i.lateFor) {
		return i.lateTill, true
	}
	return next, ok
}

// expire lets the machine act on its timer. A backup that comes much too late,
// since this machine was starved or paused, listens first: adverts of a live
// master may wait in the sockets.
func (i *instance) expire(now time.Time) []vrrp.Action {
	at, ok := i.next()
	if !ok || at.After(now) {
		return nil
	}
	if i.machine.State() == vrrp.Backup && !at.Equal(i.lateTill) && now.Sub(at) > lateness {
		i.lateFor, i.lateTill = at, now.Add(lateListen)
		return nil
	}
	return i.machine.Expire(now)
}

// setLocal tells machine and groups the addresses that they send from.
func (i *instance) setLocal(link netif.Interface) {
	for f, g := range i.groups {
		i.local[f] = source(link, f)
		g.SetLocal(i.local[f])
		i.machine.SetLocal(f, i.local[f])
	}
}

func (i *instance) status() InstanceStatus {
	st := InstanceStatus{
		Config: i.config, State: i.machine.State(), Fault: i.fault,
		Since: i.since, Reason: i.reason, Peer: i.peer, Discarded: make(map[string]uint64),
	}
	for _, g := range i.groups {
		c := g.Counters()
		st.Received += c.Received
		st.Sent += c.Sent
		st.IntervalMismatch += c.IntervalMismatch
		st.AddressMismatch += c.AddressMismatch
		for _, d := range vrrp.Discards() {
			if n := c.Discarded[d]; n > 0 {
				st.Discarded[d.String()] += n
			}
		}
	}
	return st
}

func (c Instance) parameters() vrrp.Parameters {
	return vrrp.Parameters{Priority: c.Priority, AdvertInterval: c.AdvertInterval, Preempt: c.Preempt, Families: c.families()}
}

func (c Instance) byFamily() map[vrrp.Family][]netip.Addr {
	m := make(map[vrrp.Family][]netip.Addr)
	for _, a := range c.Addresses {
		f := vrrp.FamilyOf(a.Prefix.Addr())
		m[f] = append(m[f], a.Prefix.Addr())
	}
	return m
}

func (c Instance) families() vrrp.Families {
	byFamily := c.byFamily()
	return vrrp.Families{IPv4: len(byFamily[vrrp.IPv4]) > 0, IPv6: len(byFamily[vrrp.IPv6]) > 0}
}

// source is the address that adverts of a family leave an interface from
// (RFC 9568 section 5.1.1.1, 5.1.2.1).
func source(link netif.Interface, f vrrp.Family) netip.Addr {
	if f == vrrp.IPv4 {
		return link.Primary4
	}
	return link.LinkLocal6
}
