// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRule01_Group(t *testing.T) {
	runRules(t, ownParameters, []ruleCase{
		{"positive ipv4 group", config4, peerAdvert4, low4, to("224.0.0.18"), nil, nil},
		{"positive ipv6 group", config6, peerAdvert6, low6, to("ff02::12"), nil, nil},
		{"positive version 2 group", config2, peerAdvert2, low4, to("224.0.0.18"), nil, nil},
		{"negative ipv4 other group", config4, peerAdvert4, low4, to("224.0.0.19"), DiscardDestination, nil},
		{"negative ipv4 unicast", config4, peerAdvert4, low4, to("192.0.2.2"), DiscardDestination, nil},
		{"negative ipv6 other group", config6, peerAdvert6, low6, to("ff02::1"), DiscardDestination, nil},
		{"negative ipv6 group of wider scope", config6, peerAdvert6, low6, to("ff05::12"), DiscardDestination, nil},
		{"negative other family", config4, peerAdvert6, low6, nil, DiscardDestination, nil},
		{"negative none", config4, peerAdvert4, low4, func(p *Packet) { p.Destination = netip.Addr{} }, DiscardDestination, nil},
	})
	t.Run("positive sent", func(t *testing.T) {
		for _, c := range []GroupConfig{config4, config6, config2} {
			if _, _, m := sentBy(t, c.group(), 100, time.Second); m.Destination != c.Family.Group() {
				t.Errorf("%s: sent to %s, want %s", c.Family, m.Destination, c.Family.Group())
			}
		}
	})
}

func TestRule02_VirtualMAC(t *testing.T) {
	for _, c := range []struct {
		name string
		vrid uint8
		f    Family
		want string
	}{
		{"positive ipv4", 51, IPv4, "00:00:5e:00:01:33"},
		{"positive ipv6", 51, IPv6, "00:00:5e:00:02:33"},
		{"positive highest", 255, IPv4, "00:00:5e:00:01:ff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := VirtualMAC(c.vrid, c.f).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	t.Run("negative families do not share one", func(t *testing.T) {
		if VirtualMAC(1, IPv4).String() == VirtualMAC(1, IPv6).String() {
			t.Error("the families share a MAC address")
		}
	})
}

func TestRule03_Priority(t *testing.T) {
	priority := func(n uint8) Advertisement {
		return peerAdvert4.with(func(a *Advertisement) { a.Priority = n })
	}
	runRules(t, ownParameters, []ruleCase{
		{"positive 1", config4, priority(1), low4, nil, nil, nil},
		{"positive owner", config4, priority(PriorityOwner), low4, nil, nil, nil},
		{"positive resignation", config4, priority(PriorityResign), low4, nil, nil, nil},
	})
	t.Run("negative 0 is none to run with", func(t *testing.T) {
		m := NewMachine(Parameters{Priority: 0, AdvertInterval: time.Second, Families: Families{IPv4: true}})
		m.Startup(wallClock)
		next, _ := m.Next()
		for _, action := range m.Expire(next) {
			if a, ok := action.(SendAdvert); ok && a.Priority != 1 {
				t.Errorf("advertised priority %d, want 1", a.Priority)
			}
		}
	})
	t.Run("negative tracking makes no owner", func(t *testing.T) {
		r := newRig(t, EffectivePriority(200, []int{200}), nil)
		r.Startup(r.now)
		r.wantState(Backup)
		r.want(r.expire(), SendAdvert{254, time.Second}, Transition{From: Backup, To: Master, Reason: ReasonMasterDown})
	})
	t.Run("positive tracking takes nothing from an owner", func(t *testing.T) {
		r := newRig(t, EffectivePriority(PriorityOwner, []int{-200}), nil)
		r.want(r.Startup(r.now), advert255, Transition{From: Initialize, To: Master, Reason: ReasonOwner})
	})
	// Who sends 255 cannot be known to be the owner: it is believed, and only
	// another owner can tell.
	t.Run("negative 255 heard by others is believed", func(t *testing.T) {
		r := newMaster(t, 254, nil)
		r.want(r.hear(PriorityOwner, low4),
			SendAdvert{254, time.Second}, Transition{Master, Backup, ReasonHigherPriority, low4})
		r.after(time.Second)
		r.want(r.hear(PriorityOwner, low4))
		r.wantTimer(3*time.Second + 2*time.Second/256)
	})
}

