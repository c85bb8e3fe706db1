// SPDX-License-Identifier: Apache-2.0

package control

import (
	"fmt"
	"io"
	"maps"
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
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", i.Name, i.State, age(now, i.Since), i.Interface, i.VRID, i.Priority, reason(i))
	}
	writeVIPs(t, s.Instances)
	for _, v := range s.VirtualServers {
		writeVirtualServer(t, v, now)
	}
	fmt.Fprintf(t, "\nSYNC\t%s\n", s.Sync)
	return t.Flush()
}

// reason says why the instance is in its state, and what does not fit.
func reason(i Instance) string {
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
	for _, m := range []struct {
		count uint64
		what  string
	}{
		{i.AddressMismatch, "adverts with other VIPs than ours"},
		{i.IntervalMismatch, "adverts with another interval than ours"},
		{i.Unsigned, "adverts without authentication taken"},
		{i.DuplicateOwner, "adverts of a second address owner"},
	} {
		if m.count > 0 {
			words = append(words, fmt.Sprintf("%d %s", m.count, m.what))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.Discarded)) {
		words = append(words, fmt.Sprintf("%d adverts dropped: %s", i.Discarded[name], name))
	}
	return strings.Join(words, "; ")
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
