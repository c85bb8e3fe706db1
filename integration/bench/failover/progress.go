// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

// kinds in the order in which they are measured.
var kinds = []rig.Kind{rig.Keepalived, rig.LVSHA}

// progress tells how far a run has come.
type progress struct {
	w       io.Writer
	options options
	begin   time.Time
	// all is what the run is expected to take, done the part of it that is behind.
	all, done time.Duration
}

// newProgress tells how long a run will take.
func newProgress(w io.Writer, o options) *progress {
	p := &progress{w: w, options: o, begin: time.Now()}
	for _, interval := range o.intervals {
		p.all += time.Duration(len(kinds)*o.repeats) * roundTime(o, interval)
	}
	fmt.Fprintf(w, "bench-failover: %d scenarios, %d intervals, %d repeats with each daemon: about %s\n",
		len(o.scenarios), len(o.intervals), o.repeats, p.all.Round(time.Minute/2))
	return p
}

// roundTime is about how long all scenarios take once: in each, two take-overs
// and what does not depend on the interval.
func roundTime(o options, interval time.Duration) time.Duration {
	return time.Duration(len(o.scenarios)) * (2*rig.Setup{Interval: interval}.DownInterval() + 2*time.Second)
}

// round tells that a round is over.
func (p *progress) round(kind rig.Kind, interval time.Duration, n int) {
	p.done += roundTime(p.options, interval)
	took := time.Since(p.begin)
	left := time.Duration(float64(took) * float64(p.all-p.done) / float64(p.done))
	fmt.Fprintf(p.w, "bench-failover: %s, %s: round %d of %d; %s, about %s left\n",
		interval, kind, n+1, p.options.repeats, took.Round(time.Second), left.Round(time.Second))
}
