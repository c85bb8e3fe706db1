// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/pair"
)

// demo is one performance.
type demo struct {
	out   io.Writer
	mu    sync.Mutex // guards out
	start time.Time
	pair  *pair.Pair
	shown []string // what each step showed, for the verdict
}

// say prints one line of the timeline: time, who, what.
func (d *demo) say(who, format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "%8.3f  %-6s  %s\n", time.Since(d.start).Seconds(), who, fmt.Sprintf(format, args...))
}

func (d *demo) step(title string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "\n== %s\n", title)
}

// teller returns a function that puts a director's log lines, without time
// stamp and attributes, on the timeline.
func (d *demo) teller(who string) func(string) {
	return func(line string) {
		_, text, _ := strings.Cut(line, " ")
		text = strings.TrimSpace(text)
		for _, attr := range []string{" instance=", " virtual_server=", " from=", " to=", " reason=", " message_id="} {
			text, _, _ = strings.Cut(text, attr)
		}
		d.say(who, "%s", text)
	}
}

// show prints ipvsadm -Ln and lvs-ha status of directors.
func (d *demo) show(ctx context.Context, directors ...string) error {
	for _, node := range directors {
		for _, args := range [][]string{{"ipvsadm", "-Ln"}, {"lvs-ha", "status"}} {
			out, err := d.pair.Output(ctx, node, args[0], args[1:]...)
			if err != nil {
				return err
			}
			d.mu.Lock()
			fmt.Fprintf(d.out, "\n%s# %s\n", node, strings.Join(args, " "))
			for line := range strings.Lines(out) {
				fmt.Fprint(d.out, "    "+line)
			}
			d.mu.Unlock()
		}
	}
	return nil
}
