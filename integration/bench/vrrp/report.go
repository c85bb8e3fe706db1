// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

const (
	// cpuPart is the part of keepalived's processor time that lvs-ha may take.
	cpuPart = 0.7
	// linesPerForgery bounds what a flood may write into the log, for each way
	// in which its packets are wrong.
	linesPerForgery = 10
)

// report is everything that was measured; parts that were not are empty.
type report struct {
	Duration time.Duration          `json:"duration_ns"`
	Flood    time.Duration          `json:"flood_ns"`
	Load     map[rig.Kind]load      `json:"load,omitempty"`
	Starved  map[rig.Kind][]starved `json:"starved,omitempty"`
	Flooded  map[rig.Kind]flooded   `json:"flooded,omitempty"`
	Goals    []goal                 `json:"goals"`
}

// goal is one demand on lvs-ha.
type goal struct {
	What    string `json:"what"`
	Got     string `json:"got"`
	Verdict string `json:"verdict"`
}

const (
	verdictOK           = "ok"
	verdictMissed       = "MISSED"
	verdictNotAvailable = "not available"
)

func newReport(o options) *report {
	return &report{
		Duration: o.duration, Flood: o.flood,
		Load: make(map[rig.Kind]load), Starved: make(map[rig.Kind][]starved), Flooded: make(map[rig.Kind]flooded),
	}
}

func (r *report) demand(what string, ok bool, format string, args ...any) {
	verdict := verdictOK
	if !ok {
		verdict = verdictMissed
	}
	r.Goals = append(r.Goals, goal{what, fmt.Sprintf(format, args...), verdict})
}

// judge holds what was measured against the goals.
func (r *report) judge() {
	if len(r.Load) > 0 {
		theirs, ours := r.Load[rig.Keepalived], r.Load[rig.LVSHA]
		for _, side := range []struct {
			name         string
			theirs, ours time.Duration
		}{{"master", theirs.Master.CPU, ours.Master.CPU}, {"backup", theirs.Backup.CPU, ours.Backup.CPU}} {
			got := ratio(side.ours, side.theirs)
			r.demand(fmt.Sprintf("processor time of the %s at most %g of keepalived's", side.name, cpuPart), got <= cpuPart, "%.2f", got)
		}
	}
	for _, s := range r.Starved[rig.LVSHA] {
		what := "no false take-over and no restart with real-time priority beside busy loops"
		switch {
		case s.Realtime && s.NotAvailable:
			r.Goals = append(r.Goals, goal{what, "", verdictNotAvailable})
		case s.Realtime:
			r.demand(what, s.undisturbed(), "%s", s.disturbance())
		}
	}
	if len(r.Flooded) > 0 {
		f := r.Flooded[rig.LVSHA]
		r.demand("no false take-over and no restart in a flood", f.During.undisturbed(), "%s", f.During.disturbance())
		limit := linesPerForgery * len(rig.Forgeries(oneVIP))
		r.demand(fmt.Sprintf("at most %d log lines of each director in a flood", limit), max(f.MasterLines, f.BackupLines) <= limit,
			"%d, %d", f.MasterLines, f.BackupLines)
		dropped := uint64(0)
		for _, n := range f.Discarded {
			dropped += n
		}
		r.demand("the flood is in the counters of lvs-ha status", dropped > 0, "%d of %d", dropped, f.Sent)
	}
}

// ratio returns a over b; keepalived's measured nothing counts as one clock tick.
func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, 10*time.Millisecond)) }

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

