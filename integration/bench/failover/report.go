// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

// outcome is what the repeats of a scenario gave.
type outcome struct {
	Samples []sample `json:"samples,omitempty"`
	// NotAvailable: the daemon has no such process.
	NotAvailable bool `json:"not_available,omitempty"`
	// Errors are of the repeats that could not be made.
	Errors []string `json:"errors,omitempty"`
}

func (o outcome) gap() (rig.Spread, bool) {
	var gaps []time.Duration
	for _, s := range o.Samples {
		gaps = append(gaps, s.Gap)
	}
	if len(gaps) == 0 {
		return rig.Spread{}, false
	}
	return rig.SpreadOf(gaps), true
}

func (o outcome) bothHeld() time.Duration {
	var longest time.Duration
	for _, s := range o.Samples {
		longest = max(longest, s.BothHeld)
	}
	return longest
}

func (o outcome) count(is func(sample) bool) int {
	n := 0
	for _, s := range o.Samples {
		if is(s) {
			n++
		}
	}
	return n
}

// firstError is the first line of the first error; logs follow.
func (o outcome) firstError() string {
	if len(o.Errors) == 0 {
		return ""
	}
	first, _, _ := strings.Cut(o.Errors[0], "\n")
	return strings.TrimSuffix(first, ":")
}

// repeats says how many there are, and why not more.
func (o outcome) repeats() string {
	if o.NotAvailable {
		return "not available"
	}
	text := fmt.Sprintf("%d of %d repeats", len(o.Samples), enough)
	if len(o.Errors) > 0 {
		text += ": " + o.firstError()
	}
	return text
}

func (o outcome) text() string {
	gap, ok := o.gap()
	if !ok {
		return o.repeats()
	}
	text := fmt.Sprintf("%s (%s - %s)", millis(gap.Median), millis(gap.Min), millis(gap.Max))
	if n := o.count(func(s sample) bool { return !s.TookOver }); n > 0 {
		text += fmt.Sprintf(", not taken over %d times", n)
	}
	return text
}

func (o outcome) bothText() string {
	if len(o.Samples) == 0 {
		return "-"
	}
	return millis(o.bothHeld())
}

func (o outcome) staleText(t target) string {
	if len(o.Samples) == 0 || t != letsGo {
		return "-"
	}
	return fmt.Sprintf("%d of %d", o.count(func(s sample) bool { return s.Stale }), len(o.Samples))
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// writeTable writes the report for a reader at a terminal.
func writeTable(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "interval\tscenario\tkeepalived gap\tlvs-ha gap\tratio\tboth held, ka\tlvs-ha\tstale, ka\tlvs-ha\tgoal")
	for _, r := range rows {
		ratio := "-"
		if r.Ratio > 0 {
			ratio = fmt.Sprintf("%.4f", r.Ratio)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s: %s\n", r.Interval, r.Scenario, r.Keepalived.text(), r.LVSHA.text(), ratio,
			r.Keepalived.bothText(), r.LVSHA.bothText(), r.Keepalived.staleText(r.scenario.target), r.LVSHA.staleText(r.scenario.target),
			r.Goal, r.verdict())
	}
	fmt.Fprintf(t, `
gap: the client's longest silence, median (shortest - longest) of the repeats; ratio: lvs-ha's median to keepalived's.
%s: the ratio is above 1, but the two spreads overlap.
both held: how long both directors had the VIP, the longest of the repeats; <= skew time + %s.
stale: the old master, dead or frozen as a whole, still had the VIP at the end of its lease.
`, verdictEqual, millis(handOverMargin))
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// writeFailures writes a line for each goal that was not reached, and the sum.
func writeFailures(w io.Writer, rows []row) {
	reached := 0
	for _, r := range rows {
		if r.good() {
			reached++
			continue
		}
		fmt.Fprintf(w, "bench-failover: %s, %s: %s\n", r.Interval, r.Scenario, r.verdict())
	}
	fmt.Fprintf(w, "bench-failover: %d of %d goals reached\n", reached, len(rows))
}

func writeJSON(w io.Writer, rows []row) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(rows); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
