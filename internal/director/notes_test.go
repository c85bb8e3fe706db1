// SPDX-License-Identifier: Apache-2.0

package director

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvs-ha/lvs-ha/internal/control"
	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// TestOrdersHaveNotes is what orders say beside that they are carried out.
func TestOrdersHaveNotes(t *testing.T) {
	const (
		alone     = "sync group both moves only when all its members would, so this alone may not change who is master: give also `lvs-ha priority "
		owner     = "sync group both moves only when all its members would, and own has priority 255, which no order changes: `lvs-ha standby web` moves the group"
		reboot    = "lasts until `lvs-ha priority %s default` or a reboot: state_dir %s is in memory"
		withOwner = `members = ["web", "own"]`
	)
	type order struct {
		instance string
		priority uint8
	}
	for _, test := range []struct {
		name     string
		members  string // of the sync group; empty: web and inside
		volatile bool
		before   []order
		last     order
		want     []string
	}{
		{"alone in the world", "", false, nil, order{"dns", 7}, nil},
		{"until a reboot", "", true, nil, order{"dns", 7}, []string{reboot}},
		{"for ever", "", true, []order{{"dns", 7}}, order{"dns", 0}, nil},
		{"first member", "", false, nil, order{"web", 90}, []string{alone + "inside 90`"}},
		{"last member", "", false, []order{{"web", 90}}, order{"inside", 80}, nil},
		{"members that part", "", false, []order{{"web", 90}}, order{"inside", 200}, []string{alone + "web 200`"}},
		{"the configured one of the first", "", false, []order{{"web", 90}, {"inside", 90}}, order{"web", 0}, []string{alone + "inside default`"}},
		{"the configured one of the last", "", false, []order{{"inside", 90}}, order{"inside", 0}, nil},
		{"in words that change nothing", "", false, nil, order{"web", 150}, nil},
		{"beside an owner", withOwner, false, nil, order{"web", 90}, []string{owner}},
		{"all at once", "", true, nil, order{"web", 90}, []string{alone + "inside 90`", reboot}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := groupConfig
				if test.members != "" {
					config = strings.Replace(config, `members = ["web", "inside"]`, test.members, 1)
				}
				w := newWorld(t, config, nil)
				w.start()
				w.director.volatile = test.volatile
				for _, o := range test.before {
					if err := onlyError(w.director.SetPriority(t.Context(), o.instance, o.priority)); err != nil {
						t.Fatal(err)
					}
				}
				got, err := w.director.SetPriority(t.Context(), test.last.instance, test.last.priority)
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				for _, line := range test.want {
					line = strings.Replace(line, "%s", test.last.instance, 1)
					want = append(want, strings.Replace(line, "%s", w.director.config.Director.StateDir, 1))
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("notes (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestStandbyIsNotedToEndWithAReboot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, groupConfig, nil)
		w.start()
		for _, volatile := range []bool{false, true} {
			w.director.volatile = volatile
			notes, err := w.director.Standby(t.Context(), "dns")
			if err != nil || (len(notes) > 0) != volatile || volatile && !strings.HasPrefix(notes[0], "lasts until `lvs-ha resume` or a reboot: ") {
				t.Errorf("volatile %t: Standby() = %q, %v", volatile, notes, err)
			}
		}
	})
}

// TestPriorityIsOfOneMember has an order for a member of a sync group change no
// other, and say so.
func TestPriorityIsOfOneMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, groupConfig, nil)
		w.start()
		if err := onlyError(w.director.SetPriority(t.Context(), "web", 90)); err != nil {
			t.Fatal(err)
		}
		want := configured()
		want["web"] = operated{false, 90}
		w.wantOrdered("after the order", want)
		if got := w.records(Operated); len(got) != 1 || got[0]["msg"] != "operator: priority 90 of web" || got[0]["to"] != "priority 90" {
			t.Errorf("events = %v", got)
		}
		if err := onlyError(w.director.SetPriority(t.Context(), "", 90)); err == nil {
			t.Error("a priority of nobody was taken")
		}
	})
}

func TestPriorityOfANewOwnerIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const dropped = "order priority 7 of dns is dropped: it has priority 255 now, as the owner of its addresses"
		w := newWorld(t, groupConfig, nil)
		w.start()
		if err := onlyError(w.director.SetPriority(t.Context(), "dns", 7)); err != nil {
			t.Fatal(err)
		}
		w.write(strings.Replace(groupConfig, "priority = 120", "priority = 255", 1))
		notes, err := w.director.Reload(t.Context())
		if err != nil || len(notes) != 1 || notes[0] != dropped {
			t.Errorf("Reload() = %q, %v; want the order dropped", notes, err)
		}
		want := configured()
		want["dns"] = operated{false, 255}
		w.wantOrdered("as owner", want)
		if got := w.records(OrderDropped); len(got) != 1 || got[0]["msg"] != dropped || got[0]["instance"] != "dns" || got[0]["level"] != "WARN" {
			t.Errorf("events = %v", got)
		}
		w.write(groupConfig)
		if notes, err := w.director.Reload(t.Context()); err != nil || len(notes) > 0 {
			t.Errorf("Reload() = %q, %v", notes, err)
		}
		w.wantOrdered("owner no more", configured())
	})
}

