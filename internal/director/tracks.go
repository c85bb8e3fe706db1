// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"fmt"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/health"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/track"
)

// linkTracks returns the tracked interfaces, which the speaker watches itself.
func linkTracks(c *config.Config) []speaker.LinkTrack {
	var all []speaker.LinkTrack
	for _, t := range c.Tracks {
		if t.Type == "interface" {
			all = append(all, speaker.LinkTrack{Name: t.Name, Interface: t.Interface})
		}
	}
	return all
}

// trackers returns the tracked files and processes.
func trackers(c *config.Config) []track.Tracker {
	var all []track.Tracker
	for _, t := range c.Tracks {
		switch t.Type {
		case "file":
			all = append(all, track.Tracker{Name: t.Name, File: t.File})
		case "process":
			all = append(all, track.Tracker{Name: t.Name, Process: t.Process, Count: t.Count})
		}
	}
	return all
}

// commandTarget is the prefix of the target that a tracked command is probed as.
const commandTarget = "track "

// commandTargets returns the tracked commands as targets of the prober.
func commandTargets(c *config.Config) []health.Target {
	var all []health.Target
	for _, t := range c.Tracks {
		if t.Type == "command" {
			all = append(all, health.Target{ID: commandTarget + t.Name, Check: health.Check{
				Type: health.TypeExec, Interval: t.Interval, Timeout: t.Timeout, Rise: t.Rise, Fall: t.Fall,
				Exec: &health.Exec{Argv: t.Command, User: t.User},
			}})
		}
	}
	return all
}

// takeReadings passes news of files and processes on.
func (d *Director) takeReadings(ctx context.Context) {
	kinds := make(map[string]string)
	for _, t := range d.config.Tracks {
		kinds[t.Name] = t.Type
	}
	for _, r := range d.readings.take() {
		t := speaker.Tracked{Name: r.Name, Up: r.OK, Value: r.Value, Detail: r.Detail}
		switch kinds[r.Name] {
		case "file":
			t.Up = r.Value == 0
			if r.OK {
				t.Detail = fmt.Sprintf("value %d", r.Value)
			} else if !r.Absent {
				d.trackAs(ctx, TrackUnreadable, t)
				continue
			}
		case "process":
			if r.OK {
				t.Detail = fmt.Sprintf("%d run", r.Value)
			}
		default:
			continue // of a track that was removed meanwhile
		}
		d.track(ctx, t)
	}
}

// takeCommand passes the verdict on a tracked command on.
func (d *Director) takeCommand(ctx context.Context, name string, r health.Result) {
	t := speaker.Tracked{Name: name, Up: r.Verdict == health.Healthy, Detail: "command succeeds"}
	if r.Err != nil {
		t.Detail = r.Err.Error()
	}
	if t.Up {
		t.Value = 1
	}
	d.track(ctx, t)
}

// trackQuorums passes on which virtual servers have enough healthy servers.
func (d *Director) trackQuorums(ctx context.Context) {
	for _, t := range d.config.Tracks {
		if t.Type != "quorum" {
			continue
		}
		for _, vs := range d.config.VirtualServers {
			if vs.Name != t.VirtualServer {
				continue
			}
			if q := deriveQuorum(vs, d.verdicts); q.known {
				d.track(ctx, q.tracked(t.Name))
			}
		}
	}
}

// quorum is how a virtual server stands to its quorum.
type quorum struct {
	weight, wanted int
	known          bool
}

// deriveQuorum sums the weights of the healthy real servers. While verdicts
// are missing that could still decide it, nothing is known.
func deriveQuorum(vs config.VirtualServer, verdicts map[targetID]health.Verdict) quorum {
	q := quorum{wanted: vs.Quorum}
	unknown := 0
	for _, rs := range vs.RealServers {
		switch verdictOf(verdicts, vs.Name, rs) {
		case health.Healthy:
			q.weight += rs.Weight
		case health.Unknown:
			unknown += rs.Weight
		}
	}
	q.known = q.weight >= q.wanted || q.weight+unknown < q.wanted
	return q
}

func (q quorum) tracked(name string) speaker.Tracked {
	t := speaker.Tracked{Name: name, Up: q.weight >= q.wanted, Detail: fmt.Sprintf("weight %d of quorum %d", q.weight, q.wanted)}
	if t.Up {
		t.Value = 1
	}
	return t
}

// track tells the speaker about a tracked object, if it is news.
func (d *Director) track(ctx context.Context, t speaker.Tracked) { d.trackAs(ctx, TrackChanged, t) }

// trackAs is track with an event of the given kind.
func (d *Director) trackAs(ctx context.Context, kind Kind, t speaker.Tracked) {
	known, ok := d.tracked[t.Name]
	if ok && known == t {
		return
	}
	switch {
	case kind == TrackUnreadable:
		d.emit(ctx, Event{Kind: kind, Reason: t.Detail, Text: fmt.Sprintf("track %s: %s; it counts as 0", t.Name, t.Detail)})
	case !ok || known.Up != t.Up || known.Value != t.Value:
		d.emit(ctx, Event{Kind: kind, Reason: t.Detail, Text: fmt.Sprintf("track %s: %s", t.Name, t.Detail)})
	}
	d.tracked[t.Name] = t
	d.command(ctx, t)
}
