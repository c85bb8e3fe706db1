// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// clock is how text shows a point in time.
const clock = "15:04:05.000"

// WriteText writes the report for a reader at a terminal.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%.1f s from %s\n", r.End.Sub(r.Start.Time).Seconds(), r.Start)
	if r.UDP != nil {
		r.UDP.writeText(&b, "udp ")
	}
	if r.HTTP != nil {
		r.HTTP.writeText(&b, "http")
	}
	if r.TCP != nil {
		r.TCP.writeText(&b, "tcp ")
		fmt.Fprintf(&b, "      connections: %d opened, %d refused, %d broken, %d stalled, %d sequence errors\n",
			r.TCP.Opened, r.TCP.Refused, r.TCP.Broken, r.TCP.Stalled, r.TCP.SequenceErrors)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// writeText writes the account of one stream.
func (r StreamReport) writeText(b *strings.Builder, name string) {
	fmt.Fprintf(b, "%s  sent %d, answered %d, lost %d; longest silence %s", name, r.Sent, r.Answered, r.Lost, r.LongestSilence)
	if r.LongestSilence > 0 {
		fmt.Fprintf(b, " at %s", r.LongestSilenceStart.Format(clock))
	}
	if r.LongestPause > 0 {
		fmt.Fprintf(b, " (longest pause in sending %s)", r.LongestPause)
	}
	if r.LongestOutage > 0 {
		fmt.Fprintf(b, "; longest outage %s at %s", r.LongestOutage, r.LongestOutageStart.Format(clock))
	}
	fmt.Fprintf(b, "\n      by server: %s\n", countsText(r.ByServer))
	if len(r.Errors) > 0 {
		fmt.Fprintf(b, "      errors: %s (%s to %s)\n", countsText(r.Errors), r.FirstError.Format(clock), r.LastError.Format(clock))
	}
	if len(r.Silences) > 0 {
		fmt.Fprintf(b, "      silences: %d", r.SilenceCount)
		for _, s := range r.Silences {
			fmt.Fprintf(b, "; %s %s", s.Start.Format(clock), s.Length)
		}
		b.WriteByte('\n')
	}
}

// countsText returns "a 1, b 2", sorted by name.
func countsText(counts map[string]uint64) string {
	if len(counts) == 0 {
		return "none"
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(words, ", ")
}
