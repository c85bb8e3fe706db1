// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeDaemon answers with what it holds.
type fakeDaemon struct {
	status    Status
	reloadErr error
	reloads   int
	orderErr  error
	orders    []string
	notes     []string
}

func (f *fakeDaemon) Status(context.Context) (Status, error) { return f.status, nil }

func (f *fakeDaemon) Reload(context.Context) ([]string, error) {
	f.reloads++
	return f.notes, f.reloadErr
}

func (f *fakeDaemon) order(format string, args ...any) error {
	f.orders = append(f.orders, fmt.Sprintf(format, args...))
	return f.orderErr
}

func (f *fakeDaemon) Standby(_ context.Context, instance string) ([]string, error) {
	return f.notes, f.order("standby %q", instance)
}

func (f *fakeDaemon) Resume(_ context.Context, instance string) error {
	return f.order("resume %q", instance)
}

func (f *fakeDaemon) SetPriority(_ context.Context, instance string, priority uint8) ([]string, error) {
	return f.notes, f.order("priority %q %d", instance, priority)
}

func serve(t *testing.T, d Daemon) (path string) {
	t.Helper()
	path = SocketPath(t.TempDir())
	s, err := Listen(path, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("socket after Run: %v, want it removed", err)
		}
	})
	return path
}

func example() Status {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w100, w0 := 100, 0
	return Status{
		Name: "d1", Version: "1", PID: 7, Started: at, ConfigFile: "/etc/lvs-ha/lvs-ha.toml",
		Reload: &Reload{At: at, Error: "f:1:2: bad"},
		Instances: []Instance{{
			Name: "web", Interface: "eth0", VRID: 51, Priority: 150, State: "master", Since: at, Reason: "master down timer",
			Addresses: []string{"192.0.2.10/24 dev eth0"}, Held: []string{"192.0.2.10/24 dev eth0"},
			Discarded: map[string]uint64{"ttl": 3},
		}},
		VirtualServers: []VirtualServer{{
			Name: "www", Protocol: "tcp", Address: "192.0.2.10:80", Scheduler: "wlc", InKernel: true,
			RealServers: []RealServer{
				{Address: "10.0.1.11:80", Forward: "masquerade", WeightWanted: &w100, WeightKernel: &w0, Probe: "healthy", Active: 4, Inactive: 5},
				{Address: "10.0.1.12:80", Forward: "masquerade", Probe: "failed", LastError: "connection refused", LastErrorAt: &at},
			},
		}},
		Sync: Sync{Mode: "multicast", Wanted: "master", Daemons: []SyncDaemon{{Role: "master", Interface: "eth1", ID: 7}}},
	}
}

func TestStatusRoundTrip(t *testing.T) {
	d := &fakeDaemon{status: example()}
	got, err := NewClient(serve(t, d)).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d.status, got); diff != "" {
		t.Errorf("status (-sent +received):\n%s", diff)
	}
}

func TestReload(t *testing.T) {
	d := &fakeDaemon{}
	c := NewClient(serve(t, d))
	if err := c.Reload(t.Context()); err != nil {
		t.Errorf("Reload() = %v", err)
	}
	d.reloadErr = errors.New("f:1:2: unknown key\nf:3:4: bad port")
	if err := c.Reload(t.Context()); err == nil || err.Error() != d.reloadErr.Error() {
		t.Errorf("Reload() = %v, want the daemon's words: %v", err, d.reloadErr)
	}
	if d.reloads != 2 {
		t.Errorf("%d reloads reached the daemon, want 2", d.reloads)
	}
}

func TestNoDaemon(t *testing.T) {
	_, err := NewClient(SocketPath(t.TempDir())).Status(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is lvs-ha running") {
		t.Errorf("Status() without a daemon = %v", err)
	}
}

func TestSocketMode(t *testing.T) {
	fi, err := os.Stat(serve(t, &fakeDaemon{}))
	if err != nil {
		t.Fatal(err)
	}
	if got := fi.Mode().Perm(); got != 0o660 {
		t.Errorf("mode of the socket = %o, want 660", got)
	}
}

func TestSocketOfLiveDaemonIsRefused(t *testing.T) {
	path := serve(t, &fakeDaemon{status: example()})
	if _, err := Listen(path, &fakeDaemon{}); err == nil || !strings.Contains(err.Error(), "another daemon answers") {
		t.Errorf("Listen() beside a live daemon = %v", err)
	}
	if got, err := NewClient(path).Status(t.Context()); err != nil || got.Name != "d1" {
		t.Errorf("the live daemon answers %q, %v", got.Name, err)
	}
}

func TestSocketOfDeadDaemonIsTakenOver(t *testing.T) {
	path := SocketPath(t.TempDir())
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	s, err := Listen(path, &fakeDaemon{})
	if err != nil {
		t.Fatalf("Listen() on a dead socket = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestText(t *testing.T) {
	var b strings.Builder
	if err := example().WriteText(&b, time.Date(2026, 1, 2, 3, 5, 35, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"lvs-ha 1 on d1, pid 7, up 1m30s",
		"last reload refused 1m30s ago: f:1:2: bad",
		"web", "master down timer", "192.0.2.10/24 dev eth0",
		"connection refused (1m30s ago)",
		"multicast, wanted master, kernel runs master on eth1 id 7",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("text lacks %q:\n%s", want, &b)
		}
	}
	t.Log("\n" + b.String())
}

// FuzzStatus feeds the client's decoder what no daemon of ours would send.
func FuzzStatus(f *testing.F) {
	b, err := json.Marshal(example())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"vrrp":[{}],"virtual_servers":[{"real_servers":[{"last_error_at":null}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Status
		if json.Unmarshal(b, &s) == nil {
			_ = s.WriteText(&strings.Builder{}, time.Time{})
		}
	})
}