func (r *report) writeText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Load) > 0 {
		r.writeLoad(t)
	}
	if len(r.Starved) > 0 {
		r.writeStarved(t)
	}
	if len(r.Flooded) > 0 {
		r.writeFlooded(t)
	}
	fmt.Fprintln(t, "goal\tgot\t\t")
	for _, g := range r.Goals {
		fmt.Fprintf(t, "%s\t%s\t%s\t\n", g.What, g.Got, g.Verdict)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func (r *report) writeLoad(w io.Writer) {
	theirs, ours := r.Load[rig.Keepalived], r.Load[rig.LVSHA]
	fmt.Fprintf(w, "%d instances at 1s, over %s; time in softirqs is not counted\n", instances, r.Duration)
	fmt.Fprintln(w, "\tkeepalived\tlvs-ha\tratio\t")
	durations := func(what string, a, b time.Duration) {
		fmt.Fprintf(w, "%s\t%.2f s\t%.2f s\t%.2f\t\n", what, a.Seconds(), b.Seconds(), ratio(b, a))
	}
	sizes := func(what string, a, b int64) {
		fmt.Fprintf(w, "%s\t%.1f MiB\t%.1f MiB\t%.2f\t\n", what, mib(a), mib(b), float64(b)/float64(max(a, 1)))
	}
	durations("all master after", theirs.AllMaster, ours.AllMaster)
	durations("master: processor time", theirs.Master.CPU, ours.Master.CPU)
	durations("backup: processor time", theirs.Backup.CPU, ours.Backup.CPU)
	sizes("master: RSS", theirs.Master.RSS, ours.Master.RSS)
	sizes("master: PSS", theirs.Master.PSS, ours.Master.PSS)
	sizes("backup: RSS", theirs.Backup.RSS, ours.Backup.RSS)
	sizes("backup: PSS", theirs.Backup.PSS, ours.Backup.PSS)
	durations("SIGKILL: last VIP taken over after", theirs.TakenOver, ours.TakenOver)
	durations("SIGKILL: longest silence of a VIP", theirs.LongestSilence, ours.LongestSilence)
	fmt.Fprintln(w)
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func (r *report) writeStarved(w io.Writer) {
	fmt.Fprintf(w, "1 instance at %s beside %d busy loops, over %s; deviation of the time between adverts\n", jitterInterval, busyLoops, r.Duration)
	fmt.Fprintln(w, "\treal-time\tadverts\tp50\tp99\tmax\tfalse take-overs\tadverts of the backup\t")
	for _, kind := range []rig.Kind{rig.Keepalived, rig.LVSHA} {
		for _, s := range r.Starved[kind] {
			if s.NotAvailable {
				fmt.Fprintf(w, "%s\t%t\t%s\t\n", kind, s.Realtime, verdictNotAvailable)
				continue
			}
			fmt.Fprintf(w, "%s\t%t\t%s\t\n", kind, s.Realtime, s.columns())
		}
	}
	fmt.Fprintln(w)
}

func (s steadiness) disturbance() string {
	text := fmt.Sprintf("%d, and %d adverts of the backup", s.TakeOvers, s.BackupAdverts)
	if s.Restarted {
		text += ", a process restarted"
	}
	return text
}

func (s steadiness) columns() string {
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%d\t%d", s.Jitter.Adverts, millis(s.Jitter.P50), millis(s.Jitter.P99), millis(s.Jitter.Max), s.TakeOvers, s.BackupAdverts)
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.3f ms", float64(d)/float64(time.Millisecond))
}

func (r *report) writeFlooded(w io.Writer) {
	fmt.Fprintf(w, "1 instance at %s, %s without and %s with a flood of forged adverts\n", floodInterval, r.Flood, r.Flood)
	fmt.Fprintln(w, "\tflood\tadverts\tp50\tp99\tmax\tfalse take-overs\tadverts of the backup\t")
	for _, kind := range []rig.Kind{rig.Keepalived, rig.LVSHA} {
		f := r.Flooded[kind]
		fmt.Fprintf(w, "%s\tno\t%s\t\n", kind, f.Before.columns())
		fmt.Fprintf(w, "%s\t%.0f/s\t%s\t\n", kind, float64(f.Sent)/r.Flood.Seconds(), f.During.columns())
	}
	fmt.Fprintln(w, "\tprocessor time, master\tbackup\tlog lines, master\tbackup\t")
	for _, kind := range []rig.Kind{rig.Keepalived, rig.LVSHA} {
		f := r.Flooded[kind]
		cpu := fmt.Sprintf("%.2f s\t%.2f s", f.MasterCPU.Seconds(), f.BackupCPU.Seconds())
		if f.During.Restarted {
			cpu = "restarted\t" // what has ended is not in the sum
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t\n", kind, cpu, f.MasterLines, f.BackupLines)
	}
	fmt.Fprint(w, "lvs-ha discarded:")
	for _, reason := range slices.Sorted(maps.Keys(r.Flooded[rig.LVSHA].Discarded)) {
		fmt.Fprintf(w, " %s %d;", reason, r.Flooded[rig.LVSHA].Discarded[reason])
	}
	fmt.Fprint(w, "\n\n")
}
