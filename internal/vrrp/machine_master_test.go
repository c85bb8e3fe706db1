// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

func TestChecklist48AdverTimer(t *testing.T) {
	cases := []struct {
		name string
		late time.Duration
		next time.Duration // from when the machine was told the time
	}{
		{"on time", 0, time.Second},
		{"late", 300 * time.Millisecond, 700 * time.Millisecond},
		{"late by almost an interval", time.Second - 1, 1},
		{"late by an interval", time.Second, time.Second},
		{"late by many", time.Minute, time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newMaster(t, 100, nil)
			next, _ := r.Next()
			r.now = next.Add(c.late)
			r.want(r.Expire(r.now), advert100)
			r.wantTimer(c.next)
			r.want(r.Expire(r.now))
		})
	}
}

func TestChecklist48NoDrift(t *testing.T) {
	r := newMaster(t, 100, nil)
	became := r.now
	for i := range 1000 {
		next, _ := r.Next()
		r.now = next.Add(time.Duration(i%7) * time.Millisecond)
		r.want(r.Expire(r.now), advert100)
	}
	if next, _ := r.Next(); !next.Equal(became.Add(1001 * time.Second)) {
		t.Errorf("1001st advertisement is due %v after the transition, want 1001 s", next.Sub(became))
	}
}

func TestChecklist49MasterHearsResignation(t *testing.T) {
	r := newMaster(t, 100, nil)
	r.after(400 * time.Millisecond)
	r.want(r.hear(PriorityResign, high4), advert100)
	r.wantState(Master)
	r.wantTimer(time.Second)
}

func TestChecklist50MasterStepsDown(t *testing.T) {
	both := Families{IPv4: true, IPv6: true}
	cases := []struct {
		name     string
		families Families
		priority uint8
		source   netip.Addr
		reason   Reason
	}{
		{"higher", both, 101, low4, ReasonHigherPriority},
		{"higher over ipv6", both, 101, low6, ReasonHigherPriority},
		{"owner", both, PriorityOwner, low4, ReasonHigherPriority},
		{"equal, higher address", both, 100, high4, ReasonHigherAddress},
		{"equal, higher ipv6 address, no ipv4", Families{IPv6: true}, 100, high6, ReasonHigherAddress},
		{"equal, address unsigned", both, 100, netip.MustParseAddr("193.0.0.1"), ReasonHigherAddress},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newMaster(t, 100, func(p *Parameters) { p.Families, p.Preempt = c.families, false })
			r.after(400 * time.Millisecond)
			got := r.hearInterval(c.priority, c.source, 2*time.Second)
			r.want(got, Transition{Master, Backup, c.reason, c.source})
			r.wantState(Backup)
			r.wantTimer(2 * down100)
		})
	}
}

func TestChecklist51MasterAsserts(t *testing.T) {
	cases := []struct {
		name     string
		priority uint8
		source   netip.Addr
	}{
		{"lower", 99, high4},
		{"lower over ipv6", 99, high6},
		{"equal, lower address", 100, low4},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newMaster(t, 100, nil)
			r.after(400 * time.Millisecond)
			r.want(r.hear(c.priority, c.source), advert100, Reannounce{Peer: c.source})
			r.wantState(Master)
			r.wantTimer(600 * time.Millisecond)
		})
	}
}

func TestChecklist50OneFamilyDecides(t *testing.T) {
	for _, source := range []netip.Addr{low6, high6, own6} {
		r := newMaster(t, 100, nil)
		r.want(r.hear(100, source))
		r.wantState(Master)
	}
}

func TestChecklist50NoLocalAddressLoses(t *testing.T) {
	r := newMaster(t, 100, nil)
	r.SetLocal(IPv4, netip.Addr{})
	r.want(r.hear(100, low4), Transition{Master, Backup, ReasonHigherAddress, low4})
}

func TestChecklist52SameAddress(t *testing.T) {
	r := newMaster(t, 100, nil)
	r.after(400 * time.Millisecond)
	r.want(r.hear(100, own4), Conflict{ReasonSameAddress, own4})
	r.wantState(Master)
	r.wantTimer(600 * time.Millisecond)
	r.want(r.hear(100, low4), advert100, Reannounce{Peer: low4})
}

func TestChecklist53TwoOwners(t *testing.T) {
	newOwner := func() *rig {
		r := newRig(t, PriorityOwner, nil)
		r.Startup(r.now)
		return r
	}
	advert := SendAdvert{Priority: PriorityOwner, Interval: time.Second}

	alone := newOwner()
	alone.want(alone.hear(254, low4), advert, Reannounce{low4})

	higher := newOwner()
	higher.want(higher.hear(PriorityOwner, low4), Conflict{ReasonSecondOwner, low4}, advert, Reannounce{low4})
	higher.wantState(Master)

	lower := newOwner()
	lower.want(lower.hear(PriorityOwner, high4),
		Conflict{ReasonSecondOwner, high4}, Transition{Master, Backup, ReasonHigherAddress, high4})
	lower.want(lower.hear(PriorityOwner, high4), Conflict{ReasonSecondOwner, high4})
	lower.wantState(Backup)
}
