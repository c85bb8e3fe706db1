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
	d.sayAt(time.Now(), who, fmt.Sprintf(format, args...))
}

func (d *demo) sayAt(at time.Time, who, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "%8.3f  %-6s  %s\n", at.Sub(d.start).Seconds(), who, text)
}

func (d *demo) step(title string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "\n== %s\n", title)
}

// teller returns a function that puts a director's log lines on the timeline.
func (d *demo) teller(who string) func(string) {
	return func(line string) {
		stamp, text, _ := strings.Cut(line, " ")
		at, err := time.Parse(time.RFC3339, stamp)
		if err != nil {
			at = time.Now()
		}
		d.sayAt(at, who, strings.TrimSpace(text))
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
