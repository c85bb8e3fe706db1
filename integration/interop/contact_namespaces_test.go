// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// TestFirstContact starts lvs-ha before the counterpart, which refuses the
// checksum of RFC 9568 and becomes master beside a better lvs-ha. That lasts
// until lvs-ha has heard it and answers in its form.
func TestFirstContact(t *testing.T) {
	requireNamespaces(t, "keepalived", "frr")
	peers := []string{keepalived, frr}
	eachOf(t, peers, func(t *testing.T, i int) {
		m := newMatch(t, combination{
			peer: peers[i], version: 3, family: familyIPv4, checksum: checksumPseudoHeader, macHis: peers[i] == frr, higher: true, preempt: true,
		}, nil)
		if err := m.firstContact(); err != nil {
			t.Fatal(err)
		}
	})
}

func (m *match) firstContact() error {
	if err := m.starts(m.own, master); err != nil {
		return err
	}
	if err := m.within(m.his.start); err != nil {
		return err
	}
	const changes = 3 // it becomes backup, master, backup
	err := m.within(func(ctx context.Context) error {
		return poll(ctx, "a counterpart that was master and is backup", func() (bool, error) {
			role, mark, err := m.his.role(ctx)
			return role == backup && mark >= changes, err
		})
	})
	if err != nil {
		return err
	}
	return m.stay(m.own, m.his)
}

// refusals are counterparts that lvs-ha must not follow, with the reason that it
// counts. Where the versions differ the counterpart is the faster one: what
// keepalived refuses restarts its timer, and keeps a slower one from sending.
var refusals = []struct {
	name    string
	version int
	unicast bool
	change  func(own, his *settings)
	reason  string
}{
	{"his version is 2", 3, false, func(own, his *settings) { his.Version, his.Seconds, own.Seconds = 2, 1, 2 }, "version"},
	{"his version is 3", 2, false, func(_, his *settings) { his.Version, his.Seconds = 3, 0.2 }, "version"},
	{"he has no password", 2, false, func(own, _ *settings) { own.Password = password }, "auth_type"},
	{"he has a password", 2, false, func(_, his *settings) { his.Password = password }, "auth_type"},
	{"his password is another", 2, false, func(own, his *settings) { own.Password, his.Password = password, "another" }, "password"},
	{"his interval is another", 2, false, func(_, his *settings) { his.Seconds = 2 }, "interval"},
	{"his addresses are others", 2, false, func(_, his *settings) { his.Addresses = his.Addresses[1:] }, "addresses"},
	{"he is no peer", 3, true, func(own, _ *settings) { own.Peer = "192.0.2.99" }, "peer"},
	{"his VRID is another", 3, false, func(_, his *settings) { his.VRID++ }, "vrid"},
}

// TestRefusal lets lvs-ha become master beside a better keepalived that it must
// not follow.
func TestRefusal(t *testing.T) {
	requireNamespaces(t, "keepalived")
	var names []string
	for _, r := range refusals {
		names = append(names, r.name)
	}
	eachOf(t, names, func(t *testing.T, i int) {
		r := refusals[i]
		sum := checksumPseudoHeader
		if r.version == 2 {
			sum = checksumFixed
		}
		m := newMatch(t, combination{
			peer: keepalived, version: r.version, family: familyIPv4, unicast: r.unicast, checksum: sum, preempt: true,
		}, r.change)
		if err := m.refuses(r.reason); err != nil {
			t.Fatal(err)
		}
	})
}

func (m *match) refuses(reason string) error {
	if err := m.starts(m.his, master); err != nil {
		return err
	}
	if err := m.starts(m.own, master); err != nil {
		return err
	}
	if role, _, err := m.his.role(m.ctx); err != nil || role != master {
		return fmt.Errorf("the counterpart is %s, no longer master: %w", role, err)
	}
	discards := make(map[string]uint64)
	err := m.within(func(ctx context.Context) error {
		return poll(ctx, "refusals", func() (_ bool, err error) {
			discards, err = m.lvsHA.discards(ctx)
			return discards[reason] > 0, err
		})
	})
	if err != nil || len(discards) > 1 {
		return errors.Join(fmt.Errorf("refused %v, want only the reason %s", discards, reason), err)
	}
	return nil
}
