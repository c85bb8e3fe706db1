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

const (
	// handOverPart is the part of keepalived's gap at SIGTERM that a hand-over
	// of lvs-ha may take.
	handOverPart = 0.03
	// shortEnough: where adverts are more frequent than once a second, a gap that
	// never exceeds this is good as well.
	shortEnough = 20 * time.Millisecond
	// handOverMargin is how long beyond a skew time both directors may hold a
	// VIP in a hand-over.
	handOverMargin = 500 * time.Millisecond
	// Two gaps that differ by no more than resolution, or this part, are equal:
	// the client asks once a millisecond, and a fault does not hit the same
	// moment between two adverts each time.
	resolution     = 2 * time.Millisecond
	resolutionPart = 50
)

// outcome is what the repeats of a scenario gave.
type outcome struct {
	Samples []sample `json:"samples,omitempty"`
	// NotAvailable: the daemon has no such process or command.
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

// row is one scenario at one interval, for both kinds.
type row struct {
	Scenario   string        `json:"scenario"`
	Interval   time.Duration `json:"interval_ns"`
	Keepalived outcome       `json:"keepalived"`
	LVSHA      outcome       `json:"lvs_ha"`
	// Ratio is lvs-ha's median gap over keepalived's in the same scenario.
	Ratio   float64 `json:"ratio,omitempty"`
	Goal    string  `json:"goal,omitempty"`
	Verdict string  `json:"verdict"` // ok, MISSED, not available, or empty: no goal
	// Missed says what was missed.
	Missed []string `json:"missed,omitempty"`

	target target
	skew   time.Duration
}

const (
	verdictOK           = "ok"
	verdictMissed       = "MISSED"
	verdictNotAvailable = "not available"
)

// judge holds a row against its goals. sigterm is keepalived's median gap at
// SIGTERM and the same interval.
func (r *row) judge(sigterm time.Duration) {
	ours, ok := r.LVSHA.gap()
	theirs, compared := r.Keepalived.gap()
	if ok && compared && theirs.Median > 0 {
		r.Ratio = float64(ours.Median) / float64(theirs.Median)
	}
	if r.LVSHA.NotAvailable {
		r.Verdict = verdictNotAvailable
		return
	}
	miss := func(format string, args ...any) { r.Missed = append(r.Missed, fmt.Sprintf(format, args...)) }
	switch r.target {
	case handsOver:
		limit := time.Duration(handOverPart * float64(sigterm))
		r.Goal = fmt.Sprintf("gap <= %s (%g of sigterm's)", millis(limit), handOverPart)
		short := r.Interval < time.Second && ours.Max <= shortEnough
		if r.Interval < time.Second {
			r.Goal += " or none over " + millis(shortEnough)
		}
		if ours.Median > limit && !short {
			miss("gap %s, longest %s", millis(ours.Median), millis(ours.Max))
		}
		both := r.skew + handOverMargin
		r.Goal += ", both <= " + millis(both)
		if b := r.LVSHA.bothHeld(); b > both {
			miss("both held %s", millis(b))
		}
	case letsGo:
		r.Goal = "VIP gone with its lease"
		if n := r.LVSHA.count(func(s sample) bool { return s.Stale }); n > 0 {
			miss("VIP left on the old master %d times", n)
		}
	case noWorse:
		limit := theirs.Median + max(resolution, theirs.Median/resolutionPart)
		r.Goal = fmt.Sprintf("ratio <= 1 (within 2 %% or %s)", millis(resolution))
		if !compared {
			miss("keepalived was not measured")
		} else if ours.Median > limit {
			miss("gap %s", millis(ours.Median))
		}
	case onlyShown:
		return
	}
	if !ok {
		miss("no repeat could be made")
	}
	if n := len(r.LVSHA.Errors); n > 0 {
		first, _, _ := strings.Cut(r.LVSHA.Errors[0], "\n") // logs follow
		miss("%d repeats failed: %s", n, first)
	}
	r.Verdict = verdictOK
	if len(r.Missed) > 0 {
		r.Verdict = verdictMissed
	}
}

// judgeAll judges rows and says whether a goal was missed.
func judgeAll(rows []row) (missed bool) {
	sigterm := make(map[time.Duration]time.Duration)
	for _, r := range rows {
		if gap, ok := r.Keepalived.gap(); ok && r.Scenario == yardstick {
			sigterm[r.Interval] = gap.Median
		}
	}
	for i := range rows {
		rows[i].judge(sigterm[rows[i].Interval])
		missed = missed || rows[i].Verdict == verdictMissed
	}
	return missed
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// writeTable writes the report for a reader at a terminal.
func writeTable(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "interval\tscenario\tkeepalived gap\tlvs-ha gap\tratio\tboth held, ka\tlvs-ha\tstale, ka\tlvs-ha\tgoal\t")
	for _, r := range rows {
		ratio := "-"
		if r.Ratio > 0 {
			ratio = fmt.Sprintf("%.4f", r.Ratio)
		}
		verdict := strings.TrimSpace(r.Verdict + " " + strings.Join(r.Missed, "; "))
		if r.Goal != "" {
			verdict = r.Goal + ": " + verdict
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Interval, r.Scenario, r.Keepalived.text(), r.LVSHA.text(), ratio,
			r.Keepalived.bothText(), r.LVSHA.bothText(), r.Keepalived.staleText(r.target), r.LVSHA.staleText(r.target), verdict)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

func (o outcome) text() string {
	gap, ok := o.gap()
	switch {
	case o.NotAvailable:
		return verdictNotAvailable
	case !ok:
		return "failed"
	}
	text := fmt.Sprintf("%s (%s - %s)", millis(gap.Median), millis(gap.Min), millis(gap.Max))
	if n := len(o.Samples) - o.count(func(s sample) bool { return s.Moved }); n > 0 {
		text += fmt.Sprintf(", %d ended otherwise", n)
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

func writeJSON(w io.Writer, rows []row) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(rows); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
