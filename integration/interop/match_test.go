// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lvs-ha/lvs-ha/internal/control"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// side is a router with the end of the link that it is at.
type side struct {
	router
	name string
	end  *end
}

// match is lvs-ha and its counterpart on one link.
type match struct {
	combination
	ctx      context.Context
	lvsHA    *lvsHA
	own, his side
}

// newMatch prepares both sides; change, which may be nil, changes their settings
// before.
func newMatch(t *testing.T, c combination, change func(own, his *settings)) *match {
	t.Helper()
	left, right := newLink(t)
	ownPriority, hisPriority := c.priorities()
	own, his := c.settings(true, ownPriority, left, right), c.settings(false, hisPriority, right, left)
	if change != nil {
		change(&own, &his)
	}
	m := &match{combination: c, ctx: t.Context(), lvsHA: newLVSHA(t, left, own)}
	m.own = side{m.lvsHA, "lvs-ha", left}
	m.his = side{nil, "the counterpart", right}
	switch c.peer {
	case keepalived:
		m.his.router = newKeepalived(t, right, his)
	case frr:
		m.his.router = newFRR(t, right, c.family, his)
	case itself:
		m.his.router = newLVSHA(t, right, his)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.logs())
		}
	})
	return m
}

// logs returns all that both sides wrote.
func (m *match) logs() string {
	return fmt.Sprintf("log of lvs-ha:\n%s\nlog of the counterpart, %s:\n%s", m.own.log(), m.peer, m.his.log())
}

// end ends both sides before the test does.
func (m *match) end() {
	m.own.die()
	m.his.die()
}

// play lets the counterpart start, then lvs-ha, and then lets the master leave
// and return, by each way to leave.
func (m *match) play() error {
	if err := m.starts(m.his, master); err != nil {
		return err
	}
	if err := m.within(m.own.start); err != nil {
		return err
	}
	best, other := m.his, m.own
	if m.higher && m.preempt {
		best, other = m.own, m.his
	}
	if err := m.settle(best, other); err != nil {
		return fmt.Errorf("lvs-ha starts: %w", err)
	}
	for _, way := range m.ways() {
		if err := m.leaveAndReturn(way, best, other); err != nil {
			return fmt.Errorf("%s %s: %w", best.name, way, err)
		}
		if !m.preempt {
			best, other = other, best
		}
	}
	return nil
}

// starts starts a side and waits until it has a role.
func (m *match) starts(s side, role string) error {
	if err := m.within(s.start); err != nil {
		return err
	}
	if err := m.becomes(s, role); err != nil {
		return fmt.Errorf("%s starts: %w", s.name, err)
	}
	return nil
}

// The ways to leave.
const (
	resigns = "resigns"
	dies    = "dies"
)

// ways returns the ways to leave; version 2 is slow, and each of its
// combinations tries one of them.
func (m *match) ways() []string {
	switch {
	case m.version == 3:
		return []string{resigns, dies}
	case m.preempt:
		return []string{dies}
	}
	return []string{resigns}
}

// leaveAndReturn lets the master leave and return. If it preempts, it has the
// higher priority.
func (m *match) leaveAndReturn(way string, leaves, stays side) error {
	if way == dies {
		leaves.die()
	} else if err := m.within(leaves.resign); err != nil {
		return err
	}
	if err := m.becomes(stays, master); err != nil {
		return err
	}
	if err := m.holds(stays, true); err != nil {
		return err
	}
	if err := m.handedOver(way, leaves); err != nil {
		return err
	}
	if err := m.within(leaves.start); err != nil {
		return err
	}
	best, other := stays, leaves
	if m.preempt {
		best, other = leaves, stays
	}
	if err := m.settle(best, other); err != nil {
		return fmt.Errorf("and returns: %w", err)
	}
	return nil
}

// handedOver sees that lvs-ha took notice of the way in which a master left.
func (m *match) handedOver(way string, leaves side) error {
	if leaves.router == m.lvsHA {
		if way == resigns && !strings.Contains(m.own.log(), vrrp.ReasonHandedOver.String()) {
			return fmt.Errorf("lvs-ha heard no successor when it resigned")
		}
		return nil
	}
	i, err := m.lvsHA.instance(m.ctx)
	if err != nil {
		return err
	}
	want := vrrp.ReasonMasterDown.String()
	if way == resigns {
		want = vrrp.ReasonPeerResigned.String()
	}
	if i.Reason != want {
		return fmt.Errorf("lvs-ha took over with the reason %q, want %q", i.Reason, want)
	}
	return nil
}

// settledAfter is how many adverts prove that the roles stay: a backup that took
// none would be master after three.
const settledAfter = 5

// settle waits until the roles are as wanted, and sees that they stay so and
// that neither side refuses what it hears.
func (m *match) settle(best, other side) error {
	if err := m.becomes(best, master); err != nil {
		return err
	}
	if err := m.becomes(other, backup); err != nil {
		return err
	}
	if err := m.stay(best, other); err != nil {
		return err
	}
	for _, s := range []side{best, other} {
		if complaints, err := s.complaints(m.ctx); err != nil || complaints != "" {
			return errors.Join(fmt.Errorf("%s complains: %s", s.name, complaints), err)
		}
	}
	return nil
}

// stay sees that the roles stay, and that the VIPs follow them.
func (m *match) stay(best, other side) error {
	marks := make(map[string]int64)
	for _, s := range []side{best, other} {
		_, mark, err := s.role(m.ctx)
		if err != nil {
			return err
		}
		marks[s.name] = mark
	}
	if err := m.adverts(settledAfter); err != nil {
		return err
	}
	for role, s := range map[string]side{master: best, backup: other} {
		if now, mark, err := s.role(m.ctx); err != nil || now != role || mark != marks[s.name] {
			return errors.Join(fmt.Errorf("%s did not stay %s", s.name, role), err)
		}
		if err := m.holds(s, role == master); err != nil {
			return err
		}
	}
	return nil
}

// adverts waits until lvs-ha has sent, or received, n more adverts.
func (m *match) adverts(n uint64) error {
	before, err := m.lvsHA.instance(m.ctx)
	if err != nil {
		return err
	}
	return m.within(func(ctx context.Context) error {
		return m.lvsHA.waitInstance(ctx, fmt.Sprintf("%d more adverts", n), func(i control.Instance) bool {
			return i.Sent >= before.Sent+n || i.Received >= before.Received+n
		})
	})
}

func (m *match) becomes(s side, role string) error {
	err := m.within(func(ctx context.Context) error { return s.waitRole(ctx, role) })
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// holds waits until a side holds the VIPs, or until it doesn't.
func (m *match) holds(s side, want bool) error {
	return m.within(func(ctx context.Context) error {
		return poll(ctx, fmt.Sprintf("%s holds the VIPs: %t", s.name, want), func() (bool, error) {
			holds, err := s.end.holds(m.family.vip())
			return holds == want, err
		})
	})
}

// within calls do with a context of limited patience.
func (m *match) within(do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(m.ctx, patience)
	defer cancel()
	return do(ctx)
}
