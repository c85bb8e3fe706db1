// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

// TestParse: scenarios are played in their own order, and never without their
// yardstick.
func TestParse(t *testing.T) {
	tests := []struct{ only, want string }{
		{"link-down,return", "return link-down"},
		{"wake-all,freeze-all", "freeze-all wake-all"},
		{"standby", "sigterm standby"},
		{"return,sigterm,standby", "sigterm return standby"},
	}
	for _, tt := range tests {
		o, err := parse([]string{"-scenario", tt.only})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range o.scenarios {
			got = append(got, s.name)
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.only, diff)
		}
	}
	for _, args := range []string{"-scenario=x", "-scenario=", "-repeats=0", "-interval=1ms", "-interval=x"} {
		if _, err := parse([]string{args}); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
}

func TestProgress(t *testing.T) {
	o, err := parse([]string{"-scenario=link-down", "-interval=1s,100ms", "-repeats=1"})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	p := newProgress(&b, o)
	for _, interval := range o.intervals {
		for _, kind := range kinds {
			p.round(kind, interval, 0)
		}
	}
	if p.done != p.all {
		t.Errorf("in the end %s of %s are done", p.done, p.all)
	}
	want := "bench-failover: 1 scenarios, 2 intervals, 1 repeats with each daemon: about 30s\n" +
		"bench-failover: 1s, keepalived: round 1 of 1; "
	if got := b.String(); !strings.HasPrefix(got, want) {
		t.Errorf("want %q\ngot %q", want, got)
	}
}

// TestReport: what was not reached is said once more, and every spread is shown.
func TestReport(t *testing.T) {
	rows := []row{
		{Scenario: "link-down", Interval: time.Second, scenario: named("link-down"), Keepalived: gaps(1, 2, 3, 4, 5), LVSHA: gaps(3, 4, 5, 6, 7)},
		{Scenario: "kill-all", Interval: time.Second, scenario: named("kill-all"), Keepalived: outcome{NotAvailable: true}, LVSHA: same(2)},
	}
	judgeAll(rows)
	var table, failures strings.Builder
	if err := writeTable(&table, rows); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"3.0 ms (1.0 ms - 5.0 ms)", "5.0 ms (3.0 ms - 7.0 ms)", "1.6667",
		"ratio <= 1 or equal within noise, d2 takes over, both <= 1109.4 ms: equal within noise\n",
		"VIP gone with its lease, d2 takes over: NOT MEASURED keepalived: not available\n",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("want %q in\n%s", want, table.String())
		}
	}
	writeFailures(&failures, rows)
	want := "bench-failover: 1s, kill-all: NOT MEASURED keepalived: not available\nbench-failover: 1 of 2 goals reached\n"
	if diff := cmp.Diff(want, failures.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestWindow: long ones outlast the lease that they are to show the end of.
func TestWindow(t *testing.T) {
	b := &bench{setup: rig.Setup{Interval: 10 * time.Millisecond}}
	for lease, atLeast := range map[time.Duration]time.Duration{0: b.setup.DownInterval(), 3 * time.Second: 4 * time.Second, rig.Forever: b.setup.DownInterval()} {
		if got := b.longWindow(lease); got <= atLeast || got > atLeast+2*time.Second {
			t.Errorf("lease %s: window %s, want a little more than %s", lease, got, atLeast)
		}
	}
}
