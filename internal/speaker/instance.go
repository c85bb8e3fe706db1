// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
	"iter"
	"net"
	"net/netip"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// instance is one VRRP instance at work: a machine, and a group on the wire
// for each family of its addresses.
type instance struct {
	config  Instance
	machine *vrrp.Machine
	group   *vrrp.SyncGroup
	groups  map[vrrp.Family]*vrrp.Group
	local   map[vrrp.Family]netip.Addr // of the interface
	// virtualMAC is what adverts to the multicast group are sent from; nil: the
	// interface's own.
	virtualMAC map[vrrp.Family]net.HardwareAddr
	rounds     netif.Rounds

	priority      uint8 // effective
	contributions []Contribution

	fault     string // why it cannot run
	since     time.Time
	reason    string
	peer      netip.Addr
	heard     time.Time // when an advert was last taken
	dropped   drop      // the newest packet that was not
	ordered   time.Time // when standby was last ordered
	contested time.Time // when a losing master was last answered
	claimed   time.Time // when a claim was last taken
	claim     Claimed   // the last one
	claimDue  time.Time // when it is to be answered; zero: it was
	sent      sentAdvert
	leaving   bool      // forgotten as soon as its machine stops
	linger    time.Time // until then a better master's VIPs are held too
	conflicts conflicts

	lateFor  time.Time // the machine's deadline that was missed by too much
	lateTill time.Time // when it may be acted on
}

// sentAdvert is the last advert and the turn of the loop that sent it.
type sentAdvert struct {
	turn   uint64
	advert vrrp.SendAdvert
}

func newInstance(now time.Time, c Instance) *instance {
	i := &instance{
		config: c, since: now, reason: "start",
		groups: make(map[vrrp.Family]*vrrp.Group), local: make(map[vrrp.Family]netip.Addr),
		virtualMAC: make(map[vrrp.Family]net.HardwareAddr), conflicts: make(conflicts),
	}
	i.machine = vrrp.NewMachine(i.parameters())
	for f := range c.byFamily() {
		i.groups[f] = vrrp.NewGroup(c.groupConfig(f))
		if c.VirtualMAC != "" {
			i.virtualMAC[f] = vrrp.VirtualMAC(c.VRID, f)
		}
	}
	return i
}

func (i *instance) running() bool { return i.machine.State() != vrrp.Initialize }

// holds says whether the instance's VIPs are to be in the kernel.
func (i *instance) holds(now time.Time) bool {
	return i.machine.State() == vrrp.Master || now.Before(i.linger)
}

// yield keeps the VIPs for a moment after a better master was heard, until its
// announcements have reached the segment. A hand-over has waited already.
func (i *instance) yield(now time.Time, t vrrp.Transition) {
	i.linger = time.Time{}
	if t.From == vrrp.Master && t.To == vrrp.Backup && t.Reason != vrrp.ReasonStalled && t.Reason != vrrp.ReasonStandby {
		i.linger = now.Add(vrrp.Linger)
	}
}

// alone says why standby is refused, as far as it is known here.
func (i *instance) alone(now time.Time, why vrrp.Reason) string {
	waited := now.Sub(i.ordered)
	known := fmt.Sprintf("%s is there and did not take over", i.peer)
	switch {
	case i.dropped.At.After(i.ordered):
		known = fmt.Sprintf("what %s sent meanwhile was dropped: %s", i.dropped.Source, i.dropped.text())
	case i.heard.IsZero():
		known = "no other router was ever heard on " + i.config.Interface
	case i.heard.Before(i.ordered):
		known = fmt.Sprintf("no other router was heard for %s, the last was %s", now.Sub(i.heard).Round(time.Second), i.peer)
	}
	return fmt.Sprintf("%s within %s: %s; the order is dropped", why, waited.Round(10*time.Millisecond), known)
}

