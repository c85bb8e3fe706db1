// SPDX-License-Identifier: Apache-2.0

package track

import (
	"fmt"
	"slices"
	"strings"
)

// wantedProcess is a tracker of processes.
type wantedProcess struct {
	Tracker
	resolved string // Process without symbolic links, where it is a path
}

// matches tells whether p is one of the processes to count.
func (w wantedProcess) matches(p process) bool {
	if strings.HasPrefix(w.Process, "/") {
		return p.exe != "" && (p.exe == w.Process || p.exe == w.resolved)
	}
	return p.comm == w.Process
}

// census knows which processes run, of those that are wanted. It is pure; the zero census wants none.
type census struct {
	wanted  []wantedProcess
	running map[int]process // by process ID
}

// recount replaces what is known by a full scan.
func (c *census) recount(wanted []wantedProcess, all map[int]process) {
	c.wanted, c.running = wanted, make(map[int]process)
	for pid, p := range all {
		c.see(pid, p, true)
	}
}

// see takes note of a process that runs as p, or doesn't run, and tells whether that is news.
func (c *census) see(pid int, p process, runs bool) (news bool) {
	before, known := c.running[pid]
	if !runs || !slices.ContainsFunc(c.wanted, func(w wantedProcess) bool { return w.matches(p) }) {
		delete(c.running, pid)
		return known
	}
	c.running[pid] = p
	return !known || before != p
}

// apply takes note of an event and tells whether it is news. It looks at a process that changed: what that finds may be newer
// than the event, but never older, and the last event of a process finds it as it is. So a fork is looked at as well, whatever
// is known of the parent, which may have gone on since.
func (c *census) apply(e procEvent, look func(pid int) (process, bool)) (news bool) {
	switch e.kind {
	case changed:
		p, runs := look(e.pid)
		return c.see(e.pid, p, runs)
	case ended:
		return c.see(e.pid, process{}, false)
	}
	return false
}

// reading returns what w shows.
func (c *census) reading(w wantedProcess) Reading {
	r := Reading{Name: w.Name}
	for _, p := range c.running {
		if w.matches(p) {
			r.Value++
		}
	}
	if r.OK = r.Value >= w.Count; !r.OK {
		r.Detail = fmt.Sprintf("%d of %s running, expected %d", r.Value, w.Process, w.Count)
	}
	return r
}