func TestRule04_Interval(t *testing.T) {
	t.Run("positive reserved bits are ignored", func(t *testing.T) {
		p := packetOf(peerAdvert4, low4, PseudoHeader, func(p *Packet) { p.Payload[4] |= 0xf0; resum(p) })
		got, _, err := Parse(p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(peerAdvert4, got, compareAddr); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	cases := []struct {
		name           string
		config         GroupConfig
		interval, want time.Duration
	}{
		{"positive 250 ms", config4, 250 * time.Millisecond, 250 * time.Millisecond},
		{"positive longest", config6, 40950 * time.Millisecond, MaxInterval},
		{"positive version 2", config2, 255 * time.Second, 255 * time.Second},
		{"negative 0", config4, 0, MinInterval},
		{"negative below 0", config4, -time.Second, MinInterval},
		{"negative half a step", config4, 19 * time.Millisecond, 10 * time.Millisecond},
		{"negative too long", config6, time.Hour, MaxInterval},
		{"negative version 2 below a second", config2, 100 * time.Millisecond, time.Second},
		{"negative version 2 half a second", config2, 2500 * time.Millisecond, 2 * time.Second},
		{"negative version 2 too long", config2, time.Hour, 255 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, _, m := sentBy(t, c.config.group(), 100, c.interval)
			if a.MaxAdvertInterval != c.want {
				t.Errorf("got %v on the wire, want %v", a.MaxAdvertInterval, c.want)
			}
			if m.Payload[4]&0xf0 != 0 {
				t.Errorf("reserved bits of %x are not zero", m.Payload)
			}
		})
	}
}

// waits is how long a backup of the given priority waits after it heard a.
func waits(priority uint8, a Advertisement) time.Duration {
	m := NewMachine(Parameters{Priority: priority, AdvertInterval: time.Second, Families: Families{IPv4: true}})
	m.Startup(wallClock)
	m.Receive(wallClock, IPv4, a, high4)
	next, _ := m.Next()
	return next.Sub(wallClock)
}

func TestRule05_Skew(t *testing.T) {
	resigned := func(interval time.Duration) Advertisement {
		return peerAdvert4.with(func(a *Advertisement) { a.Priority, a.MaxAdvertInterval = PriorityResign, interval })
	}
	for _, c := range []struct {
		name     string
		priority uint8
		want     time.Duration
	}{
		{"positive 100", 100, time.Second * 156 / 256},
		{"positive 1", 1, time.Second * 255 / 256},
		{"negative not rounded to a centisecond", 254, time.Second * 2 / 256},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := waits(c.priority, resigned(time.Second)); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	t.Run("negative version 2 does not scale with the interval", func(t *testing.T) {
		m := NewMachine(Parameters{Version: Version2, Priority: 100, AdvertInterval: 10 * time.Second, Families: Families{IPv4: true}})
		m.Startup(wallClock)
		m.Receive(wallClock, IPv4, peerAdvert2.with(func(a *Advertisement) { a.Priority = PriorityResign }), high4)
		next, _ := m.Next()
		if got, want := next.Sub(wallClock), time.Second*156/256; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("negative never 0", func(t *testing.T) {
		if skew := skewOfShortest(); skew <= 0 {
			t.Errorf("got %v", skew)
		}
	})
}

// skewOfShortest is the shortest skew time that there is.
func skewOfShortest() time.Duration {
	m := NewMachine(Parameters{Priority: PriorityOwner - 1, AdvertInterval: MinInterval, Families: Families{IPv4: true}})
	m.Startup(wallClock)
	m.Receive(wallClock, IPv4, peerAdvert4.with(func(a *Advertisement) { a.Priority = PriorityResign }), high4)
	next, _ := m.Next()
	return next.Sub(wallClock)
}

func TestRule06_DownInterval(t *testing.T) {
	learned := peerAdvert4.with(func(a *Advertisement) { a.Priority, a.MaxAdvertInterval = 200, 2*time.Second })
	t.Run("positive the master's interval", func(t *testing.T) {
		if got, want := waits(100, learned), 6*time.Second+2*time.Second*156/256; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("negative version 2 does not learn", func(t *testing.T) {
		m := NewMachine(Parameters{Version: Version2, Priority: 100, AdvertInterval: time.Second, Families: Families{IPv4: true}})
		m.Startup(wallClock)
		m.Receive(wallClock, IPv4, learned, high4)
		next, _ := m.Next()
		if got, want := next.Sub(wallClock), 3*time.Second+time.Second*156/256; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("negative own interval while no master is known", func(t *testing.T) {
		m := NewMachine(Parameters{Priority: 100, AdvertInterval: time.Second, Families: Families{IPv4: true}})
		m.Startup(wallClock)
		next, _ := m.Next()
		if got, want := next.Sub(wallClock), 3*time.Second+time.Second*156/256; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestRule07_Preempt(t *testing.T) {
	lower := peerAdvert4.with(func(a *Advertisement) { a.Priority = 50 })
	restarted := func(p Parameters) bool {
		m := NewMachine(p)
		m.Startup(wallClock)
		before, _ := m.Next()
		m.Receive(wallClock.Add(time.Second), IPv4, lower, low4)
		after, _ := m.Next()
		return after != before
	}
	p := Parameters{Priority: 100, AdvertInterval: time.Second, Preempt: true, Families: Families{IPv4: true}}
	t.Run("positive a lower master is preempted", func(t *testing.T) {
		if restarted(p) {
			t.Error("the timer was restarted")
		}
	})
	t.Run("positive the owner preempts always", func(t *testing.T) {
		p := p
		p.Priority, p.Preempt = PriorityOwner, false
		owner := NewMachine(p)
		owner.Startup(wallClock)
		if owner.State() != Master {
			t.Errorf("the owner starts as %v", owner.State())
		}
		if p.InitialBackup = true; restarted(p) {
			t.Error("an owner that listens first follows a lower master")
		}
	})
	t.Run("negative without preempt it is followed", func(t *testing.T) {
		p := p
		p.Preempt = false
		if !restarted(p) {
			t.Error("the timer runs on")
		}
	})
}
