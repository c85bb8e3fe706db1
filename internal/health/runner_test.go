// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errDown = errors.New("down")

// rig is a runner in a synctest bubble: time passes only in sleep, and every
// probe is a call of probe.
type rig struct {
	*Runner
	made   int // probers
	begun  time.Time
	cancel context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex
	probe   proberFunc
	results []Result
}

// newRig starts a runner of targets; probe nil succeeds at once.
func newRig(t *testing.T, probe proberFunc, targets ...Target) *rig {
	t.Helper()
	if probe == nil {
		probe = func(context.Context, netip.AddrPort) error { return nil }
	}
	r := &rig{
		probe: probe,
		begun: time.Now(),
		ended: make(chan struct{}),
	}
	r.Runner = NewRunner(func(result Result) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.results = append(r.results, result)
	})
	r.newProber = func(c Check) (Prober, error) {
		if c.Type == "" {
			return nil, errors.New("type missing")
		}
		r.made++
		return proberFunc(func(ctx context.Context, address netip.AddrPort) error {
			r.mu.Lock()
			probe := r.probe
			r.mu.Unlock()
			return probe(ctx, address)
		}), nil
	}
	r.set(t, targets...)
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	return r
}

func (r *rig) set(t *testing.T, targets ...Target) {
	t.Helper()
	if err := r.Set(targets); err != nil {
		t.Fatal(err)
	}
}

// sleep lets d pass and returns the results of that time, which is at first
// that of the probes which start at once.
func (r *rig) sleep(d time.Duration) []Result {
	time.Sleep(d)
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	results := r.results
	r.results = nil
	return results
}

// become replaces what a probe does from its next call on.
func (r *rig) become(probe proberFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.probe = probe
}

func (r *rig) stop() {
	r.cancel()
	<-r.ended
}

type proberFunc func(context.Context, netip.AddrPort) error

func (f proberFunc) Probe(ctx context.Context, target netip.AddrPort) error { return f(ctx, target) }

// target is probed each 10 s, that is 9.5 to 10.5 s, for 4 s at most.
func target(id string, change ...func(*Target)) Target {
	t := Target{
		ID:      id,
		Address: netip.MustParseAddrPort("192.0.2.1:80"),
		Check:   Check{Type: TypeTCP, Interval: 10 * time.Second, Timeout: 4 * time.Second, Rise: 2, Fall: 2},
	}
	for _, c := range change {
		c(&t)
	}
	return t
}

func withRise(n int) func(*Target) { return func(t *Target) { t.Check.Rise = n } }

func withAddress(s string) func(*Target) {
	return func(t *Target) { t.Address = netip.MustParseAddrPort(s) }
}

// withPath gives each target a check of its own, equal in depth only.
func withPath(path string) func(*Target) {
	return func(t *Target) {
		t.Check.Type = TypeHTTP
		t.Check.HTTP = &HTTP{Path: path, Headers: map[string]string{"x": "y"}}
	}
}

func TestRunnerReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := func(context.Context, netip.AddrPort) error {
			time.Sleep(time.Second)
			return errDown
		}
		r := newRig(t, down, target("a"))
		defer r.stop()
		want := []Result{{ID: "a", At: r.begun, Duration: time.Second, Err: errDown, Verdict: Failed, Changed: true}}
		if diff := cmp.Diff(want, r.sleep(time.Second), cmp.Comparer(func(a, b error) bool { return a == b })); diff != "" {
			t.Errorf("first probe (-want +got):\n%s", diff)
		}
	})
}

func TestRunnerSpreadsFirstProbes(t *testing.T) {
	for _, n := range []int{1, 2, 50, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var targets []Target
				for i := range n {
					targets = append(targets, target(fmt.Sprint(i)))
				}
				r := newRig(t, nil, targets...)
				defer r.stop()
				starts := map[time.Time]bool{}
				results := r.sleep(time.Second)
				for _, result := range results {
					starts[result.At] = true
				}
				if len(results) != n || len(starts) != n {
					t.Errorf("%d probes at %d different times within a second, want %d", len(results), len(starts), n)
				}
				if !starts[r.begun] {
					t.Error("no probe started at once")
				}
			})
		})
	}
}

