// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// DefaultStateDir is [Director.StateDir] where the file gives none.
const DefaultStateDir = "/run/lvs-ha"

const maxStateDir = 90 // bytes; sun_path of a unix socket has 108, some of them for the socket's own name

// director reads the [director] table, which may be missing.
func (r *reader) director(t *table) Director {
	if t == nil {
		t = r.doc.open("[director]", nil, &place{}, nil)
	}
	d := Director{
		Name:   t.text("name").value,
		OnStop: OnStop(t.choice("on_stop", string(OnStopRemove), string(OnStopKeep)).or(string(OnStopRemove))),
	}
	if _, given := t.values["name"]; !given {
		hostName, err := os.Hostname()
		if err != nil {
			r.doc.errorf(t.place.value, "[director] has no name and the host name cannot be read: %v", err)
		}
		d.Name = hostName
	}
	d.StateDir = stateDir(t)
	return d
}

// stateDir reads the key state_dir of the [director] table.
func stateDir(t *table) string {
	f := t.text("state_dir")
	switch {
	case f.ok && !filepath.IsAbs(f.value):
		t.doc.errorf(f.at, "state_dir is %q, expected an absolute path such as %q", f.value, DefaultStateDir)
	case len(f.value) > maxStateDir:
		t.doc.errorf(f.at, "state_dir has %d bytes, expected at most %d: the control socket is in it", len(f.value), maxStateDir)
	}
	return filepath.Clean(f.or(DefaultStateDir))
}

// StateDir returns the state_dir of a configuration file, the default if it gives none. Whatever else is wrong in a file
// that is TOML does not matter.
func StateDir(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	doc := newDocument(file, data)
	dir := DefaultStateDir
	if root, ok := doc.root(); ok {
		if t := root.table("director"); t != nil {
			dir = stateDir(t)
		}
	}
	if len(doc.problems) > 0 {
		return "", errors.New(doc.problems[0].String())
	}
	return dir, nil
}

// Limits of the [speaker] table.
const (
	maxRealtimePriority = 99 // sched(7)
	minHeartbeat        = 100 * time.Millisecond
	maxHeartbeat        = 10 * time.Second
	minHoldTime         = time.Second
	maxHoldTime         = time.Hour
)

// speaker reads the [speaker] table, which may be missing.
func (r *reader) speaker(t *table) Speaker {
	if t == nil {
		t = r.doc.open("[speaker]", nil, &place{}, nil)
	}
	s := Speaker{
		RealtimePriority: t.integer("realtime_priority", 0, maxRealtimePriority).value,
		Heartbeat:        t.duration("heartbeat", minHeartbeat, maxHeartbeat).or(300 * time.Millisecond),
		OnDirectorLoss:   OnDirectorLoss(t.choice("on_director_loss", string(HandOver), string(Hold)).or(string(HandOver))),
	}
	holdTime := t.duration("hold_time", minHoldTime, maxHoldTime)
	if holdTime.ok && s.OnDirectorLoss != Hold {
		r.doc.warnf(holdTime.at, `hold_time has no effect without on_director_loss = "hold"`)
	}
	s.HoldTime = holdTime.or(30 * time.Second)
	return s
}

// sync reads the [sync] table, which may be missing, after the instances.
func (r *reader) sync(t *table) Sync {
	if t == nil {
		return Sync{Mode: "off"}
	}
	s := Sync{Mode: t.choice("mode", "off", "multicast").or("off")}
	id := t.integer("id", 0, 255)
	instanceName := t.text("instance")
	s.Interface = r.interfaceName(t, "interface").value
	if s.Mode == "multicast" {
		t.require("instance", "the [[vrrp]] whose role the sync daemon follows")
	}
	if !instanceName.ok {
		s.ID = uint8(id.value)
		return s
	}
	s.Instance = instanceName.value
	instance, _ := reference(r, "instance", instanceName, "[[vrrp]]", r.instances)
	s.ID = uint8(id.or(int(instance.VRID)))
	if s.Interface == "" {
		s.Interface = instance.Interface
	}
	return s
}
