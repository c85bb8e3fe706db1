// SPDX-License-Identifier: Apache-2.0

package syncd_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/lvs-ha/lvs-ha/internal/syncd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func daemon(role syncd.Role, iface string, id uint8) syncd.Daemon {
	return syncd.Daemon{Role: role, Config: syncd.Config{Interface: iface, ID: id}}
}

var (
	master  = daemon(syncd.Master, "eth0", 7)
	backup  = daemon(syncd.Backup, "eth0", 7)
	backup1 = daemon(syncd.Backup, "eth1", 7)
)

func list(d ...syncd.Daemon) []syncd.Daemon { return d }

func TestFollow(t *testing.T) {
	tests := []struct {
		name       string
		have, want []syncd.Daemon
		done       []string
	}{
		{name: "nothing"},
		{name: "start", want: list(backup), done: []string{"start backup sync daemon on eth0 with id 7"}},
		{name: "already as wanted", have: list(master), want: list(master)},
		{
			name: "to master: the backup stops first", have: list(backup), want: list(master),
			done: []string{"stop backup sync daemon on eth0 with id 7", "start master sync daemon on eth0 with id 7"},
		},
		{
			name: "to backup: the master stops first", have: list(master), want: list(backup),
			done: []string{"stop master sync daemon on eth0 with id 7", "start backup sync daemon on eth0 with id 7"},
		},
		{
			name: "a master of others beside ours", have: list(master, backup), want: list(backup),
			done: []string{"stop master sync daemon on eth0 with id 7"},
		},
		{
			name: "other interface", have: list(backup), want: list(backup1),
			done: []string{"stop backup sync daemon on eth0 with id 7", "start backup sync daemon on eth1 with id 7"},
		},
		{
			name: "other id", have: list(daemon(syncd.Backup, "eth0", 8)), want: list(backup),
			done: []string{"stop backup sync daemon on eth0 with id 8", "start backup sync daemon on eth0 with id 7"},
		},
		{
			name: "none", have: list(master, backup),
			done: []string{"stop master sync daemon on eth0 with id 7", "stop backup sync daemon on eth0 with id 7"},
		},
	}
	for _, tt := range tests {
		for _, acks := range []string{"answers arrive", "answers get lost"} {
			t.Run(tt.name+", "+acks, func(t *testing.T) {
				fake := syncd.NewFake(tt.have...)
				if acks == "answers get lost" {
					fake.LoseAnswers()
				}
				changed, err := syncd.NewController(fake).Follow(t.Context(), tt.want)
				if err != nil {
					t.Fatal(err)
				}
				if want := len(tt.done) > 0; changed != want {
					t.Errorf("changed %v, want %v", changed, want)
				}
				var done []string
				for _, op := range fake.Done() {
					done = append(done, op.String())
				}
				if d := cmp.Diff(tt.done, done); d != "" {
					t.Errorf("operations (-want +got):\n%s", d)
				}
				checkRunning(t, fake, tt.want)
			})
		}
	}
}

func checkRunning(t interface {
	Helper()
	Errorf(string, ...any)
}, fake *syncd.Fake, want []syncd.Daemon) {
	t.Helper()
	got, err := fake.Daemons(context.Background())
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.SortSlices(func(a, b syncd.Daemon) bool { return a.Role < b.Role })); d != "" || err != nil {
		t.Errorf("running: %v (-want +got):\n%s", err, d)
	}
}