// TestRunnerInterval measures from start to start, whatever a probe takes.
func TestRunnerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(context.Context, netip.AddrPort) error {
			time.Sleep(3 * time.Second)
			return nil
		}
		r := newRig(t, slow, target("a"))
		defer r.stop()
		results := r.sleep(1000 * time.Second)
		if len(results) < 95 || len(results) > 106 {
			t.Fatalf("%d probes in 1000 s, want about 100", len(results))
		}
		distances := map[time.Duration]bool{}
		for i, result := range results[1:] {
			d := result.At.Sub(results[i].At)
			if d < 9500*time.Millisecond || d > 10500*time.Millisecond {
				t.Errorf("probe %d started %s after the one before, want 10s ± 5 %%", i+1, d)
			}
			distances[d] = true
		}
		if len(distances) < 50 {
			t.Errorf("only %d different distances: no jitter", len(distances))
		}
	})
}

func TestRunnerLimitsProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shortInterval := target("a")
		shortInterval.Check.Interval = time.Second
		inFlight := 0 // unguarded: the race detector finds a second probe too
		hanging := func(ctx context.Context, _ netip.AddrPort) error {
			inFlight++
			if inFlight > 1 {
				t.Error("two probes of one target in flight")
			}
			<-ctx.Done()
			inFlight--
			return ctx.Err()
		}
		r := newRig(t, hanging, shortInterval)
		defer r.stop()
		results := r.sleep(10 * time.Second)
		if len(results) != 2 {
			t.Fatalf("%d probes in 10 s, want 2 of 4 s each", len(results))
		}
		for _, result := range results {
			if result.Duration != 4*time.Second || !errors.Is(result.Err, context.DeadlineExceeded) {
				t.Errorf("probe ended after %s with %v, want the deadline after 4s", result.Duration, result.Err)
			}
		}
	})
}

func TestRunnerKeepsUnchangedTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, target("a", withPath("/")))
		defer r.stop()
		first := r.sleep(5 * time.Second)
		r.set(t, target("b"), target("a", withPath("/")))
		second := r.sleep(6 * time.Second)

		if r.made != 2 {
			t.Errorf("%d probers made, want one for each target", r.made)
		}
		want := []string{"b", "a"}
		if diff := cmp.Diff(want, ids(second)); diff != "" {
			t.Fatalf("probes after the second Set (-want +got):\n%s", diff)
		}
		if d := second[1].At.Sub(first[0].At); d < 9500*time.Millisecond {
			t.Errorf("the unchanged target was probed again after %s: its timer was reset", d)
		}
		if second[1].Changed {
			t.Error("the unchanged target's verdict changed: its history was lost")
		}
	})
}

