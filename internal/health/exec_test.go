// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/command"
)

// self is who runs the tests.
func self() string { return strconv.Itoa(os.Geteuid()) }

func script(text string) *Exec { return &Exec{Argv: []string{"/bin/sh", "-c", text}, User: self()} }

func TestExec(t *testing.T) {
	target4, target6 := netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("[2001:db8::1]:443")
	tests := []struct {
		name    string
		exec    *Exec
		target  netip.AddrPort
		timeout time.Duration
		reason  string
	}{
		{"success", script("exit 0"), netip.AddrPort{}, answer, ""},
		{"failure", script("echo disk full; exit 2"), netip.AddrPort{}, answer, "exit status 2: disk full"},
		{"signal", script("kill -KILL $$"), netip.AddrPort{}, answer, "ended by signal 9 (killed)"},
		{"missing", &Exec{Argv: []string{"/nonexistent"}, User: self()}, netip.AddrPort{}, answer,
			"cannot start: no such file or directory (as user " + self() + ")"},
		{"too long", script("exec sleep 1000"), netip.AddrPort{}, 50 * time.Millisecond, "no end within 50ms, killed"},
		{"address", script(`echo "$LVSHA_ADDRESS $LVSHA_PORT"; exit 1`), target4, answer, "exit status 1: 192.0.2.1 80"},
		{"IPv6 address", script(`echo "$LVSHA_ADDRESS $LVSHA_PORT"; exit 1`), target6, answer, "exit status 1: 2001:db8::1 443"},
		{"no address", script(`echo "${LVSHA_ADDRESS-none} ${LVSHA_PORT-none}"; exit 1`), netip.AddrPort{}, answer, "exit status 1: none none"},
		{"long words", script("head -c 5000 /dev/zero | tr '\\0' x; exit 1"), netip.AddrPort{}, answer,
			"exit status 1: " + strings.Repeat("x", maxReason-len("exit status 1: ")) + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := probe(t, check(Check{Type: TypeExec, Exec: tt.exec}, tt.timeout), tt.target)
			if got != tt.reason {
				t.Errorf("reason %q, want %q", got, tt.reason)
			}
		})
	}
}

// TestExecInterrupted cancels a probe whose program runs.
func TestExecInterrupted(t *testing.T) {
	p, err := NewProber(check(Check{Type: TypeExec, Exec: script("exec sleep 1000")}, answer))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel) // before or after the start: the same
	err = p.Probe(ctx, netip.AddrPort{})
	if want := "probe stopped: context canceled"; !errors.Is(err, context.Canceled) || err.Error() != want {
		t.Errorf("probe: %v, want %s", err, want)
	}
}

// TestExecDoesNotPileUp has the kernel not end an earlier program.
func TestExecDoesNotPileUp(t *testing.T) {
	gone := make(chan struct{})
	p := newExecProber(check(Check{Type: TypeExec, Exec: script("exit 0")}, answer))
	p.gone = gone
	const want = "the program of an earlier probe was killed, but the kernel has not ended it"
	if got := reasonOf(p.Probe(t.Context(), netip.AddrPort{})); got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
	close(gone)
	if got := reasonOf(p.Probe(t.Context(), netip.AddrPort{})); got != "" {
		t.Errorf("reason %q once it was gone, want none", got)
	}
}

func TestExecCauseIsKept(t *testing.T) {
	p, err := NewProber(check(Check{Type: TypeExec, Exec: script("exit 3")}, answer))
	if err != nil {
		t.Fatal(err)
	}
	var failed *command.Error
	if err := p.Probe(t.Context(), netip.AddrPort{}); !errors.As(err, &failed) || failed.Status != 3 {
		t.Errorf("%v does not wrap exit status 3", err)
	}
}

// TestRunnerExecWithoutAddress has a runner probe a target without address, whose program fails, then succeeds.
func TestRunnerExecWithoutAddress(t *testing.T) {
	file := filepath.Join(t.TempDir(), "up")
	results := make(chan Result)
	ctx, cancel := context.WithCancel(t.Context())
	r := NewRunner(func(result Result) {
		select {
		case results <- result:
		case <-ctx.Done():
		}
	})
	c := Check{Type: TypeExec, Exec: script("test -e " + file), Interval: time.Millisecond, Timeout: answer, Rise: 2, Fall: 1}
	if err := r.Set([]Target{{ID: "track", Check: c}}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	if first := <-results; first.Verdict != Failed || !first.Changed {
		t.Errorf("first result %+v, want failed", first)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	successes := 0
	for result := range results {
		if result.Err == nil {
			successes++
		}
		if result.Verdict == Healthy {
			break
		}
	}
	if successes != 2 {
		t.Errorf("healthy after %d successes, want 2", successes)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}
