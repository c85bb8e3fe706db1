// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

const (
	// enough repeats of each kind make a verdict.
	enough = 5
	// handOverPart is the part of keepalived's gap at SIGTERM that a hand-over
	// of lvs-ha may take.
	handOverPart = 0.03
	// shortEnough: where adverts are more frequent than once a second, a gap that
	// never exceeds this is good as well.
	shortEnough = 20 * time.Millisecond
	// handOverMargin is how long beyond a skew time both directors may hold a
	// VIP in a hand-over.
	handOverMargin = 500 * time.Millisecond
)

// The verdicts on a row. Of several the last one counts.
const (
	verdictOK = "ok"
	// verdictEqual: the median is no better than keepalived's, but between the
	// fastest and the slowest repeat of both there is a common part.
	verdictEqual       = "equal within noise"
	verdictNotMeasured = "NOT MEASURED"
	verdictMissed      = "MISSED"
)

// row is one scenario at one interval, for both kinds.
type row struct {
	Scenario   string        `json:"scenario"`
	Interval   time.Duration `json:"interval_ns"`
	Keepalived outcome       `json:"keepalived"`
	LVSHA      outcome       `json:"lvs_ha"`
	// Ratio is lvs-ha's median gap over keepalived's in the same scenario.
	Ratio   float64 `json:"ratio,omitempty"`
	Goal    string  `json:"goal"`
	Verdict string  `json:"verdict"`
	// Missed says what was missed, NotMeasured what a verdict lacks.
	Missed      []string `json:"missed,omitempty"`
	NotMeasured []string `json:"not_measured,omitempty"`

	scenario scenario
}

func (r *row) miss(format string, args ...any) {
	r.Missed = append(r.Missed, fmt.Sprintf(format, args...))
}

func (r *row) lack(format string, args ...any) {
	r.NotMeasured = append(r.NotMeasured, fmt.Sprintf(format, args...))
}

// good says whether the row's goal was reached.
func (r *row) good() bool { return r.Verdict == verdictOK || r.Verdict == verdictEqual }

// judgeAll judges rows and says whether all goals were reached.
func judgeAll(rows []row) bool {
	sigterm := make(map[time.Duration]outcome)
	for _, r := range rows {
		if r.Scenario == yardstick {
			sigterm[r.Interval] = r.Keepalived
		}
	}
	good := true
	for i := range rows {
		rows[i].judge(sigterm[rows[i].Interval])
		good = good && rows[i].good()
	}
	return good
}

// judge holds a row against its goals. sigterm is what keepalived did at SIGTERM
// and the same interval.
func (r *row) judge(sigterm outcome) {
	ours, measured := r.LVSHA.gap()
	theirs, compared := r.Keepalived.gap()
	if measured && compared && theirs.Median > 0 {
		r.Ratio = float64(ours.Median) / float64(theirs.Median)
	}
	r.Verdict = verdictOK
	r.judgeRepeats()
	switch r.scenario.target {
	case handsOver:
		if r.Scenario != yardstick && len(sigterm.Samples) < enough {
			r.lack("keepalived's %s: %s", yardstick, sigterm.repeats())
		}
		r.comparable("keepalived's "+yardstick, sigterm)
		yard, _ := sigterm.gap()
		limit := time.Duration(handOverPart * float64(yard.Median))
		r.Goal = fmt.Sprintf("gap <= %s (%g of sigterm's)", millis(limit), handOverPart)
		if measured && len(sigterm.Samples) > 0 && ours.Median > limit && !r.short(ours) {
			r.miss("gap %s, longest %s", millis(ours.Median), millis(ours.Max))
		}
	case noWorse:
		r.comparable("keepalived", r.Keepalived)
		r.Goal = "ratio <= 1 or equal within noise"
		if measured && compared && ours.Median > theirs.Median && !r.short(ours) {
			r.Verdict = verdictEqual
			if ours.Min > theirs.Max {
				r.miss("ratio %.4f", r.Ratio)
			}
		}
	case letsGo:
		r.Goal = "VIP gone with its lease"
		if n := r.LVSHA.count(func(s sample) bool { return s.Stale }); n > 0 {
			r.miss("VIP left on the old master %d times", n)
		}
	case anyGap:
		r.Goal = "any gap"
	}
	if r.Interval < time.Second && (r.scenario.target == handsOver || r.scenario.target == noWorse) {
		r.Goal += ", or none over " + millis(shortEnough)
	}
	r.judgeDirectors()
	switch {
	case len(r.Missed) > 0:
		r.Verdict = verdictMissed
	case len(r.NotMeasured) > 0:
		r.Verdict = verdictNotMeasured
	}
}

// short says whether the gaps are short whatever keepalived's are.
func (r *row) short(ours rig.Spread) bool { return r.Interval < time.Second && ours.Max <= shortEnough }

// judgeRepeats demands that both kinds could be measured often enough. A repeat
// in which lvs-ha did not come as far as the fault is its failure.
func (r *row) judgeRepeats() {
	if n := len(r.LVSHA.Errors); n > 0 {
		r.miss("%d repeats failed: %s", n, r.LVSHA.firstError())
	}
	if len(r.LVSHA.Samples) < enough {
		r.lack("lvs-ha: %s", r.LVSHA.repeats())
	}
	if len(r.Keepalived.Samples) < enough {
		r.lack("keepalived: %s", r.Keepalived.repeats())
	}
}

// comparable demands of keepalived's outcome that what it was measured at has
// happened: a gap without a take-over is no limit to stay below.
func (r *row) comparable(what string, o outcome) {
	if n := o.count(func(s sample) bool { return !s.TookOver }); n > 0 {
		r.lack("%s: no take-over in %d of %d", what, n, len(o.Samples))
	}
}

// judgeDirectors demands that the right director took over, in the end it alone,
// and that both had the VIP together no longer than a hand-over lasts: of a dead
// one that nobody speaks for, the lease is the limit.
func (r *row) judgeDirectors() {
	master := r.scenario.master
	r.Goal += ", " + master + " takes over"
	if n := r.LVSHA.count(func(s sample) bool { return !s.TookOver }); n > 0 {
		r.miss("%s did not take over %d times", master, n)
	}
	if n := r.LVSHA.count(func(s sample) bool { return s.TookOver && !s.Ended }); n > 0 {
		r.miss("in the end not %s alone had the VIP %d times", master, n)
	}
	if r.scenario.target == letsGo {
		return
	}
	limit := rig.Setup{Interval: r.Interval}.Skew() + handOverMargin
	r.Goal += ", both <= " + millis(limit)
	if both := r.LVSHA.bothHeld(); both > limit {
		r.miss("both held %s", millis(both))
	}
}

// verdict is the row's, with what it is founded on.
func (r *row) verdict() string {
	return strings.TrimSpace(r.Verdict + " " + strings.Join(append(r.Missed[:len(r.Missed):len(r.Missed)], r.NotMeasured...), "; "))
}
