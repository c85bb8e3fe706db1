// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"sync"
	"time"
)

// Target is an address to be probed.
type Target struct {
	ID      string         // unique among the targets, the same over reloads
	Address netip.AddrPort // may be zero for a check of TypeExec
	Check   Check
}

// Result is one finished probe of a target.
type Result struct {
	ID       string
	At       time.Time // when the probe started
	Duration time.Duration
	Err      error   // nil, or why the probe failed
	Verdict  Verdict // with this result taken in
	Changed  bool    // the verdict changed by this result
}

// Runner probes its targets, each at its own interval and never twice at the
// same time. NewRunner makes one. Set may be called at any time from any
// goroutine, Run is called once.
type Runner struct {
	report    func(Result)
	newProber func(Check) (Prober, error)

	mu      sync.Mutex
	wanted  []*assignment
	changed chan struct{} // holds one token while Run has yet to look at wanted
}

// assignment is a target with its prober. It never changes: as long as a
// target stays as it is, it keeps its assignment.
type assignment struct {
	target Target
	prober Prober
}

// NewRunner returns a runner without targets. It calls report for every
// finished probe: in order for one target, at the same time for several. A
// report that blocks holds up its target's next probe and what Set has changed,
// and Run waits for it.
func NewRunner(report func(Result)) *Runner {
	return &Runner{
		report:    report,
		newProber: NewProber,
		changed:   make(chan struct{}, 1),
	}
}

// Set makes targets the ones to probe, in place of those set before. A target
// that is deeply equal to an earlier one of its ID keeps its timer and results;
// one with another Check starts anew but keeps its verdict until its results
// overturn it; one with another Address starts without a verdict.
//
// Nothing changes if a check is invalid, an address has no port, or two targets
// share an ID: the error names the target. Set doesn't wait: a probe that ends
// meanwhile may still be reported as the earlier target's.
func (r *Runner) Set(targets []Target) error {
	r.mu.Lock()
	defer r.mu.Unlock()

	current := make(map[string]*assignment, len(r.wanted))
	for _, a := range r.wanted {
		current[a.target.ID] = a
	}
	wanted := make([]*assignment, 0, len(targets))
	seen := make(map[string]bool, len(targets))
	for _, t := range targets {
		if seen[t.ID] {
			return fmt.Errorf("target %s: given twice", t.ID)
		}
		seen[t.ID] = true

		a, known := current[t.ID]
		if !known || !reflect.DeepEqual(a.target, t) {
			var err error
			if a, err = r.assign(t); err != nil {
				return fmt.Errorf("target %s: %w", t.ID, err)
			}
		}
		wanted = append(wanted, a)
	}

	r.wanted = wanted
	select {
	case r.changed <- struct{}{}:
	default: // Run has not yet looked at the change before this one
	}
	return nil
}

func (r *Runner) assign(t Target) (*assignment, error) {
	noAddress := t.Check.Type == TypeExec && t.Address == (netip.AddrPort{})
	if !noAddress && (!t.Address.IsValid() || t.Address.Port() == 0) {
		return nil, fmt.Errorf("address %s: expected an address with a port", t.Address)
	}
	prober, err := r.newProber(t.Check)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return &assignment{target: t, prober: prober}, nil
}

// Run probes the targets until ctx ends. It returns nil, once every probe has
// stopped.
func (r *Runner) Run(ctx context.Context) error {
	workers := make(map[string]*worker)
	for {
		select {
		case <-ctx.Done():
			for _, w := range workers {
				<-w.done
			}
			return nil
		case <-r.changed:
			r.mu.Lock()
			wanted := r.wanted
			r.mu.Unlock()
			r.reassign(ctx, workers, wanted)
		}
	}
}

// reassign stops the workers whose assignment is no longer wanted, then starts
// one for every assignment that has none.
func (r *Runner) reassign(ctx context.Context, workers map[string]*worker, wanted []*assignment) {
	stopped := make(map[string]*worker)
	byID := make(map[string]*assignment, len(wanted))
	for _, a := range wanted {
		byID[a.target.ID] = a
	}
	for id, w := range workers {
		if byID[id] != w.assignment {
			w.cancel()
			stopped[id] = w
			delete(workers, id)
		}
	}
	for _, w := range stopped {
		<-w.done
	}

	starting := len(wanted) - len(workers)
	started := 0
	for _, a := range wanted {
		id := a.target.ID
		if workers[id] != nil {
			continue
		}
		w := newWorker(a)
		if old := stopped[id]; old != nil && old.target.Address == a.target.Address {
			w.monitor.adopt(old.monitor)
		}
		w.start(ctx, firstDelay(started, starting), r.report)
		workers[id] = w
		started++
	}
}
