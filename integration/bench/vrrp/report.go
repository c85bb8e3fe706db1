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
	verdictNotReached   = "NOT REACHED"
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
	if f, ok := r.Flooded[rig.LVSHA]; ok {
		r.judgeFlood(f)
	}
}

const (
	// reachedPart is the part of floodRate from which on a flood is one of that
	// rate, and generatorPart what daemons may leave of the generator's own pace.
	reachedPart   = 0.95
	generatorPart = 0.9
	// p99Slack and maxSlack are by how much a flood may move adverts more than
	// they are off without one, in parts of the interval.
	p99Slack = 0.1
	maxSlack = 0.2
)

func (r *report) judgeFlood(f flooded) {
	what := fmt.Sprintf("a flood of %d forged adverts a second", floodRate)
	if f.Rate < int(reachedPart*floodRate) {
		r.Goals = append(r.Goals, goal{what, fmt.Sprintf("%d/s is all the generator makes", f.Rate), verdictNotReached})
	} else {
		r.demand(what, true, "%d/s", f.Rate)
	}
	r.demand(fmt.Sprintf("the generator keeps at least %g of its pace without daemons", generatorPart),
		f.Rate > 0 && float64(f.Rate) >= generatorPart*float64(f.CalibratedRate), "%d/s of %d/s", f.Rate, f.CalibratedRate)
	r.demand("no false take-over and no restart in a flood", f.During.undisturbed(), "%s", f.During.disturbance())
	for _, deviation := range []struct {
		what          string
		quiet, during time.Duration
		slack         float64
	}{
		{"p99", f.Before.Jitter.P99, f.During.Jitter.P99, p99Slack},
		{"max", f.Before.Jitter.Max, f.During.Jitter.Max, maxSlack},
	} {
		slack := time.Duration(deviation.slack * float64(floodInterval))
		r.demand(fmt.Sprintf("adverts on time in a flood: %s of the deviation at most %s above that without one", deviation.what, slack),
			f.During.Jitter.Adverts > 0 && deviation.during <= deviation.quiet+slack, "%s, without %s", millis(deviation.during), millis(deviation.quiet))
	}
	limit := linesPerForgery * len(rig.Forgeries(oneVIP))
	r.demand(fmt.Sprintf("at most %d log lines of each director in a flood", limit), max(f.Master.Lines, f.Backup.Lines) <= limit,
		"%d, %d", f.Master.Lines, f.Backup.Lines)
	for _, side := range []struct {
		name     string
		director floodedDirector
	}{{"master", f.Master}, {"backup", f.Backup}} {
		counted, dropped := side.director.counted(), side.director.Dropped
		r.demand("each packet of the flood is counted: "+side.name, counted > 0 && counted+dropped == uint64(f.Sent),
			"%d by lvs-ha, %d dropped by the kernel, %d sent", counted, dropped, f.Sent)
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
		fmt.Fprintf(w, "%s\t%d/s\t%s\t\n", kind, f.Rate, f.During.columns())
	}
	fmt.Fprintln(w, "\tprocessor time, master\tbackup\tlog lines, master\tbackup\t")
	for _, kind := range []rig.Kind{rig.Keepalived, rig.LVSHA} {
		f := r.Flooded[kind]
		cpu := fmt.Sprintf("%.2f s\t%.2f s", f.Master.CPU.Seconds(), f.Backup.CPU.Seconds())
		if f.During.Restarted {
			cpu = "restarted\t" // what has ended is not in the sum
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t\n", kind, cpu, f.Master.Lines, f.Backup.Lines)
	}
	fmt.Fprint(w, "lvs-ha's master discarded:")
	discarded := r.Flooded[rig.LVSHA].Master.Discarded
	for _, reason := range slices.Sorted(maps.Keys(discarded)) {
		fmt.Fprintf(w, " %s %d;", reason, discarded[reason])
	}
	fmt.Fprint(w, "\n\n")
}
