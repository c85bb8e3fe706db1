// SPDX-License-Identifier: Apache-2.0

// Package track reads objects of this machine that roles depend on: numbers in files, and processes.
//
// What a reading does to a priority is decided elsewhere.
package track

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Tracker is an object to read: a file or a process.
type Tracker struct {
	Name    string // unique among the trackers
	File    string // absolute path of a file that holds a decimal number; empty: a process is tracked
	Process string // the comm of proc_pid_comm(5), or the absolute path of the executable
	Count   int    // of processes that must run, at least 1
}

// Reading is what a tracker shows.
type Reading struct {
	Name   string // of the Tracker
	Value  int    // of a file: its number within ±1,000,000, 0 where there is none; of a process: how many run
	OK     bool   // of a file: it holds a number; of a process: at least Count run
	Absent bool   // of a file: it is not OK because it does not exist
	Detail string // why it is not OK, in words
}

// pace is how long the watcher waits for what it is not told of.
type pace struct {
	files     time.Duration // between two looks at every file: for folders that come later, symbolic links, remote file systems
	patience  time.Duration // that a file may lack a number before it counts: for a writer that empties it first
	scan      time.Duration // between two scans of all processes where the kernel does not tell of them
	check     time.Duration // between two scans where it does
	subscribe time.Duration // bound on the kernel's answer
}

// Watcher reports the readings of its trackers. New makes one; Set may be called at any time from any goroutine, Run is
// called once.
type Watcher struct {
	report func(Reading)
	pace   pace
	proc   procfs
	events func(context.Context) (subscription, error)

	mu        sync.Mutex
	trackers  []Tracker
	files     chan struct{} // holds a token while the files' loop has yet to look at trackers
	processes chan struct{} // likewise
}

// New returns a watcher without trackers. It calls report with each tracker's first reading and then with every change, in
// order for one tracker, at the same time for several. A report that blocks holds up others.
func New(report func(Reading)) *Watcher {
	return &Watcher{
		report: report,
		pace: pace{
			files:     time.Second,
			patience:  50 * time.Millisecond,
			scan:      time.Second,
			check:     30 * time.Second,
			subscribe: time.Second,
		},
		proc:      procfs("/proc"),
		events:    subscribe,
		files:     make(chan struct{}, 1),
		processes: make(chan struct{}, 1),
	}
}

// Set makes trackers the ones to read, in place of those set before. One that is equal to an earlier one is not reported
// again until its reading changes. Set doesn't wait: a reading that is under way may still be reported as an earlier
// tracker's.
func (w *Watcher) Set(trackers []Tracker) {
	w.mu.Lock()
	w.trackers = trackers
	w.mu.Unlock()
	for _, changed := range []chan struct{}{w.files, w.processes} {
		select {
		case changed <- struct{}{}:
		default: // the loop has not yet looked at the change before this one
		}
	}
}

// wanted returns the trackers of files, or of processes.
func (w *Watcher) wanted(files bool) []Tracker {
	w.mu.Lock()
	defer w.mu.Unlock()
	var trackers []Tracker
	for _, t := range w.trackers {
		if (t.File != "") == files {
			trackers = append(trackers, t)
		}
	}
	return trackers
}

// Run reads until ctx ends, and returns nil then.
func (w *Watcher) Run(ctx context.Context) error {
	var loops errgroup.Group
	loops.Go(func() error { return w.watchFiles(ctx) })
	loops.Go(func() error { return w.watchProcesses(ctx) })
	return loops.Wait()
}

// readings reports what is new and remembers it.
type readings struct {
	report func(Reading)
	last   map[Tracker]Reading
}

// keep forgets all but trackers.
func (r *readings) keep(trackers []Tracker) {
	last := make(map[Tracker]Reading, len(trackers))
	for _, t := range trackers {
		if known, ok := r.last[t]; ok {
			last[t] = known
		}
	}
	r.last = last
}

// show reports a reading of t, unless it is the same as the last one.
func (r *readings) show(t Tracker, now Reading) {
	if last, known := r.last[t]; known && last == now {
		return
	}
	r.last[t] = now
	r.report(now)
}
