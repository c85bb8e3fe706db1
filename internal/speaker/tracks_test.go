// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

func TestTrackingWeighsThePriority(t *testing.T) {
	up, down := Tracked{Name: "gateway", Up: true, Value: 1, Detail: "answers"}, Tracked{Name: "gateway", Detail: "no answer"}
	file := func(v int) Tracked { return Tracked{Name: "file", Up: true, Value: v, Detail: "read"} }
	for _, test := range []struct {
		name    string
		base    uint8
		uses    []TrackUse
		tracked []Tracked
		want    uint8
		reason  string // of the PriorityChanged; empty: there is none
		details []Contribution
	}{
		{"negative weight, down", 100, []TrackUse{{Name: "gateway", Weight: -30}}, []Tracked{down}, 70, "base 100, -30 gateway (no answer)", []Contribution{{"gateway", -30, "no answer"}}},
		{"negative weight, up", 100, []TrackUse{{Name: "gateway", Weight: -30}}, []Tracked{up}, 100, "", []Contribution{{"gateway", 0, "answers"}}},
		{"positive weight, up", 100, []TrackUse{{Name: "gateway", Weight: 20}}, []Tracked{up}, 120, "base 100, +20 gateway (answers)", []Contribution{{"gateway", 20, "answers"}}},
		{"positive weight, down", 100, []TrackUse{{Name: "gateway", Weight: 20}}, []Tracked{down}, 100, "", []Contribution{{"gateway", 0, "no answer"}}},
		{"back again", 100, []TrackUse{{Name: "gateway", Weight: -30}}, []Tracked{down, up}, 100, "base 100", []Contribution{{"gateway", 0, "answers"}}},
		{"unknown", 100, []TrackUse{{Name: "gateway", Weight: -30}, {Name: "other", Weight: 50}, {Name: "file", Weight: 3, Scaled: true}}, nil, 100, "", []Contribution{{"gateway", 0, "not known yet"}, {"other", 0, "not known yet"}, {"file", 0, "not known yet"}}},
		{"scaled", 100, []TrackUse{{Name: "file", Weight: 10, Scaled: true}}, []Tracked{file(3)}, 130, "base 100, +30 file (read)", []Contribution{{"file", 30, "read"}}},
		{"scaled, negative value", 100, []TrackUse{{Name: "file", Weight: 10, Scaled: true}}, []Tracked{file(-4)}, 60, "base 100, -40 file (read)", []Contribution{{"file", -40, "read"}}},
		{"sum", 100, []TrackUse{{Name: "gateway", Weight: -30}, {Name: "file", Weight: 2, Scaled: true}}, []Tracked{file(5), down}, 80, "base 100, -30 gateway (no answer), +10 file (read)", []Contribution{{"gateway", -30, "no answer"}, {"file", 10, "read"}}},
		{"not below 1", 100, []TrackUse{{Name: "file", Weight: -250, Scaled: true}}, []Tracked{file(2)}, 1, "base 100, -500 file (read), 1 at least", []Contribution{{"file", -500, "read"}}},
		{"not above 254", 100, []TrackUse{{Name: "gateway", Weight: 250}}, []Tracked{up}, 254, "base 100, +250 gateway (answers), 254 at most", []Contribution{{"gateway", 250, "answers"}}},
		{"owner", 255, []TrackUse{{Name: "gateway", Weight: -30}}, []Tracked{down}, 255, "", []Contribution{{"gateway", 0, "no answer"}}},
		{"not used", 100, nil, []Tracked{down}, 100, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				config := instanceOf(test.base, vip4)
				config.Tracks = test.uses
				r.configure(config)
				for _, news := range test.tracked {
					r.commands <- news
				}
				got := r.status("web")
				if got.Priority != test.want {
					t.Errorf("priority %d, want %d", got.Priority, test.want)
				}
				if diff := cmp.Diff(test.details, got.Contributions, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("contributions (want -, got +):\n%s", diff)
				}
				reason := ""
				if changes := seen[PriorityChanged](r); len(changes) > 0 {
					last := changes[len(changes)-1]
					reason = last.Reason
					if last.To != test.want || last.Instance != "web" {
						t.Errorf("last change = %+v", last)
					}
				}
				if reason != test.reason {
					t.Errorf("reason %q, want %q", reason, test.reason)
				}
				wait(settleTime)
				adverts := r.sentSince(time.Time{})
				if len(adverts) == 0 || adverts[0].priority() != test.want {
					t.Errorf("adverts = %+v, want priority %d", adverts, test.want)
				}
			})
		})
	}
}

