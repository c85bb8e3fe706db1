// SPDX-License-Identifier: Apache-2.0

package track

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"
)

// processes is the state of the loop that watches processes.
type processes struct {
	*readings
	proc   procfs
	census census
}

// watchProcesses counts the tracked processes until ctx ends: by the kernel's events, or where there are none by scans.
func (w *Watcher) watchProcesses(ctx context.Context) error {
	p := &processes{readings: &readings{report: w.report}, proc: w.proc}
	var trackers []Tracker
	for {
		switch {
		case len(trackers) == 0:
			select {
			case <-ctx.Done():
				return nil
			case <-w.processes:
			}
		default:
			p.recount(trackers)
			w.followProcesses(ctx, p, trackers)
			if ctx.Err() != nil {
				return nil
			}
		}
		trackers = w.wanted(false)
		p.keep(trackers)
	}
}

// followProcesses keeps the census of trackers until others are set or ctx ends.
func (w *Watcher) followProcesses(ctx context.Context, p *processes, trackers []Tracker) {
	ctx, cancel := context.WithCancel(ctx)
	var receiver sync.WaitGroup
	defer receiver.Wait()
	defer cancel()

	events := make(chan []procEvent) // nil: some were lost
	interval := w.pace.scan
	answer, answered := context.WithTimeout(ctx, w.pace.subscribe)
	kernel, err := w.events(answer)
	answered()
	if err == nil {
		interval = w.pace.check
		defer kernel.close()
		receiver.Go(func() {
			defer close(events)
			forward(ctx, kernel, events)
		})
		p.recount(trackers) // for what happened before the subscription
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.processes:
			return
		case <-tick.C:
			p.recount(trackers)
		case batch, more := <-events:
			switch {
			case !more:
				events = nil
				tick.Reset(w.pace.scan)
			case batch == nil:
				p.recount(trackers)
			default:
				p.apply(batch)
			}
		}
	}
}

// forward passes on events until ctx ends or there are no more.
func forward(ctx context.Context, kernel subscription, events chan<- []procEvent) {
	for {
		batch, err := kernel.receive()
		if err != nil && !errors.Is(err, errOverrun) {
			return
		}
		select {
		case events <- batch:
		case <-ctx.Done():
			return
		}
	}
}

// recount scans all processes and reports what is new. A proc file system that cannot be read shows no process.
func (p *processes) recount(trackers []Tracker) {
	var wanted []wantedProcess
	for _, t := range trackers {
		w := wantedProcess{Tracker: t}
		if filepath.IsAbs(t.Process) {
			w.resolved, _ = filepath.EvalSymlinks(t.Process) // none: the path itself will do
		}
		wanted = append(wanted, w)
	}
	all := make(map[int]process)
	_ = p.proc.scan(func(pid int, found process) { all[pid] = found })
	p.census.recount(wanted, all)
	p.showAll()
}

func (p *processes) apply(batch []procEvent) {
	news := false
	for _, e := range batch {
		news = p.census.apply(e, p.proc.look) || news
	}
	if news {
		p.showAll()
	}
}

func (p *processes) showAll() {
	for _, w := range p.census.wanted {
		p.show(w.Tracker, p.census.reading(w))
	}
}
