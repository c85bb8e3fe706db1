// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"fmt"
	"testing"
	"time"
)

func TestGroupStalled(t *testing.T) {
	g := newLeaders(t, 2)
	g.after(time.Minute)
	stalled := Transition{From: Master, To: Backup, Reason: ReasonStalled}
	g.want(g.do(1, func(m *Machine) []Action { return m.Stalled(g.now) }), moved{1, stalled}, moved{0, stalled})
	g.wantNext(0, down100)
}

func TestGroupStandby(t *testing.T) {
	standby := func(g *groupRig) []moved {
		return g.do(0, func(m *Machine) []Action { return m.Standby(g.now) })
	}
	t.Run("backups and back", func(t *testing.T) {
		g := newGroup(t, 2)
		g.want(standby(g))
		g.wantNext(1, -1)
		g.rigs[1].wantStandby(true)
		g.after(time.Hour)
		g.want(g.do(1, func(m *Machine) []Action { return m.Resume(g.now) }))
		g.wantNext(0, down100)
	})
	t.Run("refused for all", func(t *testing.T) {
		g := newLeaders(t, 2)
		g.want(standby(g), moved{0, resignation}, moved{1, resignation})
		g.resign()
		g.after(time.Minute)
		refused := StandbyRefused{ReasonNoSuccessor}
		g.want(g.expire(1), moved{1, advert100}, moved{1, refused}, moved{0, advert100}, moved{0, refused})
		g.want(g.expire(0))
		g.wantStates(Master, Master)
	})
	t.Run("granted to all when one was taken over", func(t *testing.T) {
		g := newLeaders(t, 2)
		standby(g)
		g.resign()
		g.hear(1, 50, low4)
		g.after(Linger)
		g.want(g.expire(1), moved{1, Transition{Master, Backup, ReasonStandby, low4}})
		g.wantStates(Master, Backup)
		g.after(time.Minute)
		g.want(g.expire(0), moved{0, Transition{From: Master, To: Backup, Reason: ReasonStandby}})
		g.rigs[0].wantStandby(true)
	})
	for first, second := range []int{1, 0} {
		t.Run(fmt.Sprintf("granted to all when one fails meanwhile, member %d first", first), func(t *testing.T) {
			g := newLeaders(t, 2)
			standby(g)
			g.want(g.do(1, func(m *Machine) []Action { return m.Yield(g.now, ReasonFault) }))
			g.resign()
			g.after(time.Minute)
			got := append(g.expire(first), g.expire(second)...)
			want := []moved{
				{0, Transition{From: Master, To: Backup, Reason: ReasonStandby}},
				{1, Transition{From: Master, To: Initialize, Reason: ReasonFault}},
			}
			g.want(got, want[first], want[second])
			g.rigs[0].wantStandby(true)
			g.rigs[1].wantStandby(true)
		})
	}
	t.Run("called off", func(t *testing.T) {
		g := newLeaders(t, 2)
		standby(g)
		g.want(g.do(1, func(m *Machine) []Action { return m.Resume(g.now) }), moved{1, advert100}, moved{0, advert100})
		g.wantStates(Master, Master)
	})
	t.Run("called off after one was taken over", func(t *testing.T) {
		g := newLeaders(t, 2)
		standby(g)
		g.resign()
		g.hear(1, 50, low4)
		g.want(g.do(0, func(m *Machine) []Action { return m.Resume(g.now) }))
		g.after(time.Minute)
		g.expire(0)
		g.expire(1)
		g.wantStates(Backup, Backup)
		g.rigs[0].wantStandby(false)
		g.rigs[1].wantStandby(false)
	})
}
