// SPDX-License-Identifier: Apache-2.0

package director

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/health"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/track"
)

// TestQuorum derives what is known of three real servers of weight 10, 20 and
// 40, and the verdicts h(ealthy), f(ailed), ? (unknown), - (no check).
func TestQuorum(t *testing.T) {
	for _, test := range []struct {
		verdicts string
		quorum   int
		want     string
	}{
		{"hhh", 70, "up: weight 70 of quorum 70"},
		{"hhf", 30, "up: weight 30 of quorum 30"},
		{"hhf", 31, "down: weight 30 of quorum 31"},
		{"fff", 1, "down: weight 0 of quorum 1"},
		{"???", 1, "unknown"},
		{"???", 70, "unknown"},
		{"???", 71, "down: weight 0 of quorum 71"}, // whatever they say
		{"?hh", 60, "up: weight 60 of quorum 60"},
		{"?hh", 61, "unknown"},
		{"?hh", 70, "unknown"},
		{"?hf", 31, "down: weight 20 of quorum 31"},
		{"---", 70, "up: weight 70 of quorum 70"},
		{"--f", 31, "down: weight 30 of quorum 31"},
		{"-?f", 10, "up: weight 10 of quorum 10"},
	} {
		vs := config.VirtualServer{Name: "www", Quorum: test.quorum}
		verdicts := make(map[targetID]health.Verdict)
		for n, v := range test.verdicts {
			rs := config.RealServer{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(n)}), 80), Weight: 10 << n, Check: &config.Check{}}
			id := targetID{"www", rs.Address}
			switch v {
			case 'h':
				verdicts[id] = health.Healthy
			case 'f':
				verdicts[id] = health.Failed
			case '-':
				rs.Check = nil
			}
			vs.RealServers = append(vs.RealServers, rs)
		}
		q, got := deriveQuorum(vs, verdicts), "unknown"
		if tracked := q.tracked("pool"); q.known && tracked.Up {
			got = "up: " + tracked.Detail
		} else if q.known {
			got = "down: " + tracked.Detail
		}
		if got != test.want {
			t.Errorf("%s, quorum %d: %s, want %s", test.verdicts, test.quorum, got, test.want)
		}
	}
}

const trackConfig = `
[[track]]
name = "pool"
type = "quorum"
virtual_server = "www"

[[track]]
name = "load"
type = "file"
file = "/run/load"

[[track]]
name = "daemons"
type = "process"
process = "routed"
count = 2

[[track]]
name = "script"
type = "command"
command = ["/bin/true", "-x"]
user = "nobody"
interval = "5s"
timeout = "3s"
rise = 4
fall = 5

[[track]]
name = "uplink"
type = "interface"
interface = "eth3"
`

func trackedConfig() string {
	withTracks := strings.Replace(exampleConfig, "priority = 150\n", "priority = 150\ntrack = [\"pool\", \"load\", \"daemons\", \"script\", \"uplink\"]\n", 1)
	return strings.Replace(withTracks, "scheduler = \"rr\"\n", "scheduler = \"rr\"\nquorum = 20\n", 1) + trackConfig
}

func TestTracksAreWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, trackedConfig(), nil)
		w.start()
		want := []track.Tracker{{Name: "load", File: "/run/load"}, {Name: "daemons", Process: "routed", Count: 2}}
		if diff := cmp.Diff(want, w.tracker.trackers); diff != "" {
			t.Errorf("trackers (-want +got):\n%s", diff)
		}
		script := w.targets[len(w.targets)-1]
		wantTarget := health.Target{ID: "track script", Check: health.Check{
			Type: health.TypeExec, Interval: 5 * time.Second, Timeout: 3 * time.Second, Rise: 4, Fall: 5,
			Exec: &health.Exec{Argv: []string{"/bin/true", "-x"}, User: "nobody"},
		}}
		if diff := cmp.Diff(wantTarget, script, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("probe of the command (-want +got):\n%s", diff)
		}
		links := told[speaker.Configure](w)[0].Links
		if diff := cmp.Diff([]speaker.LinkTrack{{Name: "uplink", Interface: "eth3"}}, links); diff != "" {
			t.Errorf("links (-want +got):\n%s", diff)
		}
		if got := told[speaker.Tracked](w); len(got) > 0 {
			t.Errorf("told before anything is known: %v", got)
		}
	})
}

// wantTracked holds what the speaker was told since the last call against want.
func (w *world) wantTracked(when string, want ...speaker.Tracked) {
	w.t.Helper()
	synctest.Wait()
	got := told[speaker.Tracked](w)
	if diff := cmp.Diff(want, got[w.heard:], cmpopts.EquateEmpty()); diff != "" {
		w.t.Errorf("%s: told (-want +got):\n%s", when, diff)
	}
	w.heard = len(got)
}

func TestTrackedObjectsAreToldWhenNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, trackedConfig(), nil)
		w.start()
		read := func(r track.Reading) { w.director.readings.put(r) }

		read(track.Reading{Name: "load", Value: 0, OK: true})
		w.wantTracked("file with 0", speaker.Tracked{Name: "load", Up: true, Detail: "value 0"})
		read(track.Reading{Name: "load", Value: 0, OK: true})
		w.wantTracked("the same again")
		read(track.Reading{Name: "load", Value: -7, OK: true})
		w.wantTracked("file with -7", speaker.Tracked{Name: "load", Value: -7, Detail: "value -7"})
		read(track.Reading{Name: "load", Value: 0, Detail: "no number"})
		w.wantTracked("file without a number", speaker.Tracked{Name: "load", Up: true, Detail: "no number"})
		read(track.Reading{Name: "load", Value: 0, Detail: "no number"})
		w.wantTracked("the same again")
		if got := w.records(TrackUnreadable); len(got) != 1 || got[0]["level"] != "WARN" || got[0]["msg"] != "track load: no number; it counts as 0" {
			t.Errorf("warnings = %v, want one of the file without a number", got)
		}
		read(track.Reading{Name: "load", Absent: true, Detail: "no such file"})
		w.wantTracked("no file", speaker.Tracked{Name: "load", Up: true, Detail: "no such file"})
		if got := w.records(TrackUnreadable); len(got) != 1 {
			t.Errorf("warnings = %v, want none of a file that is not there", got)
		}

		read(track.Reading{Name: "daemons", Value: 1, Detail: "1 of 2 run"})
		w.wantTracked("a process too few", speaker.Tracked{Name: "daemons", Value: 1, Detail: "1 of 2 run"})
		read(track.Reading{Name: "daemons", Value: 2, OK: true})
		w.wantTracked("all processes", speaker.Tracked{Name: "daemons", Up: true, Value: 2, Detail: "2 run"})
		read(track.Reading{Name: "gone", Value: 2, OK: true})
		w.wantTracked("of a track that was removed")

		w.probe("track script", health.Healthy, "")
		w.wantTracked("command succeeds", speaker.Tracked{Name: "script", Up: true, Value: 1, Detail: "command succeeds"})
		w.director.results.put(health.Result{ID: "track script", Verdict: health.Healthy, Err: errors.New("exit status 1")})
		w.wantTracked("one failure is no verdict")
		w.probe("track script", health.Failed, "exit status 1")
		w.wantTracked("command fails", speaker.Tracked{Name: "script", Detail: "exit status 1"})

		w.probe(rs1, health.Failed, "connection refused")
		w.wantTracked("the other real server decides")
		w.probe(rs2, health.Healthy, "")
		w.wantTracked("quorum reached", speaker.Tracked{Name: "pool", Up: true, Value: 1, Detail: "weight 20 of quorum 20"})
		w.probe(rs1, health.Healthy, "")
		w.wantTracked("quorum exceeded", speaker.Tracked{Name: "pool", Up: true, Value: 1, Detail: "weight 30 of quorum 20"})
		w.probe(rs2, health.Failed, "connection refused")
		w.wantTracked("quorum missed", speaker.Tracked{Name: "pool", Detail: "weight 10 of quorum 20"})

		// Other words for the same state are no event.
		var got []string
		for _, r := range w.records(TrackChanged) {
			got = append(got, r["msg"].(string))
		}
		want := []string{
			"track load: value 0", "track load: value -7",
			"track daemons: 1 of 2 run", "track daemons: 2 run",
			"track script: command succeeds", "track script: exit status 1",
			"track pool: weight 20 of quorum 20", "track pool: weight 10 of quorum 20",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestReloadTellsOfQuorumsAndForgetsTracks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, trackedConfig(), nil)
		w.start()
		w.probe(rs2, health.Healthy, "")
		w.director.readings.put(track.Reading{Name: "load", Value: 3, OK: true})
		synctest.Wait()
		w.heard = len(told[speaker.Tracked](w))
		reload := func(toml string) {
			t.Helper()
			w.write(toml)
			if _, err := w.director.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		reload(strings.Replace(trackedConfig(), "quorum = 20", "quorum = 30", 1))
		w.wantTracked("rs1 decides now, but is unknown")
		reload(strings.Replace(trackedConfig(), "quorum = 20", "quorum = 31", 1))
		w.wantTracked("higher quorum", speaker.Tracked{Name: "pool", Detail: "weight 20 of quorum 31"})

		reload(exampleConfig)
		if len(w.tracker.trackers) > 0 {
			t.Errorf("trackers after their removal: %v", w.tracker.trackers)
		}
		reload(trackedConfig())
		w.wantTracked("the tracks are back", speaker.Tracked{Name: "pool", Up: true, Value: 1, Detail: "weight 20 of quorum 20"})
		w.director.readings.put(track.Reading{Name: "load", Value: 3, OK: true})
		w.wantTracked("and so is the file", speaker.Tracked{Name: "load", Value: 3, Detail: "value 3"})
	})
}