// TestTrackedChangeMovesTheRole: the peer takes over before the VIP goes, and
// gives it back.
func TestTrackedChangeMovesTheRole(t *testing.T) {
	for _, test := range []struct {
		name       string
		use        TrackUse
		links      []LinkTrack
		down, back func(r *running)
		fault      string
	}{
		{
			"weight", TrackUse{Name: "gateway", Weight: -80}, nil,
			func(r *running) { r.commands <- Tracked{Name: "gateway", Detail: "no answer"} },
			func(r *running) { r.commands <- Tracked{Name: "gateway", Up: true, Value: 1} }, "",
		},
		{
			"fault", TrackUse{Name: "gateway"}, nil,
			func(r *running) { r.commands <- Tracked{Name: "gateway", Detail: "no answer"} },
			func(r *running) { r.commands <- Tracked{Name: "gateway", Up: true, Value: 1} }, "track gateway: no answer",
		},
		{
			"interface with weight", TrackUse{Name: "uplink", Weight: -80}, []LinkTrack{{"uplink", "eth1"}},
			func(r *running) { r.change(func() { r.back.Up = false }) },
			func(r *running) { r.change(func() { r.back.Up = true }) }, "",
		},
		{
			"interface", TrackUse{Name: "uplink"}, []LinkTrack{{"uplink", "eth1"}},
			func(r *running) { r.change(func() { r.back.Up = false }) },
			func(r *running) { r.change(func() { r.back.Up = true }) }, "track uplink: interface eth1 is down",
		},
		{
			"interface goes", TrackUse{Name: "uplink"}, []LinkTrack{{"uplink", "eth1"}},
			func(r *running) { r.change(func() { r.back.Name = "" }) },
			func(r *running) { r.change(func() { r.back.Name = "eth1" }) }, "track uplink: interface eth1 does not exist",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net, a, b := newPair(t)
				tracking := instanceOf(150, vip4)
				tracking.Tracks = []TrackUse{test.use}
				a.commands <- Configure{Instances: []Instance{tracking}, Links: test.links}
				b.configure(instanceOf(100, vip4))
				wait(settleTime)
				wantMaster(t, a, b, "web")
				from := time.Now()
				test.down(a)
				wait(settleTime)
				wantMaster(t, b, a, "web")
				fault := ""
				if faults := seen[Fault](a); len(faults) > 0 {
					fault = faults[0].Reason
				}
				if fault != test.fault {
					t.Errorf("fault %q, want %q", fault, test.fault)
				}
				test.back(a)
				wait(settleTime)
				wantMaster(t, a, b, "web")
				wantCustody(t, net, from, briefly, vip4)
			})
		})
	}
}

// TestTrackFaultOfABackupIsSilent: it leaves the election and sends nothing.
func TestTrackFaultOfABackupIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := newPair(t)
		a.configure(instanceOf(150, vip4))
		tracking := instanceOf(100, vip4)
		tracking.Tracks = []TrackUse{{Name: "gateway"}}
		b.configure(tracking)
		wait(settleTime)
		b.commands <- Tracked{Name: "gateway", Detail: "no answer"}
		if got := b.status("web"); got.State != vrrp.Initialize || got.Fault != "track gateway: no answer" {
			t.Errorf("state %v, fault %q", got.State, got.Fault)
		}
		if got := b.sentSince(time.Time{}); len(got) != 0 {
			t.Errorf("sent %d adverts", len(got))
		}
	})
}

// TestPriorityOfANewInstanceIsTold, where it is not the configured one.
func TestPriorityOfANewInstanceIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		tracking := instanceOf(100, vip4)
		tracking.Tracks = []TrackUse{{Name: "gateway", Weight: 50}}
		r.commands <- Configure{Instances: []Instance{tracking}, Tracked: []Tracked{{Name: "gateway", Up: true, Detail: "answers"}}}
		synctest.Wait()
		if got := seen[PriorityChanged](r); len(got) != 1 || got[0].From != 100 || got[0].To != 150 {
			t.Errorf("priority changed: %+v", got)
		}
	})
}

