// SPDX-License-Identifier: Apache-2.0

package track

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMatches(t *testing.T) {
	p := process{comm: "nginx", exe: "/usr/sbin/nginx"}
	tests := []struct {
		name   string
		wanted wantedProcess
		found  process
		want   bool
	}{
		{"comm", wantedProcess{Tracker{Process: "nginx"}, ""}, p, true},
		{"other comm", wantedProcess{Tracker{Process: "ngin"}, ""}, p, false},
		{"path", wantedProcess{Tracker{Process: "/usr/sbin/nginx"}, ""}, p, true},
		{"path over a link", wantedProcess{Tracker{Process: "/sbin/nginx"}, "/usr/sbin/nginx"}, p, true},
		{"other path", wantedProcess{Tracker{Process: "/sbin/nginx"}, ""}, p, false},
		{"kernel thread", wantedProcess{Tracker{Process: "/sbin/nginx"}, ""}, process{comm: "nginx"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.wanted.matches(tt.found); got != tt.want {
				t.Errorf("matches: %t, want %t", got, tt.want)
			}
		})
	}
}

func TestProcessReading(t *testing.T) {
	wanted := []wantedProcess{{Tracker{Name: "one", Process: "nginx", Count: 1}, ""}, {Tracker{Name: "three", Process: "nginx", Count: 3}, ""}}
	var c census
	c.recount(wanted, map[int]process{1: {"init", ""}, 5: {"nginx", ""}, 6: {"nginx", ""}})
	want := []Reading{
		{Name: "one", Value: 2, OK: true},
		{Name: "three", Value: 2, Detail: "2 of nginx running, expected 3"},
	}
	if diff := cmp.Diff(want, []Reading{c.reading(wanted[0]), c.reading(wanted[1])}); diff != "" {
		t.Errorf("readings (-want +got):\n%s", diff)
	}
}

// TestCensusProperty lets processes fork, become others and end, with numbers that are soon used again, and delivers the
// events late. When all are delivered the census must be right.
func TestCensusProperty(t *testing.T) {
	programs := []process{{"a", "/a"}, {"b", "/b"}, {"sh", "/sh"}}
	wanted := []wantedProcess{{Tracker{Process: "a"}, ""}, {Tracker{Process: "/b"}, ""}}
	rapid.Check(t, func(t *rapid.T) {
		world := map[int]process{1: programs[2], 2: programs[0]}
		var c census
		c.recount(wanted, world)
		var late []procEvent
		look := func(pid int) (process, bool) {
			p, runs := world[pid]
			return p, runs
		}
		deliver := func() {
			before := maps.Clone(c.running)
			if news := c.apply(late[0], look); news != !maps.Equal(before, c.running) {
				t.Fatalf("event %+v: news %t, from %v to %v", late[0], news, before, c.running)
			}
			late = late[1:]
		}
		anyone := func(t *rapid.T) int {
			return rapid.SampledFrom(slices.Sorted(maps.Keys(world))).Draw(t, "pid")
		}
		t.Repeat(map[string]func(*rapid.T){
			"fork": func(t *rapid.T) {
				parent, child := anyone(t), rapid.IntRange(2, 6).Draw(t, "child")
				if _, used := world[child]; used {
					t.Skip("used")
				}
				world[child] = world[parent]
				late = append(late, procEvent{kind: changed, pid: child})
			},
			"exec": func(t *rapid.T) {
				pid := anyone(t)
				world[pid] = rapid.SampledFrom(programs).Draw(t, "program")
				late = append(late, procEvent{kind: changed, pid: pid})
			},
			"exit": func(t *rapid.T) {
				pid := anyone(t)
				if pid == 1 {
					t.Skip("init")
				}
				delete(world, pid)
				late = append(late, procEvent{kind: ended, pid: pid})
			},
			"deliver": func(t *rapid.T) {
				if len(late) == 0 {
					t.Skip("nothing")
				}
				deliver()
			},
			"recount": func(t *rapid.T) { c.recount(wanted, world) },
		})
		for len(late) > 0 {
			deliver()
		}
		want := map[int]process{}
		for pid, p := range world {
			if p != programs[2] {
				want[pid] = p
			}
		}
		if diff := cmp.Diff(want, c.running, cmp.AllowUnexported(process{})); diff != "" {
			t.Fatalf("running (-want +got):\n%s", diff)
		}
	})
}
