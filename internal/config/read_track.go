// SPDX-License-Identifier: Apache-2.0

package config

import (
	"path/filepath"
	"slices"
)

const (
	maxTrackWeight = 253 // between the priorities 1 and 254
	maxProcesses   = 10000
	maxComm        = 15 // bytes: TASK_COMM_LEN of include/linux/sched.h without the final zero byte
)

// trackKeys are the keys of a [[track]] that only tracks of some types have.
var trackKeys = []typedKeys{
	{[]string{"interface"}, []string{"interface"}},
	{[]string{"file"}, []string{"file"}},
	{[]string{"command", "user", "interval", "timeout", "rise", "fall"}, []string{"command"}},
	{[]string{"process", "count"}, []string{"process"}},
	{[]string{"virtual_server"}, []string{"quorum"}},
}

// readTracks reads the [[track]] tables, after the virtual servers, and makes them known by name.
func (r *reader) readTracks(tables []*table) []Track {
	names := unique[string]{}
	var tracks []Track
	for _, t := range tables {
		track := r.track(t, names)
		tracks = append(tracks, track)
		r.tracks[track.Name] = track
	}
	return tracks
}

// track reads one [[track]] table.
func (r *reader) track(t *table, names unique[string]) Track {
	track := Track{Name: r.name(t, names)}
	t.require("type", `what to track: "interface", "file", "command", "process" or "quorum"`)
	kind := t.choice("type", "interface", "file", "command", "process", "quorum")
	track.Type = kind.value
	if kind.ok {
		r.refuseKeys(t, kind.value, trackKeys, "tracks")
	}
	for _, group := range trackKeys { // the first key of each is the object itself
		if slices.Contains(group.types, track.Type) {
			t.require(group.keys[0], "what is tracked")
		}
	}
	track.Interface = r.checkInterface("interface", t.text("interface"), "", r.doc.warnf).value
	track.File = r.file(t.text("file").value)
	command, user := r.command(t), t.text("user")
	interval, timeout, rise, fall := r.schedule(t)
	if track.Type == "command" {
		track.Command, track.User = command, r.user(user)
		track.Interval, track.Timeout, track.Rise, track.Fall = interval, timeout, rise, fall
	}
	process, count := t.text("process"), t.integer("count", 1, maxProcesses)
	if process.ok && !filepath.IsAbs(process.value) && len(process.value) > maxComm {
		r.doc.errorf(process.at, "process is %q, expected a name of at most %d bytes, as the kernel cuts it, or an absolute path",
			process.value, maxComm)
	}
	track.Process = process.value
	if track.Type == "process" {
		track.Count = count.or(1)
	}
	if virtualServer := t.text("virtual_server"); virtualServer.ok {
		v, _ := reference(r, "virtual_server", virtualServer, "[[virtual_server]]", r.virtualServers)
		track.VirtualServer = v.Name
	}
	return track
}

// trackUses reads the tracks that an instance of this priority depends on.
func (r *instanceReader) trackUses(t *table, priority uint8) []TrackUse {
	seen := unique[string]{}
	var uses []TrackUse
	for n, e := range t.list("track", `"uplink"`).value {
		var name field[string]
		var weight field[int]
		switch v := e.value.(type) {
		case string:
			name = field[string]{value: v, at: e.place.value, ok: true}
		case map[string]any:
			inner := r.doc.open("[[vrrp.track]]", v, e.place, t)
			inner.require("name", "the [[track]]")
			name = inner.text("name")
			weight = inner.integer("weight", -maxTrackWeight, maxTrackWeight)
		default:
			r.doc.errorf(e.place.value, `track[%d] is %s, expected a name such as "uplink" or a table { name = "uplink", weight = -30 }`, n, describe(v))
		}
		if !name.ok {
			continue
		}
		reference(r.reader, "track", name, "[[track]]", r.tracks)
		if line, again := seen.use(name.value, name.at, r.doc); again {
			r.doc.errorf(name.at, "track %q is also in line %d: an instance can have it once", name.value, line)
		}
		if weight.value != 0 && priority == ownerPriority {
			r.doc.warnf(weight.at, "weight has no effect with priority 255: an address owner's never changes")
		}
		uses = append(uses, TrackUse{name.value, weight.value})
	}
	return uses
}