// TestFollowFailures: what cannot be stopped keeps the other from being started, and what failed is told.
func TestFollowFailures(t *testing.T) {
	tests := []struct {
		name       string
		have, want []syncd.Daemon
		refuse     syncd.Verb
		err        error
		running    []syncd.Daemon
	}{
		{"master does not stop", list(master), list(backup), syncd.Stop, unix.EPERM, list(master)},
		{"master does not start", list(backup), list(master), syncd.Start, unix.ENODEV, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := syncd.NewFake(tt.have...)
			fake.Refuse(func(op syncd.Op) error {
				if op.Verb == tt.refuse {
					return tt.err
				}
				return nil
			})
			controller := syncd.NewController(fake)
			if _, err := controller.Follow(t.Context(), tt.want); !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			checkRunning(t, fake, tt.running)

			fake.Refuse(nil)
			if _, err := controller.Follow(t.Context(), tt.want); err != nil {
				t.Errorf("next time: %v", err)
			}
			checkRunning(t, fake, tt.want)
		})
	}
}

// ineffective acknowledges everything and does nothing.
type ineffective struct{ *syncd.Fake }

func (ineffective) Start(context.Context, syncd.Daemon) error { return nil }
func (ineffective) Stop(context.Context, syncd.Role) error    { return nil }

func TestFollowBelievesOnlyWhatItReads(t *testing.T) {
	for _, want := range [][]syncd.Daemon{list(master), list(backup), nil} {
		have := list(backup)
		if len(want) == 1 && want[0] == backup {
			have = nil
		}
		_, err := syncd.NewController(ineffective{syncd.NewFake(have...)}).Follow(t.Context(), want)
		if err == nil || !strings.Contains(err.Error(), "without effect") {
			t.Errorf("from %v to %v: error %v, want one that says it had no effect", have, want, err)
		}
	}
}

func TestFollowRefusesWhatCannotBe(t *testing.T) {
	tests := []struct {
		name string
		want []syncd.Daemon
		err  string
	}{
		{"two masters", list(master, daemon(syncd.Master, "eth1", 7)), "runs one master only"},
		{"no role", list(daemon(0, "eth0", 7)), "want master or backup, not role(0)"},
		{"no interface", list(daemon(syncd.Master, "", 7)), "want a name of 1 to 15 bytes"},
		{"interface too long", list(daemon(syncd.Master, "sixteen-bytes-xx", 7)), "want a name of 1 to 15 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := syncd.NewFake(backup)
			_, err := syncd.NewController(fake).Follow(t.Context(), tt.want)
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want one with %q", err, tt.err)
			}
			checkRunning(t, fake, list(backup))
		})
	}
}

// watched fails the test as soon as a master runs that is not wanted while something is started.
type watched struct {
	*syncd.Fake
	t    *rapid.T
	want []syncd.Daemon
}

func (w watched) Start(ctx context.Context, d syncd.Daemon) error {
	have, err := w.Daemons(ctx)
	if err != nil {
		return err
	}
	for _, h := range have {
		if !slices.Contains(w.want, h) {
			w.t.Fatalf("start %v while the unwanted %v runs", d, h)
		}
	}
	return w.Fake.Start(ctx, d)
}

func TestFollowAnySequence(t *testing.T) {
	daemons := rapid.Custom(func(t *rapid.T) []syncd.Daemon {
		var some []syncd.Daemon
		for _, role := range []syncd.Role{syncd.Master, syncd.Backup} {
			if rapid.Bool().Draw(t, role.String()) {
				iface := rapid.SampledFrom([]string{"eth0", "eth1"}).Draw(t, "interface")
				some = append(some, daemon(role, iface, rapid.Uint8Range(0, 1).Draw(t, "id")))
			}
		}
		return some
	})
	rapid.Check(t, func(t *rapid.T) {
		fake := syncd.NewFake(daemons.Draw(t, "have")...)
		for range rapid.IntRange(1, 5).Draw(t, "steps") {
			want := daemons.Draw(t, "want")
			if _, err := syncd.NewController(watched{fake, t, want}).Follow(context.Background(), want); err != nil {
				t.Fatal(err)
			}
			checkRunning(t, fake, want)
			if changed, err := syncd.NewController(fake).Follow(context.Background(), want); changed || err != nil {
				t.Fatalf("again: changed %v, %v", changed, err)
			}
		}
	})
}
