// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// TestInteroperability plays every combination, a second time if it must, and prints
// the table of them.
func TestInteroperability(t *testing.T) {
	requireNamespaces(t, "keepalived", "frr")
	tried, leftOut := sort(combinations())
	var names []string
	for _, c := range tried {
		names = append(names, c.name())
	}
	results := make([]string, len(tried)) // empty: kept from running by a -run pattern
	eachOf(t, names, func(t *testing.T, i int) {
		results[i] = "FAILED"
		for _, try := range []string{"", ", at the second try"} { // many routers on few processors stand still at times
			began := time.Now()
			m := newMatch(t, tried[i], nil)
			err := m.play()
			if err == nil {
				results[i] = fmt.Sprintf("ok, %.1f s%s", time.Since(began).Seconds(), try)
				return
			}
			results[i] = "FAILED: " + err.Error()
			t.Log(err)
			if try == "" {
				t.Log(m.logs())
			}
			m.end()
		}
		t.Fail()
	})
	for line := range strings.Lines(table(tried, results, leftOut)) {
		fmt.Fprint(t.Output(), shown+line)
	}
}

// shown marks lines that integration/layers passes on from a test that passed.
const shown = "| "

// sort returns the combinations to try, the slow ones first, and how many are
// left out for each reason.
func sort(all []combination) (tried []combination, leftOut map[string]int) {
	leftOut = make(map[string]int)
	for _, version := range []int{2, 3} {
		for _, c := range all {
			switch reason := c.leftOut(); {
			case c.version != version:
			case reason != "":
				leftOut[reason]++
			default:
				tried = append(tried, c)
			}
		}
	}
	return tried, leftOut
}

// table prints a line for each combination, and what is left out.
func table(tried []combination, results []string, leftOut map[string]int) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(heading, "\t"))
	for i, c := range tried {
		result, _, _ := strings.Cut(results[i], "\n")
		if result == "" {
			continue
		}
		fmt.Fprintln(w, strings.Join(append(c.columns(), result), "\t"))
	}
	w.Flush()
	fmt.Fprintf(&b, "\nof %d combinations, %d tried; not tried:\n", len(combinations()), len(tried))
	for _, reason := range slices.Sorted(maps.Keys(leftOut)) {
		fmt.Fprintf(&b, "%6d  %s\n", leftOut[reason], reason)
	}
	return b.String()
}
