// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

func TestRule48_AdverTimer(t *testing.T) {
	cases := []struct {
		name string
		late time.Duration
		next time.Duration // from when the machine was told the time
	}{
		{"positive on time", 0, time.Second},
		{"positive late", 300 * time.Millisecond, 700 * time.Millisecond},
		{"positive late by almost an interval", time.Second - 1, 1},
		{"negative late by an interval", time.Second, time.Second},
		{"negative late by many", time.Minute, time.Second},
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

func TestRule48_NoDrift(t *testing.T) {
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

func TestRule49_MasterHearsResignation(t *testing.T) {
	t.Run("positive", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.after(400 * time.Millisecond)
		r.want(r.hear(PriorityResign, high4), advert100)
		r.wantState(Master)
		r.wantTimer(time.Second)
	})
	t.Run("negative not while handing over", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Shutdown(r.now)
		r.want(r.hear(PriorityResign, high4))
	})
}

func TestRule50_MasterStepsDown(t *testing.T) {
	both := Families{IPv4: true, IPv6: true}
	cases := []struct {
		name     string
		families Families
		priority uint8
		source   netip.Addr
		reason   Reason
	}{
		{"positive higher", both, 101, low4, ReasonHigherPriority},
		{"positive higher over ipv6", both, 101, low6, ReasonHigherPriority},
		{"positive owner", both, PriorityOwner, low4, ReasonHigherPriority},
		{"positive equal, higher address", both, 100, high4, ReasonHigherAddress},
		{"positive equal, higher ipv6 address, no ipv4", Families{IPv6: true}, 100, high6, ReasonHigherAddress},
		{"positive equal, address unsigned", both, 100, netip.MustParseAddr("193.0.0.1"), ReasonHigherAddress},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newMaster(t, 100, func(p *Parameters) { p.Families, p.Preempt = c.families, false })
			r.after(400 * time.Millisecond)
			got := r.hearInterval(c.priority, c.source, 2*time.Second)
			r.want(got, advert100, Transition{Master, Backup, c.reason, c.source})
			r.wantState(Backup)
			r.wantTimer(2 * down100)
			r.want(r.hearInterval(c.priority, c.source, 2*time.Second)) // the last advertisement was the last
		})
	}
	t.Run("positive from the virtual MAC address without a word", func(t *testing.T) {
		r := newMaster(t, 100, func(p *Parameters) { p.VirtualMAC = true })
		r.want(r.hear(200, high4), Transition{Master, Backup, ReasonHigherPriority, high4})
	})
	t.Run("positive in version 2", func(t *testing.T) {
		r := newMaster(t, 100, func(p *Parameters) { p.Version = Version2 })
		r.want(r.hear(200, high4), advert100, Transition{Master, Backup, ReasonHigherPriority, high4})
	})
	t.Run("negative not while handing over", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Shutdown(r.now)
		r.want(r.hear(200, high4))
		r.wantState(Master)
	})
}

func TestRule50_OneFamilyDecides(t *testing.T) {
	for name, source := range map[string]netip.Addr{"lower": low6, "higher": high6, "own": own6} {
		t.Run("negative equal priority over ipv6, address "+name, func(t *testing.T) {
			r := newMaster(t, 100, nil)
			r.want(r.hear(100, source))
			r.wantState(Master)
		})
	}
	t.Run("positive without an address of its own any equal one wins", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.SetLocal(IPv4, netip.Addr{})
		r.want(r.hear(100, low4), advert100, Transition{Master, Backup, ReasonHigherAddress, low4})
	})
	t.Run("positive version 2 keeps its interval", func(t *testing.T) {
		r := newMaster(t, 100, func(p *Parameters) { p.Version = Version2 })
		r.hearInterval(200, high4, 9*time.Second)
		r.wantState(Backup)
		r.wantTimer(down100)
	})
}

func TestRule51_MasterAsserts(t *testing.T) {
	cases := []struct {
		name     string
		priority uint8
		source   netip.Addr
	}{
		{"positive lower", 99, high4},
		{"positive lower over ipv6", 99, high6},
		{"positive equal, lower address", 100, low4},
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
	t.Run("negative not while handing over", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Shutdown(r.now)
		r.want(r.hear(50, low4))
	})
}

func TestRule52_SameAddress(t *testing.T) {
	r := newMaster(t, 100, nil)
	r.after(400 * time.Millisecond)
	t.Run("positive said, nothing changes", func(t *testing.T) {
		r.want(r.hear(100, own4), Conflict{ReasonSameAddress, own4})
		r.wantState(Master)
		r.wantTimer(600 * time.Millisecond)
	})
	t.Run("negative another address", func(t *testing.T) {
		r.want(r.hear(100, low4), advert100, Reannounce{Peer: low4})
	})
}

func TestRule53_TwoOwners(t *testing.T) {
	newOwner := func(t *testing.T) *rig {
		r := newRig(t, PriorityOwner, nil)
		r.Startup(r.now)
		return r
	}
	t.Run("positive the higher address stays", func(t *testing.T) {
		r := newOwner(t)
		r.want(r.hear(PriorityOwner, low4), Conflict{ReasonSecondOwner, low4}, advert255, Reannounce{low4})
		r.wantState(Master)
	})
	t.Run("positive the lower address steps down", func(t *testing.T) {
		r := newOwner(t)
		r.want(r.hear(PriorityOwner, high4),
			Conflict{ReasonSecondOwner, high4}, advert255, Transition{Master, Backup, ReasonHigherAddress, high4})
		r.want(r.hear(PriorityOwner, high4), Conflict{ReasonSecondOwner, high4})
		r.wantState(Backup)
	})
	t.Run("negative the other is none", func(t *testing.T) {
		r := newOwner(t)
		r.want(r.hear(254, low4), advert255, Reannounce{low4})
	})
}
