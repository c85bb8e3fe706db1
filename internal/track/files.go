// SPDX-License-Identifier: Apache-2.0

package track

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// files is the state of the loop that watches files.
type files struct {
	*readings
	trackers []Tracker
	folders  map[string]bool      // that were to be watched
	lacking  map[Tracker]struct{} // a number, which does not count before patience ends
	patience *time.Timer
	pace     pace
}

// watchFiles reads the tracked files until ctx ends: when their folder shows a change, and every pace.files.
func (w *Watcher) watchFiles(ctx context.Context) error {
	f := &files{
		readings: &readings{report: w.report},
		folders:  make(map[string]bool),
		lacking:  make(map[Tracker]struct{}),
		patience: time.NewTimer(0),
		pace:     w.pace,
	}
	defer f.patience.Stop()
	// Where there is no inotify instance left (fs.inotify.max_user_instances), the regular look has to do.
	var changes chan fsnotify.Event
	var failures chan error
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		defer func() { _ = watcher.Close() }()
		changes, failures = watcher.Events, watcher.Errors
	}
	tick := time.NewTicker(w.pace.files)
	defer tick.Stop()
	for {
		regular := tick.C
		if len(f.trackers) == 0 {
			regular = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.files:
			f.trackers = w.wanted(true)
			f.keep(f.trackers)
			f.follow(watcher)
			f.lookAll()
		case <-regular:
			f.follow(watcher)
			f.lookAll()
		case change := <-changes:
			f.lookAfter(change)
		case <-failures: // events were lost
			f.lookAll()
		case <-f.patience.C:
			f.giveUp()
		}
	}
}

// follow watches the folders of the files, as far as they exist, and no others. A folder that was replaced is watched anew.
func (f *files) follow(watcher *fsnotify.Watcher) {
	if watcher == nil {
		return
	}
	folders := make(map[string]bool)
	for _, t := range f.trackers {
		folders[filepath.Dir(t.File)] = true
	}
	for folder := range f.folders {
		if !folders[folder] {
			_ = watcher.Remove(folder) // it may have ended by itself
		}
	}
	for folder := range folders {
		_ = watcher.Add(folder) // tried again by the next call
	}
	f.folders = folders
}

func (f *files) lookAll() {
	for _, t := range f.trackers {
		f.look(t)
	}
}

// lookAfter looks at the files that a change may be about. It may come under another path to the same folder.
func (f *files) lookAfter(change fsnotify.Event) {
	name := filepath.Base(change.Name)
	for _, t := range f.trackers {
		if name == filepath.Base(t.File) || name == filepath.Base(filepath.Dir(t.File)) {
			f.look(t)
		}
	}
}

// look reads a file. One that now lacks a number gets some patience.
func (f *files) look(t Tracker) {
	now := readFile(t)
	last, known := f.last[t]
	if now.OK || !known || now == last {
		delete(f.lacking, t)
		f.show(t, now)
		return
	}
	if _, waiting := f.lacking[t]; !waiting {
		f.lacking[t] = struct{}{}
		f.patience.Reset(f.pace.patience)
	}
}

// giveUp takes the files that lack a number as they are now.
func (f *files) giveUp() {
	lacking := f.lacking
	f.lacking = make(map[Tracker]struct{})
	for _, t := range f.trackers {
		if _, waited := lacking[t]; waited {
			f.show(t, readFile(t))
		}
	}
}

func readFile(t Tracker) Reading {
	value, err := readNumber(t.File)
	if err != nil {
		return Reading{Name: t.Name, Absent: errors.Is(err, fs.ErrNotExist), Detail: err.Error()}
	}
	return Reading{Name: t.Name, Value: value, OK: true}
}
