// SPDX-License-Identifier: Apache-2.0

// Failover measures what a client notices when a master dies, hangs, is told to
// go or comes back: lvs-ha and keepalived in turn, on the same segment. The gap
// is the longest time in which no echo request to the VIP was answered, of one
// each millisecond. Exit status 1: lvs-ha missed a goal; 2: nothing was measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

type options struct {
	intervals []time.Duration
	scenarios []scenario
	repeats   int
	binary    string
	json      bool
}

func main() {
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-failover:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	rows, err := measure(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-failover:", err)
		os.Exit(2)
	}
	missed := judgeAll(rows)
	write := writeTable
	if o.json {
		write = writeJSON
	}
	if err := write(os.Stdout, rows); err != nil {
		fmt.Fprintln(os.Stderr, "bench-failover:", err)
		os.Exit(2)
	}
	if missed {
		os.Exit(1)
	}
}

// parse reads the flags. A hand-over is measured against keepalived's at
// SIGTERM, so that is always played with it.
func parse(args []string) (options, error) {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	f := flag.NewFlagSet("failover", flag.ExitOnError)
	intervals := f.String("interval", "1s,100ms,10ms", "advert intervals")
	only := f.String("scenario", strings.Join(names, ","), "scenarios")
	repeats := f.Int("repeats", 5, "how often each is played")
	binary := f.String("binary", "build/lvs-ha", "the lvs-ha to measure")
	asJSON := f.Bool("json", false, "print JSON, durations in nanoseconds, instead of a table")
	_ = f.Parse(args) // exits itself
	o := options{repeats: *repeats, binary: *binary, json: *asJSON}
	if o.repeats < 1 {
		return o, fmt.Errorf("-repeats %d: want at least 1", o.repeats)
	}
	for text := range strings.SplitSeq(*intervals, ",") {
		d, err := time.ParseDuration(text)
		if err != nil || d < 10*time.Millisecond {
			return o, fmt.Errorf("-interval %q: want durations of at least 10ms", text)
		}
		o.intervals = append(o.intervals, d)
	}
	for name := range strings.SplitSeq(*only, ",") {
		i := slices.Index(names, name)
		if i < 0 {
			return o, fmt.Errorf("-scenario %q: want some of %s", name, strings.Join(names, ","))
		}
		o.scenarios = append(o.scenarios, scenarios()[i])
	}
	measured := func(s scenario) bool { return s.target == handsOver }
	if slices.ContainsFunc(o.scenarios, measured) && !slices.ContainsFunc(o.scenarios, func(s scenario) bool { return s.name == yardstick }) {
		o.scenarios = append([]scenario{scenarios()[slices.Index(names, yardstick)]}, o.scenarios...)
	}
	return o, nil
}

// measure plays every scenario with both kinds.
func measure(ctx context.Context, o options) (rows []row, err error) {
	r, err := rig.Up(ctx, o.binary)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Down()) }()
	versions, err := r.Versions(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "bench-failover:", versions)
	for _, interval := range o.intervals {
		outcomes := make(map[rig.Kind][]outcome)
		for _, kind := range []rig.Kind{rig.Keepalived, rig.LVSHA} {
			outcomes[kind], err = measureKind(ctx, r, kind, interval, o)
			if err != nil {
				return nil, err
			}
		}
		for i, s := range o.scenarios {
			rows = append(rows, row{
				Scenario: s.name, Interval: interval, target: s.target, skew: rig.Setup{Interval: interval}.Skew(),
				Keepalived: outcomes[rig.Keepalived][i], LVSHA: outcomes[rig.LVSHA][i],
			})
		}
	}
	return rows, nil
}

// measureKind plays the scenarios with one kind; an outcome for each.
func measureKind(ctx context.Context, r *rig.Rig, kind rig.Kind, interval time.Duration, o options) (outcomes []outcome, err error) {
	b, err := newBench(r, kind, interval)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close(context.WithoutCancel(ctx))) }()
	for _, s := range o.scenarios {
		var out outcome
		for n := 0; n < o.repeats && !out.NotAvailable; n++ {
			sample, err := b.repeat(ctx, s)
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case errors.Is(err, rig.ErrNoSuchProcess):
				out.NotAvailable = true
				err = b.restore(ctx)
			case err != nil:
				out.Errors = append(out.Errors, err.Error())
				err = errors.Join(b.restore(ctx), b.end(ctx, rig.D2))
			default:
				out.Samples = append(out.Samples, sample)
			}
			if err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(os.Stderr, "bench-failover: %s, %s, %s: %s\n", interval, kind, s.name, out.text())
		outcomes = append(outcomes, out)
	}
	return outcomes, nil
}