// TestReloadAnswersWithAdvice has the warnings of a good file in the answer, also
// when the kernel refuses a part of it.
func TestReloadAnswersWithAdvice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.director.opts.Host = &oneInterface{gone: true}
		notes, err := w.director.Reload(t.Context())
		if err != nil || len(notes) == 0 || !strings.Contains(notes[0], `warning: interface "eth1" does not exist`) {
			t.Errorf("Reload() = %q, %v; want the missing interface", notes, err)
		}
		w.table.Refuse(refuseMail)
		w.write(exampleConfig + secondService)
		if notes, err := w.director.Reload(t.Context()); err == nil || len(notes) == 0 {
			t.Errorf("Reload() = %q, %v; want both", notes, err)
		}
		w.write(exampleConfig + "\n[[notify]]\ncomand = 1\n")
		if notes, err := w.director.Reload(t.Context()); err == nil || len(notes) > 0 {
			t.Errorf("Reload() of a bad file = %q, %v; want its error alone", notes, err)
		}
	})
}

func TestTroublesAgeAndAreFew(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	all := make(troubles)
	all.see("web", "adverts dropped: ttl", "192.0.2.2", start)
	all.see("web", "adverts dropped: ttl", "192.0.2.3", start.Add(time.Minute))
	all.see("web", "acts as master with a lower priority", "192.0.2.2", start.Add(90*time.Second))
	all.see("dns", "adverts dropped: ttl", "192.0.2.4", start)
	want := []control.Trouble{
		{Peer: "192.0.2.2", What: "acts as master with a lower priority", Last: start.Add(90 * time.Second)},
		{Peer: "192.0.2.3", What: "adverts dropped: ttl", Last: start.Add(time.Minute)},
	}
	if diff := cmp.Diff(want, all.of("web", start.Add(3*time.Minute))); diff != "" {
		t.Errorf("troubles (-want +got):\n%s", diff)
	}
	if len(all) != 2 {
		t.Errorf("%d troubles are remembered, want 2: that of dns is over", len(all))
	}
	if diff := cmp.Diff(want[:1], all.of("web", start.Add(3*time.Minute+time.Second))); diff != "" {
		t.Errorf("troubles (-want +got):\n%s", diff)
	}
}

func TestInMemory(t *testing.T) {
	if inMemory("/proc") || inMemory("/no/such/folder") {
		t.Error("a folder that is on no tmpfs is in memory")
	}
	if dir := "/dev/shm"; !inMemory(dir) {
		t.Skip("this machine has no tmpfs on " + dir)
	}
}

// TestStatusShowsWhatIsWrongNow has troubles come and go, and clocks watched where
// they matter.
func TestStatusShowsWhatIsWrongNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, groupConfig, nil)
		w.start()
		peer := netip.MustParseAddr("192.0.2.2")
		at := time.Now()
		w.say(
			speaker.Discarded{At: at, Interface: "eth0", Instance: "web", Reason: vrrp.DiscardTTL, Source: peer, Count: 3},
			speaker.Conflict{At: at, Instance: "web", Reason: "its list of VIPs differs from ours", Peer: peer},
			speaker.Contested{At: at, Instance: "web", Peer: peer},
			speaker.Claimed{At: at, Instance: "web", HardwareAddr: "02:00:00:00:00:01", Address: netif.Address{Interface: "eth0", Prefix: netip.MustParsePrefix("192.0.2.10/24")}},
		)
		withAuth := func(name string, replay vrrp.ReplayMode) speaker.InstanceStatus {
			return speaker.InstanceStatus{
				Config:    speaker.Instance{Name: name, Auth: &vrrp.Auth{Replay: replay, Window: 5 * time.Second}},
				ClockSkew: 2 * time.Second, ClockPeer: peer,
			}
		}
		w.status = speaker.Status{Instances: []speaker.InstanceStatus{withAuth("web", vrrp.ReplayTime), withAuth("dns", vrrp.ReplayMonotonic)}}
		s, err := w.director.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []control.Trouble{
			{Peer: "192.0.2.2", What: "acts as master with a lower priority", Last: at},
			{Peer: "192.0.2.2", What: "adverts dropped: ttl", Last: at},
			{Peer: "02:00:00:00:00:01", What: "claims VIP 192.0.2.10", Last: at},
			{Peer: "192.0.2.2", What: "its list of VIPs differs from ours", Last: at},
		}
		if diff := cmp.Diff(want, s.Instances[0].Troubles); diff != "" {
			t.Errorf("troubles (-want +got):\n%s", diff)
		}
		if web, dns := s.Instances[0], s.Instances[1]; web.ClockWindowSeconds != 5 || web.ClockSkewSeconds != 2 || dns.ClockWindowSeconds != 0 || len(dns.Troubles) > 0 {
			t.Errorf("web = %+v, dns = %+v; want the window of web alone", web, dns)
		}
		time.Sleep(troubleLasts + time.Second)
		if s, err := w.director.Status(t.Context()); err != nil || len(s.Instances[0].Troubles) > 0 {
			t.Errorf("troubles later: %v, %v; want none", s.Instances[0].Troubles, err)
		}
	})
}
