// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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
	r.judge()
	var got []string
	for _, g := range r.Goals {
		got = append(got, g.Verdict)
	}
	want := []string{
		verdictOK, verdictMissed, // load
		verdictOK, verdictMissed, verdictMissed, verdictMissed, verdictNotAvailable, // beside busy loops
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts -want +got:\n%s\n%+v", diff, r.Goals)
	}
}

func TestJudgeFlood(t *testing.T) {
	const (
		reached   = "a flood of 100000 forged adverts a second"
		generator = "the generator keeps at least 0.9 of its pace without daemons"
		role      = "no false take-over and no restart in a flood"
		p99       = "adverts on time in a flood: p99 of the deviation at most 10ms above that without one"
		worst     = "adverts on time in a flood: max of the deviation at most 20ms above that without one"
		lines     = "at most 60 log lines of each director in a flood"
		master    = "each packet of the flood is counted: master"
		backup    = "each packet of the flood is counted: backup"
	)
	jitter := func(p99, worst time.Duration) steadiness {
		return steadiness{Jitter: rig.Jitter{Adverts: 100, P99: p99, Max: worst}}
	}
	for _, test := range []struct {
		name   string
		change func(*flooded)
		want   map[string]string // verdict of each goal that is not met
	}{
		{"all is well", func(*flooded) {}, nil},
		{"the machine makes less", func(f *flooded) { f.Rate, f.CalibratedRate = 86_000, 91_000 }, map[string]string{
			reached: "NOT REACHED: 86000/s is all the generator makes",
		}},
		{"the daemons keep the generator from it", func(f *flooded) { f.Rate = 60_000 }, map[string]string{
			reached: "NOT REACHED: 60000/s is all the generator makes", generator: "MISSED: 60000/s of 100000/s",
		}},
		{"nothing was sent", func(f *flooded) { *f = flooded{Before: f.Before, During: f.During} }, map[string]string{
			reached: "NOT REACHED: 0/s is all the generator makes", generator: "MISSED: 0/s of 0/s",
			master: "MISSED: 0 by lvs-ha, 0 dropped by the kernel, 0 sent", backup: "MISSED: 0 by lvs-ha, 0 dropped by the kernel, 0 sent",
		}},
		{"a take-over", func(f *flooded) { f.During.TakeOvers = 1 }, map[string]string{role: "MISSED: 1, and 0 adverts of the backup"}},
		{"late adverts", func(f *flooded) { f.During = jitter(12*time.Millisecond, 23*time.Millisecond) }, map[string]string{
			p99: "MISSED: 12.000 ms, without 1.000 ms", worst: "MISSED: 23.000 ms, without 2.000 ms",
		}},
		{"adverts as late without", func(f *flooded) {
			f.Before, f.During = jitter(5*time.Millisecond, 9*time.Millisecond), jitter(15*time.Millisecond, 29*time.Millisecond)
		}, nil},
		{"no adverts at all", func(f *flooded) { f.During = steadiness{} }, map[string]string{
			role: "MISSED: 0, and 0 adverts of the backup", p99: "MISSED: 0.000 ms, without 1.000 ms", worst: "MISSED: 0.000 ms, without 2.000 ms",
		}},
		{"a backup that talks", func(f *flooded) { f.Backup.Lines = 61 }, map[string]string{lines: "MISSED: 18, 61"}},
		{"the kernel dropped what is not counted", func(f *flooded) { f.Master.Discarded["ttl"] -= 7; f.Master.Dropped = 7 }, nil},
		{"one is not counted", func(f *flooded) { f.Backup.Discarded["ttl"]-- }, map[string]string{
			backup: "MISSED: 999999 by lvs-ha, 0 dropped by the kernel, 1000000 sent",
		}},
		{"one is counted twice", func(f *flooded) { f.Master.Discarded["ttl"]++ }, map[string]string{
			master: "MISSED: 1000001 by lvs-ha, 0 dropped by the kernel, 1000000 sent",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			director := func() floodedDirector {
				return floodedDirector{Lines: 18, Discarded: map[string]uint64{"ttl": 400_000, "vrid": 600_000}}
			}
			f := flooded{
				Before: jitter(time.Millisecond, 2*time.Millisecond), During: jitter(11*time.Millisecond, 22*time.Millisecond),
				Sent: 1_000_000, Rate: 99_900, CalibratedRate: 100_000, Master: director(), Backup: director(),
			}
			test.change(&f)
			r := newReport(options{})
			r.Flooded[rig.LVSHA] = f
			r.judge()
			got := make(map[string]string)
			for _, g := range r.Goals {
				if g.Verdict != verdictOK {
					got[g.What] = g.Verdict + ": " + g.Got
				}
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("goals that are not met (-want +got):\n%s", diff)
			}
			if len(r.Goals) != 8 {
				t.Errorf("%d goals, want 8", len(r.Goals))
			}
		})
	}
}

func TestFloodedDirectorSince(t *testing.T) {
	before := floodedDirector{CPU: time.Second, Lines: 3, Discarded: map[string]uint64{"ttl": 2, "vrid": 5}, Dropped: 1}
	after := floodedDirector{CPU: 3 * time.Second, Lines: 5, Discarded: map[string]uint64{"ttl": 2, "vrid": 9, "short": 1}, Dropped: 4}
	want := floodedDirector{CPU: 2 * time.Second, Lines: 2, Discarded: map[string]uint64{"vrid": 4, "short": 1}, Dropped: 3}
	if diff := cmp.Diff(want, after.since(before)); diff != "" {
		t.Errorf("since (-want +got):\n%s", diff)
	}
}