// TestReloadSaysWhatIsTracked: what the configuration does not say is known as
// long as it is used.
func TestReloadSaysWhatIsTracked(t *testing.T) {
	tracking := instanceOf(100, vip4)
	tracking.Tracks = []TrackUse{{Name: "gateway", Weight: -30}}
	known := []Tracked{{Name: "gateway", Detail: "no answer"}}
	links := []LinkTrack{{"gateway", "eth1"}}
	unused := []Instance{instanceOf(100, vip4)}
	for _, test := range []struct {
		name    string
		reloads []Configure
		want    uint8
		detail  string
	}{
		{"told since", nil, 70, "no answer"},
		{"told with it", []Configure{{Instances: unused}, {Tracked: known}}, 70, "no answer"},
		{"by a new director, which does not know it", []Configure{{}}, 70, "no answer"},
		{"not used meanwhile", []Configure{{Instances: unused}, {}}, 100, "not known yet"},
		{"it becomes an interface", []Configure{{Tracked: known, Links: links}}, 70, "interface eth1 does not exist"},
		{"it was an interface", []Configure{{Links: links}, {}}, 100, "not known yet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				r.configure(tracking)
				r.commands <- known[0]
				for _, c := range test.reloads {
					if c.Instances == nil {
						c.Instances = []Instance{tracking}
					}
					r.commands <- c
				}
				wait(settleTime)
				if got := r.status("web"); got.Priority != test.want || got.Contributions[0].Detail != test.detail {
					t.Errorf("priority %d, %+v; want %d, %s", got.Priority, got.Contributions, test.want, test.detail)
				}
			})
		})
	}
}

// TestPriorityInASyncGroupSaysWhatTheOthersHave: one member alone moves nothing.
func TestPriorityInASyncGroupSaysWhatTheOthersHave(t *testing.T) {
	grouped := func(priorities ...uint8) []Instance {
		all := make([]Instance, len(priorities))
		for n, p := range priorities {
			all[n] = named([]string{"web", "in", "dmz", "lab", "voice"}[n], uint8(51+n), netip.AddrFrom4([4]byte{192, 0, 2, byte(11 + n)}).String()+"/24")
			all[n].Priority, all[n].SyncGroup = p, "edge"
			all[n].Tracks = []TrackUse{{Name: "uplink", Weight: -20}}
		}
		return all
	}
	alone := func(instances []Instance) []Instance {
		for n := range instances {
			instances[n].SyncGroup = ""
		}
		return instances
	}
	const rule = "; sync group edge moves only when all its members do: "
	down := Tracked{Name: "uplink", Detail: "down"}
	for _, test := range []struct {
		name   string
		before []Instance
		change Command
		want   []string // reasons, by instance
		moves  bool
	}{
		{"one by order", grouped(150, 150), Configure{Instances: grouped(50, 150)}, []string{"web: base 50" + rule + "in has 150"}, false},
		{"all by order", grouped(150, 150), Configure{Instances: grouped(50, 40)}, []string{"web: base 50" + rule + "in has 40", "in: base 40" + rule + "web has 50"}, true},
		{"all by a track", grouped(110, 110), down, []string{"web: base 110, -20 uplink (down)" + rule + "in has 90", "in: base 110, -20 uplink (down)" + rule + "web has 90"}, true},
		{"one leaves", grouped(150, 150, 151), Configure{Instances: grouped(50, 150)}, []string{"web: base 50" + rule + "in has 150"}, false},
		{"many", grouped(150, 150, 151, 152, 153), Configure{Instances: grouped(50, 150, 151, 152, 153)}, []string{"web: base 50" + rule + "in has 150, dmz has 151, lab has 152, and 1 more"}, false},
		{"no group", alone(grouped(150, 150)), Configure{Instances: alone(grouped(50, 150))}, []string{"web: base 50"}, false},
		{"out of the group", grouped(150, 150), Configure{Instances: alone(grouped(50, 150))}, []string{"web: base 50"}, false},
		{"renamed members", grouped(150, 150), Configure{Instances: []Instance{
			renamed(grouped(50, 150)[0], "in"), renamed(grouped(50, 150)[1], "out"),
		}}, []string{"in: base 50" + rule + "out has 150"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, a, b := newPair(t)
				a.configure(test.before...)
				peers := slices.Clone(test.before)
				for n := range peers {
					peers[n].Priority, peers[n].Tracks = 100, nil
				}
				b.configure(peers...)
				wait(settleTime)
				if got := len(masters(a)); got != len(test.before) {
					t.Fatalf("%d masters at first", got)
				}
				a.commands <- test.change
				synctest.Wait()
				var got []string
				for _, c := range seen[PriorityChanged](a) {
					got = append(got, c.Instance+": "+c.Reason)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("reasons (want -, got +):\n%s", diff)
				}
				wait(2 * settleTime)
				_, grouped := test.change.(Tracked)
				if c, ok := test.change.(Configure); ok {
					grouped = c.Instances[0].SyncGroup != ""
				}
				if got := len(masters(b)); grouped && (got == len(test.before)) != test.moves {
					t.Errorf("%d masters on the peer, want all: %t", got, test.moves)
				}
			})
		})
	}
}

func renamed(i Instance, name string) Instance {
	i.Name = name
	return i
}
