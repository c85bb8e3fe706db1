// SPDX-License-Identifier: Apache-2.0

package track

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// needConnector skips the test where the kernel does not tell of processes.
func needConnector(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	s, err := subscribe(ctx)
	switch {
	case err == nil:
		s.close()
	case os.Geteuid() != 0, errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.EPROTONOSUPPORT), !initialNamespace(t, "pid", 0xeffffffc),
		!initialNamespace(t, "user", 0xeffffffd):
		t.Skipf("no process connector here: %v", err)
	default:
		t.Fatal(err)
	}
}

// initialNamespace tells whether this process is in the initial namespace of a kind, whose inode number is fixed
// (include/uapi/linux/nsfs.h).
func initialNamespace(t *testing.T, kind string, inode uint64) bool {
	t.Helper()
	var got unix.Stat_t
	must(t, unix.Stat("/proc/self/ns/"+kind, &got))
	return got.Ino == inode
}

// ownProgram returns the path of a program that only this test runs. It lives as long as its standard input is open.
func ownProgram(t *testing.T) string {
	t.Helper()
	cat, err := os.ReadFile("/bin/cat")
	must(t, err)
	path := filepath.Join(t.TempDir(), "vtst-track")
	must(t, os.WriteFile(path, cat, 0o755))
	return path
}

// run starts a program; end ends it.
func run(t *testing.T, path string) (end func()) {
	t.Helper()
	cmd := exec.Command(path)
	input, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	return func() {
		_ = input.Close()
		_ = cmd.Wait()
	}
}

// TestRealProcesses is told of processes by the kernel, and by regular scans.
func TestRealProcesses(t *testing.T) {
	tests := []struct {
		name  string
		setUp func(*testing.T, *rig)
	}{
		{"connector", func(t *testing.T, r *rig) {
			needConnector(t)
			r.pace.scan, r.pace.check = never, never
		}},
		{"scan", func(_ *testing.T, r *rig) {
			r.Watcher.events = func(context.Context) (subscription, error) { return nil, os.ErrPermission }
			r.pace.scan = 20 * time.Millisecond
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := ownProgram(t)
			link := filepath.Join(t.TempDir(), "link")
			must(t, os.Symlink(path, link))
			trackers := []Tracker{
				{Name: "by comm", Process: "vtst-track", Count: 1},
				{Name: "by path", Process: path, Count: 2},
				{Name: "by link", Process: link, Count: 1},
			}
			r := newRig(t)
			tt.setUp(t, r)
			r.Set(trackers)
			r.start(t)
			state := func(n int) map[string]Reading {
				byName := map[string]Reading{}
				for _, tr := range trackers {
					c := census{}
					w := wantedProcess{Tracker: tr, resolved: path}
					all := map[int]process{}
					for pid := range n {
						all[pid] = process{"vtst-track", path}
					}
					c.recount([]wantedProcess{w}, all)
					byName[tr.Name] = c.reading(w)
				}
				return byName
			}
			r.settle(t, state(0))
			first := run(t, path)
			r.settle(t, state(1))
			second := run(t, path)
			r.settle(t, state(2))
			first()
			r.settle(t, state(1))
			write(t, path+".new", "") // replaced, as an update does
			must(t, os.Rename(path+".new", path))
			second()
			r.settle(t, state(0))
		})
	}
}

// settle takes readings until they are as wanted: between them a process may be seen as a copy of its parent.
func (r *rig) settle(t *testing.T, want map[string]Reading) {
	t.Helper()
	open := map[string]Reading{}
	for name, reading := range want {
		open[name] = reading
	}
	end := time.After(enough)
	for len(open) > 0 {
		select {
		case got := <-r.readings:
			if got == want[got.Name] {
				delete(open, got.Name)
			} else {
				open[got.Name] = want[got.Name]
			}
		case <-end:
			t.Fatalf("never read: %+v", open)
		}
	}
}

// TestCensusAfterChurn starts more processes than a small receive buffer holds events of.
func TestCensusAfterChurn(t *testing.T) {
	needConnector(t)
	path := ownProgram(t)
	r := newRig(t)
	overran := make(chan struct{}, 1)
	r.Watcher.events = func(ctx context.Context) (subscription, error) {
		s, err := subscribe(ctx)
		if err != nil {
			return nil, err
		}
		must(t, s.(*connector).conn.SetsockoptInt(unix.SOL_SOCKET, unix.SO_RCVBUF, 2048))
		return slowReader{s, overran}, nil
	}
	r.pace.scan, r.pace.check = never, never
	tracker := Tracker{Name: "n", Process: path, Count: 1}
	r.Set([]Tracker{tracker})
	r.start(t)
	r.settle(t, map[string]Reading{"n": {Name: "n", Detail: "0 of " + path + " running, expected 1"}})
	for done := false; !done; {
		for range 50 {
			run(t, path)()
		}
		select {
		case <-overran:
			done = true
		default:
		}
	}
	end := run(t, path)
	defer end()
	r.settle(t, map[string]Reading{"n": {Name: "n", Value: 1, OK: true}})
}

// slowReader has its socket overrun soon.
type slowReader struct {
	subscription
	overran chan<- struct{}
}

func (s slowReader) receive() ([]procEvent, error) {
	time.Sleep(5 * time.Millisecond) // is what makes it slow
	events, err := s.subscription.receive()
	if errors.Is(err, errOverrun) {
		select {
		case s.overran <- struct{}{}:
		default:
		}
	}
	return events, err
}
