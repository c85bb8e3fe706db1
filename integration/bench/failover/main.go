// SPDX-License-Identifier: Apache-2.0

// Failover measures what a client notices when a master dies, hangs, is told to
// go or comes back: lvs-ha and keepalived in turn, on the same segment. The gap
// is the longest time in which no echo request to the VIP was answered, of one
// each millisecond. Exit status 1: lvs-ha missed a goal, or one could not be
// measured; 2: nothing was measured.
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
	intervals  []time.Duration
	scenarios  []scenario // in the order of scenarios
	repeats    int
	binary     string
	keepalived string
	json       bool
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
	good := judgeAll(rows)
	write := writeTable
	if o.json {
		write = writeJSON
	}
	if err := write(os.Stdout, rows); err != nil {
		fmt.Fprintln(os.Stderr, "bench-failover:", err)
		os.Exit(2)
	}
	writeFailures(os.Stderr, rows)
	if !good {
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
	repeats := f.Int("repeats", enough, fmt.Sprintf("how often each is played; fewer than %d make no verdict", enough))
	binary := f.String("binary", "build/lvs-ha", "the lvs-ha to measure")
	keepalived := f.String("keepalived", rig.InPath, "the keepalived to compare it with, a path")
	asJSON := f.Bool("json", false, "print JSON, durations in nanoseconds, instead of a table")
	_ = f.Parse(args) // exits itself
	o := options{repeats: *repeats, binary: *binary, keepalived: *keepalived, json: *asJSON}
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
	wanted := strings.Split(*only, ",")
	for _, name := range wanted {
		if !slices.Contains(names, name) {
			return o, fmt.Errorf("-scenario %q: want some of %s", name, strings.Join(names, ","))
		}
	}
	isWanted := func(s scenario) bool { return slices.Contains(wanted, s.name) }
	measured := func(s scenario) bool { return isWanted(s) && s.target == handsOver }
	for _, s := range scenarios() {
		if isWanted(s) || s.name == yardstick && slices.ContainsFunc(scenarios(), measured) {
			o.scenarios = append(o.scenarios, s)
		}
	}
	return o, nil
}

// measure plays every scenario with both kinds.
func measure(ctx context.Context, o options) (rows []row, err error) {
	r, err := rig.Up(ctx, o.binary, o.keepalived)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Down()) }()
	versions, err := r.Versions(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "bench-failover:", versions)
	p := newProgress(os.Stderr, o)
	for _, interval := range o.intervals {
		outcomes := make(map[rig.Kind][]outcome)
		for _, kind := range kinds {
			outcomes[kind], err = measureKind(ctx, r, kind, interval, o, p)
			if err != nil {
				return nil, err
			}
		}
		for i, s := range o.scenarios {
			rows = append(rows, row{
				Scenario: s.name, Interval: interval, scenario: s,
				Keepalived: outcomes[rig.Keepalived][i], LVSHA: outcomes[rig.LVSHA][i],
			})
		}
	}
	return rows, nil
}

// measureKind plays the scenarios with one kind, all of them in each round; an
// outcome for each.
func measureKind(ctx context.Context, r *rig.Rig, kind rig.Kind, interval time.Duration, o options, p *progress) (outcomes []outcome, err error) {
	b, err := newBench(r, kind, interval)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close(context.WithoutCancel(ctx))) }()
	outcomes = make([]outcome, len(o.scenarios))
	for round := range o.repeats {
		for i, s := range o.scenarios {
			if err := b.play(ctx, s, &outcomes[i]); err != nil {
				return nil, err
			}
		}
		p.round(kind, interval, round)
	}
	for i, s := range o.scenarios {
		fmt.Fprintf(os.Stderr, "bench-failover: %s, %s, %s: %s\n", interval, kind, s.name, outcomes[i].text())
	}
	return outcomes, nil
}

// play adds one repeat of a scenario to its outcome.
func (b *bench) play(ctx context.Context, s scenario, out *outcome) error {
	if out.NotAvailable {
		return nil
	}
	sample, err := b.repeat(ctx, s)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, rig.ErrNoSuchProcess):
		out.NotAvailable = true
		return nil
	case err != nil:
		out.Errors = append(out.Errors, err.Error())
		return errors.Join(b.restore(ctx), b.end(ctx, rig.D2))
	}
	out.Samples = append(out.Samples, sample)
	return nil
}
