// SPDX-License-Identifier: Apache-2.0

package control

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteText writes the status for a reader at a terminal; now dates the ages.
func (s Status) WriteText(w io.Writer, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "lvs-ha %s on %s, pid %d, up %s, %s\n", s.Version, s.Name, s.PID, age(now, s.Started), s.ConfigFile)
	if s.Reload != nil && s.Reload.Error != "" {
		fmt.Fprintf(t, "last reload refused %s ago: %s\n", age(now, s.Reload.At), s.Reload.Error)
	}
	if len(s.Instances) > 0 {
		fmt.Fprint(t, "\nVRRP\tSTATE\tSINCE\tINTERFACE\tVRID\tPRIORITY\tREASON\n")
	}
	for _, i := range s.Instances {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", i.Name, i.State, age(now, i.Since), i.Interface, i.VRID, i.Priority, reason(i, now))
	}
	writeVIPs(t, s.Instances)
	for _, v := range s.VirtualServers {
		writeVirtualServer(t, v, now)
	}
	writeDetails(t, s)
	fmt.Fprintf(t, "\nSYNC\t%s\n", s.Sync)
	return t.Flush()
}

// reason says why the instance is in its state, and what does not fit now.
func reason(i Instance, now time.Time) string {
	words := []string{i.Reason}
	switch {
	case i.HandingOver:
		words = append(words, "handing over")
	case i.Standby:
		words = append(words, "standby until `lvs-ha resume`")
	}
	if i.PriorityOrdered {
		words = append(words, fmt.Sprintf("priority %d by the operator", i.PriorityBase))
	}
	for _, c := range i.Contributions {
		if c.Weight != 0 {
			words = append(words, fmt.Sprintf("%+d by track %s (%s)", c.Weight, c.Track, c.Detail))
		}
	}
	if i.State == "backup" && i.Peer != "" {
		words = append(words, "master is "+i.Peer)
	}
	for _, t := range i.Troubles {
		words = append(words, fmt.Sprintf("%s: %s (%s ago)", t.Peer, t.What, age(now, t.Last)))
	}
	return strings.Join(words, "; ")
}

// writeDetails writes what was counted of packets that are not as they should
// be, which may be long over, and clocks that differ.
func writeDetails(w io.Writer, s Status) {
	var lines []string
	line := func(subject string, words []string) {
		if len(words) > 0 {
			lines = append(lines, subject+"\t"+strings.Join(words, "; "))
		}
	}
	for _, i := range s.Instances {
		line(i.Name, details(i))
	}
	for _, ifname := range slices.Sorted(maps.Keys(s.Unclaimed)) {
		line(ifname, counts("packets of no instance here", s.Unclaimed[ifname]))
	}
	if len(lines) > 0 {
		fmt.Fprintf(w, "\nDETAIL\tSINCE THE START\n%s\n", strings.Join(lines, "\n"))
	}
}

func details(i Instance) []string {
	words := counts("adverts dropped", i.Discarded)
	for _, m := range []struct {
		what  string
		count uint64
	}{
		{"adverts with other VIPs than ours", i.AddressMismatch},
		{"adverts with another interval than ours", i.IntervalMismatch},
		{"adverts without authentication taken", i.Unsigned},
		{"adverts of a second address owner", i.DuplicateOwner},
	} {
		if m.count > 0 {
			words = append(words, fmt.Sprintf("%s: %d", m.what, m.count))
		}
	}
	if math.Abs(i.ClockSkewSeconds) > i.ClockWindowSeconds/skewShare && i.ClockWindowSeconds > 0 {
		words = append(words, clock(i))
	}
	return words
}

// counts says "adverts dropped: checksum 1, ttl 3".
func counts(what string, by map[string]uint64) []string {
	var words []string
	for _, reason := range slices.Sorted(maps.Keys(by)) {
		words = append(words, fmt.Sprintf("%s %d", reason, by[reason]))
	}
	if len(words) == 0 {
		return nil
	}
	return []string{what + ": " + strings.Join(words, ", ")}
}

// skewShare is the part of the window that clocks may differ by before it is
// worth a word, here as in the journal.
const skewShare = 3

func clock(i Instance) string {
	seconds := func(s float64) time.Duration {
		return time.Duration(math.Abs(s) * float64(time.Second)).Round(100 * time.Millisecond)
	}
	way := "ahead of"
	if i.ClockSkewSeconds < 0 {
		way = "behind"
	}
	return fmt.Sprintf("clock of %s is %s %s ours now, adverts are refused from %s on",
		i.ClockPeer, seconds(i.ClockSkewSeconds), way, seconds(i.ClockWindowSeconds))
}

func writeVIPs(w io.Writer, instances []Instance) {
	if len(instances) > 0 {
		fmt.Fprint(w, "\nVIP\tVRRP\tHELD\n")
	}
	for _, i := range instances {
		for _, a := range i.Addresses {
			held := "no"
			if slices.Contains(i.Held, a) {
				held = "yes"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", a, i.Name, held)
		}
	}
}

func writeVirtualServer(w io.Writer, v VirtualServer, now time.Time) {
	missing := ""
	if !v.InKernel {
		missing = "  NOT IN KERNEL"
	}
	fmt.Fprintf(w, "\n%s  %s %s  %s%s\n", v.Name, v.Protocol, v.Address, v.Scheduler, missing)
	fmt.Fprint(w, "  REAL SERVER\tFORWARD\tWEIGHT\tKERNEL\tPROBE\tACTIVE\tINACTIVE\tLAST ERROR\n")
	for _, r := range v.RealServers {
		lastError := "-"
		if r.LastErrorAt != nil {
			lastError = fmt.Sprintf("%s (%s ago)", r.LastError, age(now, *r.LastErrorAt))
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", r.Address, r.Forward, weight(r.WeightWanted), weight(r.WeightKernel), r.Probe, r.Active, r.Inactive, lastError)
	}
}

// String describes the sync daemon in one line: what is wanted, what runs.
func (s Sync) String() string {
	if s.Wanted == "" && len(s.Daemons) == 0 {
		return s.Mode
	}
	running := make([]string, 0, len(s.Daemons))
	for _, d := range s.Daemons {
		running = append(running, fmt.Sprintf("%s on %s id %d", d.Role, d.Interface, d.ID))
	}
	if len(running) == 0 {
		running = []string{"nothing"}
	}
	return fmt.Sprintf("%s, wanted %s, kernel runs %s", s.Mode, s.Wanted, strings.Join(running, ", "))
}

func weight(w *int) string {
	if w == nil {
		return "-"
	}
	return strconv.Itoa(*w)
}

func age(now, then time.Time) string {
	if then.IsZero() {
		return "-"
	}
	d := now.Sub(then)
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
