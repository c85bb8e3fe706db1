// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gaps makes an outcome of gaps in milliseconds, in which all else went well.
func gaps(ms ...int) outcome {
	var o outcome
	for _, m := range ms {
		o.Samples = append(o.Samples, sample{Gap: time.Duration(m) * time.Millisecond, TookOver: true, Ended: true})
	}
	return o
}

// same makes an outcome of enough repeats with one gap.
func same(ms int) outcome { return gaps(slices.Repeat([]int{ms}, enough)...) }

// but changes the last repeat of an outcome.
func (o outcome) but(change func(*sample)) outcome {
	o.Samples = slices.Clone(o.Samples)
	change(&o.Samples[len(o.Samples)-1])
	return o
}

// failing adds a repeat that could not be made in place of the last one.
func (o outcome) failing(err string) outcome {
	o.Samples, o.Errors = o.Samples[:len(o.Samples)-1], []string{err}
	return o
}

func bothHeld(ms int) func(*sample) {
	return func(s *sample) { s.BothHeld = time.Duration(ms) * time.Millisecond }
}

func named(name string) scenario {
	return scenarios()[slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == name })]
}

func TestJudge(t *testing.T) {
	stale := func(s *sample) { s.Stale = true }
	notTaken := func(s *sample) { s.TookOver, s.Ended = false, false }
	endedOtherwise := func(s *sample) { s.Ended = false }
	const (
		second    = time.Second
		tenth     = 100 * time.Millisecond
		hundredth = 10 * time.Millisecond
	)
	tests := []struct {
		name         string
		interval     time.Duration
		scenario     string
		theirs, ours outcome
		want         string // the verdict and why
	}{
		{"a hand-over in time", second, "kill-speaker", same(3000), gaps(18, 18, 17, 90, 18), "ok"},
		{"a hand-over that takes too long", second, "kill-speaker", same(3000), same(19), "MISSED gap 19.0 ms, longest 19.0 ms"},
		{"no silence over 20 ms is not good enough at 1 s", second, "standby", same(610), same(20), "MISSED gap 20.0 ms, longest 20.0 ms"},
		{"no silence over 20 ms at 100 ms", tenth, "kill-speaker", same(61), same(20), "ok"},
		{"a silence over 20 ms at 100 ms", tenth, "kill-speaker", same(61), gaps(19, 19, 19, 19, 21), "MISSED gap 19.0 ms, longest 21.0 ms"},
		{"a silence over 20 ms, but the ratio is reached", tenth, "kill-speaker", same(61), gaps(18, 18, 18, 18, 21), "ok"},

		{"as good as keepalived", second, "link-down", same(3000), same(3000), "ok"},
		{"better in the median", second, "link-down", same(3000), gaps(2999, 2999, 2999, 4000, 4000), "ok"},
		{"worse within noise", second, "link-down", gaps(2990, 3000, 3000, 3000, 3010), gaps(3010, 3020, 3020, 3020, 3030), "equal within noise"},
		{"worse beyond noise", second, "link-down", gaps(2990, 3000, 3000, 3000, 3010), gaps(3011, 3020, 3020, 3020, 3030), "MISSED ratio 1.0067"},
		{"worse by one millisecond", second, "return", same(2), same(3), "MISSED ratio 1.5000"},
		{"worse, but no silence over 20 ms at 10 ms", hundredth, "return", same(2), same(20), "ok"},
		{"worse, and a silence over 20 ms at 10 ms", hundredth, "return", same(2), same(21), "MISSED ratio 10.5000"},

		{"a lease that ended", second, "kill-all", same(2).but(stale), same(2), "ok"},
		{"a VIP that stayed", second, "freeze-all", same(2), same(2).but(stale), "MISSED VIP left on the old master 1 times"},
		{"both until the lease ended", second, "kill-all", same(2), same(2).but(bothHeld(2000)), "ok"},

		{"the other director did not take over", second, "freeze-speaker", same(2), same(2).but(notTaken), "MISSED d2 did not take over 1 times"},
		{"d1 did not come back", second, "return", same(2), same(2).but(notTaken), "MISSED d1 did not take over 1 times"},
		{"no take-over after all died", second, "kill-all", same(2), same(2).but(notTaken), "MISSED d2 did not take over 1 times"},
		{"it did not end as it should", second, "sigterm", same(610), same(2).but(endedOtherwise), "MISSED in the end not d2 alone had the VIP 1 times"},

		{"keepalived may miss what it likes", second, "freeze-speaker", same(2).but(notTaken).but(bothHeld(5000)), same(2), "ok"},
		{"a limit that is no take-over", second, "link-down", same(3000).but(notTaken), same(2), "NOT MEASURED keepalived: no take-over in 1 of 5"},
		{"any gap", second, "wake-all", same(2), same(4000), "ok"},

		{"no such process", second, "kill-speaker", same(2), outcome{NotAvailable: true}, "NOT MEASURED lvs-ha: not available"},
		{"keepalived has no such process", second, "kill-all", outcome{NotAvailable: true}, same(2), "NOT MEASURED keepalived: not available"},
		{"no repeats", second, "kill-all", same(2), outcome{}, "NOT MEASURED lvs-ha: 0 of 5 repeats"},
		{"too few repeats", second, "kill-all", same(2), gaps(2, 2, 2, 2), "NOT MEASURED lvs-ha: 4 of 5 repeats"},
		{"too few repeats are no excuse", second, "kill-all", same(2), gaps(2, 2, 2, 2).but(stale), "MISSED VIP left on the old master 1 times; lvs-ha: 4 of 5 repeats"},
		{"a repeat that failed", second, "kill-all", same(2), same(2).failing("d1 did not start:\nits log"), "MISSED 1 repeats failed: d1 did not start; lvs-ha: 4 of 5 repeats: d1 did not start"},
		{"keepalived failed once", second, "link-down", same(2).failing("d1 did not start"), same(2), "NOT MEASURED keepalived: 4 of 5 repeats: d1 did not start"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			judged(t, same(610), row{Scenario: tt.scenario, Interval: tt.interval, Keepalived: tt.theirs, LVSHA: tt.ours}, tt.want)
		})
	}
}

