// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-ha/lvs-ha/internal/control"
)

// keyed is the keyed authentication of one side.
type keyed struct {
	mode   string // empty: no authentication
	keys   string // a letter for each key: its id is its place in the alphabet, a capital has another secret
	active byte   // letter of the key that signs
}

// String returns the auth table, empty without authentication.
func (k keyed) String() string {
	if k.mode == "" {
		return ""
	}
	var keys []string
	for _, letter := range k.keys {
		keys = append(keys, fmt.Sprintf(`{ id = %d, key = "%s" }`, keyID(letter), strings.Repeat(string(letter), 32)))
	}
	return fmt.Sprintf(`{ mode = "%s", active_key = %d, keys = [%s] }`, k.mode, keyID(rune(k.active)), strings.Join(keys, ", "))
}

func keyID(letter rune) int { return strings.Index("abc", strings.ToLower(string(letter))) + 1 }

// The modes with one key.
var (
	none        = keyed{}
	enforce     = keyed{"enforce", "a", 'a'}
	permissive  = keyed{"permissive", "a", 'a'}
	receiveOnly = keyed{"receive-only", "a", 'a'}
)

// authMixes are the settings of a better router, with what those of a listener
// make of it: followed, or refused for a reason.
var authMixes = []struct {
	speaks  keyed
	listens keyed
	refused string // empty: followed
}{
	{none, none, ""},
	{none, receiveOnly, ""},
	{none, permissive, ""},
	{none, enforce, "unsigned"},
	{receiveOnly, none, ""},
	{receiveOnly, receiveOnly, ""},
	{receiveOnly, permissive, ""},
	{receiveOnly, enforce, "unsigned"},
	{permissive, none, "long"},
	{permissive, receiveOnly, ""},
	{permissive, permissive, ""},
	{permissive, enforce, ""},
	{enforce, none, "long"},
	{enforce, receiveOnly, ""},
	{enforce, permissive, ""},
	{enforce, enforce, ""},

	// Keys that differ.
	{enforce, keyed{"enforce", "A", 'A'}, "hmac"},
	{enforce, keyed{"permissive", "A", 'A'}, "hmac"},
	{enforce, keyed{"receive-only", "A", 'A'}, "hmac"},
	{enforce, keyed{"enforce", "b", 'b'}, "unknown_key"},
	{enforce, keyed{"permissive", "b", 'b'}, "unknown_key"},
	{keyed{"enforce", "ab", 'b'}, keyed{"enforce", "ab", 'a'}, ""},
}