// sameRouter says whether w is the same virtual router with other parameters:
// such a change keeps the role.
func (i *instance) sameRouter(w Instance) bool {
	return i.config.Interface == w.Interface && i.config.VRID == w.VRID && i.config.Version == w.Version &&
		i.config.VirtualMAC == w.VirtualMAC && i.config.families() == w.families()
}

// blocks says whether w has to wait until i has left: it has the name of i, or
// its place on the wire.
func (i *instance) blocks(w Instance) bool {
	mine, its := i.config.families(), w.families()
	sameWire := i.config.Interface == w.Interface && i.config.VRID == w.VRID &&
		(mine.IPv4 && its.IPv4 || mine.IPv6 && its.IPv6)
	return i.leaving && (i.config.Name == w.Name || sameWire)
}

// setLocal tells machine and groups the addresses that they send from.
func (i *instance) setLocal(link netif.Interface) {
	for f, g := range i.groups {
		i.local[f] = i.config.source(link, f)
		g.SetLocal(i.local[f])
		i.machine.SetLocal(f, i.local[f])
	}
}

func (i *instance) status() InstanceStatus {
	st := InstanceStatus{
		Config: i.config, State: i.machine.State(), Fault: i.fault,
		Since: i.since, Reason: i.reason, Peer: i.peer, Discarded: make(map[string]uint64),
		Priority: i.priority, Contributions: i.contributions,
		Standby: i.machine.InStandby(), HandingOver: i.machine.HandingOver(),
	}
	for _, g := range i.groups {
		c := g.Counters()
		st.Received += c.Received
		st.Sent += c.Sent
		st.IntervalMismatch += c.IntervalMismatch
		st.AddressMismatch += c.AddressMismatch
		st.Unsigned += c.Unsigned
		st.DuplicateOwner += c.DuplicateOwner
		for _, d := range vrrp.Discards() {
			if n := c.Discarded[d]; n > 0 {
				st.Discarded[d.String()] += n
			}
		}
		if skew, peer := g.ClockSkew(); peer.IsValid() {
			st.ClockSkew, st.ClockPeer = skew, peer
		}
	}
	return st
}

func (i *instance) parameters() vrrp.Parameters {
	c := i.config
	priority := i.priority
	if priority == 0 {
		priority = c.Priority
	}
	return vrrp.Parameters{
		Version: c.Version, VRID: c.VRID, Priority: priority, AdvertInterval: c.AdvertInterval,
		Preempt: c.Preempt, PreemptDelay: c.PreemptDelay, InitialBackup: c.InitialBackup,
		Families: c.families(), VirtualMAC: c.VirtualMAC != "" && len(c.Unicast) == 0,
	}
}

func (c Instance) groupConfig(f vrrp.Family) vrrp.GroupConfig {
	g := vrrp.GroupConfig{
		Version: c.Version, VRID: c.VRID, Family: f, Addresses: c.byFamily()[f],
		Password: c.Password, ChecksumCompat: c.ChecksumCompat, Auth: c.Auth,
	}
	if u, ok := c.Unicast[f]; ok {
		g.Unicast = &u
	}
	return g
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
	var families vrrp.Families
	for _, a := range c.Addresses {
		families.IPv4 = families.IPv4 || a.Prefix.Addr().Is4()
		families.IPv6 = families.IPv6 || a.Prefix.Addr().Is6()
	}
	return families
}

// vips yields all virtual addresses, in the advertisement or not.
func (c Instance) vips() iter.Seq[VIP] {
	return func(yield func(VIP) bool) {
		for _, list := range [][]VIP{c.Addresses, c.Excluded} {
			for _, v := range list {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// source is the address that adverts of a family leave an interface from
// (RFC 9568 section 5.1.1.1, 5.1.2.1), or the configured one.
func (c Instance) source(link netif.Interface, f vrrp.Family) netip.Addr {
	u, unicast := c.Unicast[f]
	switch {
	case unicast:
		return u.Source
	case f == vrrp.IPv4:
		return link.Primary4
	}
	return link.LinkLocal6
}