func TestRunnerChangedTarget(t *testing.T) {
	tests := []struct {
		name    string
		changed Target
		results string // after the change: success at once, failures at each interval
	}{
		{"another check keeps the verdict", target("a", withPath("/")), "hhF"},
		{"another fall keeps the verdict", target("a", func(t *Target) { t.Check.Fall = 1 }), "hFf"},
		{"another address starts anew", target("a", withAddress("192.0.2.2:80")), "HhF"},
		{"another port starts anew", target("a", withAddress("192.0.2.1:81")), "HhF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, target("a"))
				defer r.stop()
				r.sleep(5 * time.Second)

				r.set(t, tt.changed)
				results := r.sleep(0)
				r.become(func(_ context.Context, address netip.AddrPort) error {
					if address != tt.changed.Address {
						t.Errorf("probe of %s, want %s", address, tt.changed.Address)
					}
					return errDown
				})
				results = append(results, r.sleep(22*time.Second)...)
				got := ""
				for _, result := range results {
					got += letter(result.Verdict, result.Changed)
				}
				if diff := cmp.Diff(tt.results, got); diff != "" {
					t.Errorf("verdicts (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestRunnerWaitsForTheEarlierProbe changes a target whose probe takes its time
// to stop.
func TestRunnerWaitsForTheEarlierProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stopped time.Time
		reluctant := func(ctx context.Context, _ netip.AddrPort) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			stopped = time.Now()
			return nil
		}
		r := newRig(t, reluctant, target("a"))
		defer r.stop()
		r.sleep(time.Second)
		r.set(t, target("a", withRise(1)))
		r.sleep(0)
		r.become(func(context.Context, netip.AddrPort) error { return nil })
		results := r.sleep(time.Second)
		if len(results) != 1 || results[0].At.Before(stopped) {
			t.Errorf("results %+v, want one probe, started after %s", results, stopped)
		}
	})
}

func TestRunnerRemovesTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, target("a"), target("b"))
		defer r.stop()
		r.sleep(5 * time.Second)
		r.set(t, target("b"))
		for _, result := range r.sleep(time.Minute) {
			if result.ID != "b" {
				t.Errorf("result of the removed target: %+v", result)
			}
		}
		r.set(t, target("b"), target("a"))
		if results := r.sleep(0); len(results) != 1 || results[0].ID != "a" || !results[0].Changed {
			t.Errorf("results %+v, want a first verdict of a, that was added again", results)
		}
	})
}

func TestRunnerRefusedSetChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, target("a"))
		defer r.stop()
		r.sleep(time.Second)
		bad := target("c", func(t *Target) { t.Check.Type = "" })
		if err := r.Set([]Target{target("b"), bad}); err == nil {
			t.Error("a target without check type was taken")
		}
		if diff := cmp.Diff([]string{"a"}, ids(r.sleep(10*time.Second))); diff != "" {
			t.Errorf("probes after the refused Set (-want +got):\n%s", diff)
		}
	})
}

// TestRunnerLatestSetCounts makes two changes before the runner sees the first.
func TestRunnerLatestSetCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.stop()
		r.set(t, target("a"))
		r.set(t, target("b"))
		if diff := cmp.Diff([]string{"b"}, ids(r.sleep(0))); diff != "" {
			t.Errorf("probes (-want +got):\n%s", diff)
		}
	})
}

func TestRunnerStopsWithinProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := make(chan struct{}, 2)
		hanging := func(ctx context.Context, _ netip.AddrPort) error {
			<-ctx.Done()
			stopped <- struct{}{}
			return ctx.Err()
		}
		r := newRig(t, hanging, target("a"), target("b"))
		r.sleep(time.Second)
		r.stop()
		if len(stopped) != 2 {
			t.Errorf("%d of 2 probes had stopped when Run returned", len(stopped))
		}
		if results := r.sleep(0); len(results) != 0 {
			t.Errorf("results of broken off probes: %+v", results)
		}
		r.set(t, target("c"))
		if results := r.sleep(time.Minute); len(results) != 0 {
			t.Errorf("results after the end: %+v", results)
		}
	})
}

// TestRunnerSetWhileProbing is for the race detector.
func TestRunnerSetWhileProbing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.stop()
		for i := range 100 {
			r.set(t, target("a", withRise(1+i%3)), target(fmt.Sprint(i%7)), target("b"))
			time.Sleep(30 * time.Millisecond) // the second new target's turn comes after 20 ms
		}
		got := map[string]bool{}
		for _, result := range r.sleep(0) {
			got[result.ID] = true
		}
		if len(got) != 9 {
			t.Errorf("results of %d targets, want 9", len(got))
		}
	})
}

func ids(results []Result) []string {
	var ids []string
	for _, result := range results {
		ids = append(ids, result.ID)
	}
	return ids
}