// TestAuthenticationModes lets a router with one setting listen to a better one
// with another, over both families.
func TestAuthenticationModes(t *testing.T) {
	requireNamespaces(t)
	families := []family{familyIPv4, familyIPv6}
	var names []string
	for _, mix := range authMixes {
		for _, f := range families {
			names = append(names, fmt.Sprintf("%s/%s hears %s", f, mix.listens.name(), mix.speaks.name()))
		}
	}
	eachOf(t, names, func(t *testing.T, i int) {
		mix := authMixes[i/len(families)]
		m := newMatch(t, authenticated(families[i%len(families)]), func(own, his *settings) {
			own.Keys, his.Keys = mix.listens.String(), mix.speaks.String()
		})
		var err error
		if mix.refused != "" {
			err = m.refuses(mix.refused)
		} else {
			err = m.follows()
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

func (k keyed) name() string {
	if k.mode == "" {
		return "none"
	}
	return fmt.Sprintf("%s %s-%c", k.mode, k.keys, k.active)
}

// authenticated is lvs-ha that listens to a better lvs-ha.
func authenticated(f family) combination {
	return combination{peer: itself, version: 3, family: f, preempt: true}
}

// follows starts the better router, and then lvs-ha.
func (m *match) follows() error {
	if err := m.starts(m.his, master); err != nil {
		return err
	}
	if err := m.starts(m.own, backup); err != nil {
		return err
	}
	if err := m.stay(m.his, m.own); err != nil {
		return err
	}
	if discards, err := m.lvsHA.discards(m.ctx); err != nil || len(discards) > 0 {
		return errors.Join(fmt.Errorf("refused %v", discards), err)
	}
	return nil
}

// rollout takes a pair from no authentication to a second key, one reload at a
// time, as an operator does it: first all can verify, then all sign, then none
// takes the unsigned; a new key is known to all before it signs, and an old one
// goes when none signs with it.
var rollout = []struct {
	listener, speaker keyed
	signs             int // id of the key in the speaker's adverts; 0: unsigned
}{
	{receiveOnly, none, 0},
	{receiveOnly, receiveOnly, 0},
	{receiveOnly, permissive, 1},
	{permissive, permissive, 1},
	{permissive, enforce, 1},
	{enforce, enforce, 1},
	{keyed{"enforce", "ab", 'a'}, enforce, 1},
	{keyed{"enforce", "ab", 'a'}, keyed{"enforce", "ab", 'a'}, 1},
	{keyed{"enforce", "ab", 'a'}, keyed{"enforce", "ab", 'b'}, 2},
	{keyed{"enforce", "ab", 'b'}, keyed{"enforce", "ab", 'b'}, 2},
	{keyed{"enforce", "b", 'b'}, keyed{"enforce", "ab", 'b'}, 2},
	{keyed{"enforce", "b", 'b'}, keyed{"enforce", "b", 'b'}, 2},
}

// TestAuthenticationRollout counts the adverts on the wire: the backup takes
// each of them, whatever is reloaded.
func TestAuthenticationRollout(t *testing.T) {
	requireNamespaces(t)
	families := []family{familyIPv4, familyIPv6}
	eachOf(t, []string{string(familyIPv4), string(familyIPv6)}, func(t *testing.T, i int) {
		var own, his settings
		m := newMatch(t, authenticated(families[i]), func(o, h *settings) { own, his = *o, *h })
		wire := capture(t, m.own.end, families[i])
		ok(t, m.starts(m.own, master)) // it hears the better one from its first advert on
		ok(t, m.starts(m.his, master))
		ok(t, m.becomes(m.own, backup))
		_, mark, err := m.own.role(m.ctx)
		ok(t, err)

		want := []int{0}
		for _, step := range rollout {
			own.Keys, his.Keys = step.listener.String(), step.speaker.String()
			ok(t, m.reload(t, m.lvsHA, own))
			ok(t, m.reload(t, m.his.router.(*lvsHA), his))
			ok(t, m.adverts(settledAfter))
			if step.signs != want[len(want)-1] {
				want = append(want, step.signs)
			}
		}
		if role, now, err := m.own.role(m.ctx); err != nil || role != backup || now != mark {
			t.Errorf("lvs-ha did not stay backup: it is %s: %v", role, err)
		}
		m.his.die()
		ok(t, m.becomes(m.own, master))
		if complaints, err := m.own.complaints(m.ctx); err != nil || complaints != "" {
			t.Errorf("complaints: %s %v", complaints, err)
		}
		status, err := m.lvsHA.instance(m.ctx)
		ok(t, err)
		got := wire.close()
		if got.count != status.Received {
			t.Errorf("lvs-ha took %d adverts of the %d on the wire", status.Received, got.count)
		}
		if diff := cmp.Diff(want, got.signed); diff != "" {
			t.Errorf("keys that signed, one after the other (-want +got):\n%s", diff)
		}
		if got.backwards > 0 {
			t.Errorf("%d sequences were not higher than the one before", got.backwards)
		}
	})
}

// reload gives one side other settings; it is in force when reload returns.
func (m *match) reload(t *testing.T, l *lvsHA, s settings) error {
	t.Helper()
	l.configure(t, s)
	return m.within(func(ctx context.Context) error {
		if err := l.client.Reload(ctx); err != nil {
			return fmt.Errorf("reload: %w", err)
		}
		return l.waitInstance(ctx, "an instance", func(control.Instance) bool { return true })
	})
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
