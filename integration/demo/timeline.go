// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// lag is how long a line of a director may take from its clock to here: what
	// is older is printed in the order of its time.
	lag = 500 * time.Millisecond
	// printInterval is how often that is done.
	printInterval = 100 * time.Millisecond
)

// timeline prints what several tell, in the order in which it happened. It is
// safe for concurrent use.
type timeline struct {
	out   io.Writer
	start time.Time

	mu      sync.Mutex
	waiting []entry
	blank   bool // the last line printed is empty
	brief   bool // directors' lines about routine are left out
	over    bool
}

type entry struct {
	at   time.Time
	text string
}

// run prints until ctx ends, and then what is left; nothing is taken after that.
func (t *timeline) run(ctx context.Context) {
	tick := time.NewTicker(printInterval)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			t.print(now.Add(-lag))
		case <-ctx.Done():
			t.mu.Lock()
			t.over = true
			t.mu.Unlock()
			t.print(time.Now())
			return
		}
	}
}

// print prints what happened until a time.
func (t *timeline) print(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortStableFunc(t.waiting, func(a, b entry) int { return a.at.Compare(b.at) })
	n, _ := slices.BinarySearchFunc(t.waiting, until, func(e entry, until time.Time) int {
		return cmp.Or(e.at.Compare(until), -1) // equal ones too
	})
	for _, e := range t.waiting[:n] {
		text := e.text
		if t.blank {
			text = strings.TrimPrefix(text, "\n")
		}
		_, _ = io.WriteString(t.out, text) // who does not listen misses it
		t.blank = strings.HasSuffix(text, "\n\n")
	}
	t.waiting = slices.Delete(t.waiting, 0, n)
}

func (t *timeline) add(at time.Time, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.waiting = append(t.waiting, entry{at, text})
	}
}

// say adds a line: time, who, what.
func (t *timeline) say(who, format string, args ...any) {
	t.sayAt(time.Now(), who, fmt.Sprintf(format, args...))
}

func (t *timeline) sayAt(at time.Time, who, text string) {
	t.add(at, fmt.Sprintf("%8.3f  %-6s  %s\n", at.Sub(t.start).Seconds(), who, text))
}

func (t *timeline) step(title string) { t.add(time.Now(), "\n== "+title+"\n") }

// block adds the output of a command.
func (t *timeline) block(prompt, output string) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", prompt)
	for line := range strings.Lines(strings.TrimRight(output, "\n") + "\n") {
		b.WriteString("    " + line)
	}
	t.add(time.Now(), b.String()+"\n")
}

// routine is what a director says of each entry that it makes in an empty table.
var routine = []string{"IPVS table: ", ": unknown -> healthy"}

// setBrief leaves directors' lines about routine out, or no more.
func (t *timeline) setBrief(brief bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.brief = brief
}

// teller returns a function that puts a director's log lines on the timeline.
func (t *timeline) teller(who string) func(string) {
	return func(line string) {
		t.mu.Lock()
		brief := t.brief
		t.mu.Unlock()
		if brief && slices.ContainsFunc(routine, func(r string) bool { return strings.Contains(line, r) }) {
			return
		}
		stamp, text, _ := strings.Cut(line, " ")
		at, err := time.Parse(time.RFC3339, stamp)
		if err != nil {
			at, text = time.Now(), line
		}
		t.sayAt(at, who, strings.TrimSpace(text))
	}
}