// judged judges a row beside a good one of keepalived's SIGTERM.
func judged(t *testing.T, sigterm outcome, r row, want string) {
	t.Helper()
	r.scenario = named(r.Scenario)
	rows := []row{r}
	if r.Scenario != yardstick {
		rows = append(rows, row{Scenario: yardstick, Interval: r.Interval, scenario: named(yardstick), Keepalived: sigterm, LVSHA: same(2)})
	}
	good := judgeAll(rows)
	if diff := cmp.Diff(want, rows[0].verdict()); diff != "" {
		t.Errorf("verdict -want +got:\n%s", diff)
	}
	wantGood := want == verdictOK || want == verdictEqual
	if len(sigterm.Samples) == enough && good != wantGood {
		t.Errorf("all goals reached: %t, want %t: that is the exit status", good, wantGood)
	}
}

// TestJudgeBothHeld: in every scenario but those in which the lease is the limit,
// at every interval.
func TestJudgeBothHeld(t *testing.T) {
	limits := map[time.Duration]int{time.Second: 1109, 100 * time.Millisecond: 560, 10 * time.Millisecond: 506}
	for _, s := range scenarios() {
		for interval, limit := range limits {
			t.Run(fmt.Sprint(s.name, " at ", interval), func(t *testing.T) {
				r := row{Scenario: s.name, Interval: interval, Keepalived: same(610), LVSHA: same(2).but(bothHeld(limit))}
				judged(t, same(610), r, "ok")
				r.LVSHA = same(2).but(bothHeld(limit + 1))
				want := fmt.Sprintf("MISSED both held %d.0 ms", limit+1)
				if s.target == letsGo {
					want = "ok"
				}
				judged(t, same(610), r, want)
			})
		}
	}
}

// TestJudgeWithoutYardstick: no hand-over is good beside a SIGTERM of keepalived
// that says nothing.
func TestJudgeWithoutYardstick(t *testing.T) {
	notTaken := func(s *sample) { s.TookOver = false }
	for want, sigterm := range map[string]outcome{
		"NOT MEASURED keepalived's sigterm: 0 of 5 repeats":         {},
		"NOT MEASURED keepalived's sigterm: 2 of 5 repeats":         gaps(610, 610),
		"NOT MEASURED keepalived's sigterm: no take-over in 1 of 5": same(12000).but(notTaken),
	} {
		judged(t, sigterm, row{Scenario: "standby", Interval: time.Second, Keepalived: same(610), LVSHA: same(2)}, want)
	}
}

func TestScenarios(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range scenarios() {
		if seen[s.name] || s.name == "" || (s.master != rig.D1 && s.master != rig.D2) || s.at == unknown {
			t.Errorf("scenario %q with master %q: want a name of its own, a director and a beginning", s.name, s.master)
		}
		seen[s.name] = true
	}
}
