// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gaps makes an outcome of gaps in milliseconds.
func gaps(ms ...int) outcome {
	var o outcome
	for _, m := range ms {
		o.Samples = append(o.Samples, sample{Gap: time.Duration(m) * time.Millisecond, Moved: true})
	}
	return o
}

func TestJudge(t *testing.T) {
	both := gaps(2)
	both.Samples[0].BothHeld = 1200 * time.Millisecond
	stale := gaps(2)
	stale.Samples[0].Stale = true
	failed := gaps(2)
	failed.Errors = []string{"d1 did not start"}
	tests := []struct {
		name         string
		interval     time.Duration
		target       target
		theirs, ours outcome
		want         string
		missed       []string
	}{
		{"a hand-over in time", time.Second, handsOver, gaps(3000), gaps(18, 17, 90), verdictOK, nil},
		{"a hand-over that takes too long", time.Second, handsOver, gaps(3000), gaps(20, 19), verdictMissed, []string{"gap 19.5 ms, longest 20.0 ms"}},
		{"short enough at a short interval", 100 * time.Millisecond, handsOver, gaps(61), gaps(20), verdictOK, nil},
		{"not short enough", 100 * time.Millisecond, handsOver, gaps(61), gaps(19, 19, 21), verdictMissed, []string{"gap 19.0 ms, longest 21.0 ms"}},
		{"both for too long", time.Second, handsOver, gaps(3000), both, verdictMissed, []string{"both held 1200.0 ms"}},
		{"a lease that ended", time.Second, letsGo, stale, gaps(2), verdictOK, nil},
		{"a VIP that stayed", time.Second, letsGo, gaps(2), stale, verdictMissed, []string{"VIP left on the old master 1 times"}},
		{"as good", time.Second, noWorse, gaps(3000), gaps(3050), verdictOK, nil},
		{"worse", time.Second, noWorse, gaps(3000), gaps(3100), verdictMissed, []string{"gap 3100.0 ms"}},
		{"worse by less than the meter sees", time.Second, noWorse, gaps(2), gaps(4), verdictOK, nil},
		{"only shown", time.Second, onlyShown, gaps(2), gaps(4000), "", nil},
		{"not there", time.Second, handsOver, gaps(2), outcome{NotAvailable: true}, verdictNotAvailable, nil},
		{"not measured", time.Second, letsGo, gaps(2), outcome{}, verdictMissed, []string{"no repeat could be made"}},
		{"a repeat that failed", time.Second, letsGo, gaps(2), failed, verdictMissed, []string{"1 repeats failed: d1 did not start"}},
		{"keepalived not measured", time.Second, noWorse, outcome{}, gaps(2), verdictMissed, []string{"keepalived was not measured"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows := []row{
				{Scenario: "sigterm", Interval: tt.interval, target: onlyShown, Keepalived: gaps(610), LVSHA: gaps(2)},
				{
					Scenario: "x", Interval: tt.interval, target: tt.target, skew: rig.Setup{Interval: tt.interval}.Skew(),
					Keepalived: tt.theirs, LVSHA: tt.ours,
				},
			}
			missed := judgeAll(rows)
			if missed != (tt.want == verdictMissed) {
				t.Errorf("a goal was missed: %t, with verdict %q", missed, rows[1].Verdict)
			}
			if diff := cmp.Diff(tt.want, rows[1].Verdict); diff != "" {
				t.Errorf("verdict -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.missed, rows[1].Missed); diff != "" {
				t.Errorf("missed -want +got:\n%s", diff)
			}
		})
	}
}

func TestScenariosNameAMasterEach(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range scenarios() {
		if seen[s.name] || s.name == "" || (s.master != rig.D1 && s.master != rig.D2) {
			t.Errorf("scenario %q with master %q: want a name of its own and a director", s.name, s.master)
		}
		seen[s.name] = true
	}
}
