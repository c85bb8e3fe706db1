// SPDX-License-Identifier: Apache-2.0

// Vrrp measures what VRRP costs and how steady it is, lvs-ha and keepalived in
// turn on the same segment: processor time and memory of 255 instances, adverts
// and false take-overs on a machine whose processors are busy, and under a flood
// of forged adverts. Exit status 1: lvs-ha missed a goal, or one could not be
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
	parts      []string
	duration   time.Duration
	flood      time.Duration
	binary     string
	keepalived string
	json       bool
}

func main() {
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-vrrp:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	report, err := measure(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-vrrp:", err)
		os.Exit(2)
	}
	report.judge()
	write := report.writeText
	if o.json {
		write = report.writeJSON
	}
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench-vrrp:", err)
		os.Exit(2)
	}
	if slices.ContainsFunc(report.Goals, func(g goal) bool { return g.Verdict != verdictOK }) {
		os.Exit(1)
	}
}

// The parts of the bench.
const (
	partLoad   = "load"
	partJitter = "jitter"
	partFlood  = "flood"
)

func parse(args []string) (options, error) {
	parts := []string{partLoad, partJitter, partFlood}
	f := flag.NewFlagSet("vrrp", flag.ExitOnError)
	only := f.String("part", strings.Join(parts, ","), "what to measure")
	duration := f.Duration("duration", time.Minute, "how long load and jitter are measured")
	flood := f.Duration("flood", 10*time.Second, "how long the flood lasts, and the time without one beside it")
	binary := f.String("binary", "build/lvs-ha", "the lvs-ha to measure")
	keepalived := f.String("keepalived", rig.InPath, "the keepalived to compare it with, a path")
	asJSON := f.Bool("json", false, "print JSON, durations in nanoseconds, instead of text")
	_ = f.Parse(args) // exits itself
	o := options{parts: strings.Split(*only, ","), duration: *duration, flood: *flood, binary: *binary, keepalived: *keepalived, json: *asJSON}
	for _, p := range o.parts {
		if !slices.Contains(parts, p) {
			return o, fmt.Errorf("-part %q: want some of %s", p, strings.Join(parts, ","))
		}
	}
	if o.duration < time.Second || o.flood < time.Second {
		return o, fmt.Errorf("-duration %s, -flood %s: want at least 1s", o.duration, o.flood)
	}
	return o, nil
}

func measure(ctx context.Context, o options) (report *report, err error) {
	r, err := rig.Up(ctx, o.binary, o.keepalived)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Down()) }()
	versions, err := r.Versions(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "bench-vrrp:", versions)
	report = newReport(o)
	kinds := []rig.Kind{rig.Keepalived, rig.LVSHA}
	for _, part := range o.parts {
		for _, kind := range kinds {
			fmt.Fprintf(os.Stderr, "bench-vrrp: %s of %s\n", part, kind)
			switch part {
			case partLoad:
				l, err := measureLoad(ctx, r, kind, o.duration)
				if err != nil {
					return nil, err
				}
				report.Load[kind] = l
			case partJitter:
				for _, realtime := range []bool{false, true} {
					s, err := measureStarved(ctx, r, kind, realtime, o.duration)
					if err != nil {
						return nil, err
					}
					report.Starved[kind] = append(report.Starved[kind], s)
				}
			case partFlood:
				f, err := measureFlood(ctx, r, kind, o.flood)
				if err != nil {
					return nil, err
				}
				report.Flooded[kind] = f
			}
		}
	}
	return report, nil
}
