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

func TestJudge(t *testing.T) {
	cpu := func(master, backup time.Duration) load {
		return load{Master: rig.Usage{CPU: master}, Backup: rig.Usage{CPU: backup}}
	}
	steady := func(takeOvers, adverts int) steadiness {
		return steadiness{Jitter: rig.Jitter{Adverts: 100}, TakeOvers: takeOvers, BackupAdverts: adverts}
	}
	r := newReport(options{})
	r.Load[rig.Keepalived], r.Load[rig.LVSHA] = cpu(2*time.Second, time.Second), cpu(1400*time.Millisecond, 800*time.Millisecond)
	r.Starved[rig.Keepalived] = []starved{{steadiness: steady(7, 7), Realtime: true}}
	r.Starved[rig.LVSHA] = []starved{
		{steadiness: steady(9, 9)},
		{steadiness: steady(0, 0), Realtime: true},
		{steadiness: steady(0, 1), Realtime: true},
		{Realtime: true}, // it heard nothing at all
		{steadiness: steadiness{Jitter: rig.Jitter{Adverts: 100}, Restarted: true}, Realtime: true},
		{Realtime: true, NotAvailable: true},
	}
	r.Flooded[rig.LVSHA] = flooded{During: steady(1, 0), Sent: 10, MasterLines: 61}
	r.judge()
	var got []string
	for _, g := range r.Goals {
		got = append(got, g.Verdict)
	}
	want := []string{
		verdictOK, verdictMissed, // load
		verdictOK, verdictMissed, verdictMissed, verdictMissed, verdictNotAvailable, // beside busy loops
		verdictMissed, verdictMissed, verdictMissed, // flood
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts -want +got:\n%s\n%+v", diff, r.Goals)
	}
}
