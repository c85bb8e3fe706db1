// SPDX-License-Identifier: Apache-2.0

package director

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/notify"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/syncd"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

func (w *world) wantSyncRole(when string, want syncd.Role) {
	w.t.Helper()
	got, err := w.sync.Daemons(w.t.Context())
	if err != nil || len(got) != 1 || got[0].Role != want {
		w.t.Errorf("%s: sync daemons = %v, %v; want %s", when, got, err, want)
	}
}

func (w *world) wantSpeakerPID(when string, want int) {
	w.t.Helper()
	s, err := w.director.Status(w.t.Context())
	if err != nil || s.SpeakerPID != want {
		w.t.Errorf("%s: speaker_pid = %d, %v; want %d", when, s.SpeakerPID, err, want)
	}
}

func TestALostSpeakerIsMasterUntilItsHeirHasHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.say(speaker.Started{PID: 7}, speaker.Transition{Instance: "web", To: vrrp.Master})
		w.wantSpeakerPID("at work", 7)

		w.say(speaker.Lost{Reason: "its process has ended, signal: killed", Masters: []string{"web"}})
		w.wantSpeakerPID("lost", 0)
		time.Sleep(2 * reconcileInterval)
		synctest.Wait()
		w.wantSyncRole("while the heir hands over", syncd.Master)
		if got := w.records(SpeakerLost); len(got) != 1 || got[0]["msg"] != "speaker is lost (its process has ended, signal: killed); handing over for it: web" {
			t.Errorf("events = %v", got)
		}

		done := w.standby(t.Context(), "web")
		waits(t, done, "the heir hands over")
		w.say(speaker.Transition{Instance: "web", From: vrrp.Master, To: vrrp.Initialize, Reason: vrrp.ReasonSpeakerLost.String()})
		if err := <-done; err != nil {
			t.Errorf("Standby() = %v", err)
		}
		w.wantSyncRole("handed over", syncd.Backup)
		w.say(speaker.Started{PID: 8})
		w.wantSpeakerPID("replaced", 8)
	})
}

func TestALostBackupIsMasterOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.say(speaker.Transition{Instance: "web", To: vrrp.Master}, speaker.Lost{Reason: "silent for 300ms"})
		time.Sleep(2 * reconcileInterval)
		synctest.Wait()
		w.wantSyncRole("lost without a mastership", syncd.Backup)
		if got := w.records(SpeakerLost); len(got) != 1 || got[0]["msg"] != "speaker is lost (silent for 300ms); it was master of nothing" {
			t.Errorf("events = %v", got)
		}
	})
}

func TestAdoptedRolesGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.speaker = speaker.Started{PID: 7, Adopted: true}
		w.start()
		if got := w.records(SyncChanged); len(got) > 0 {
			t.Errorf("the sync daemon was touched before the roles were known: %v", got)
		}
		w.say(speaker.Status{Instances: []speaker.InstanceStatus{
			{Config: speaker.Instance{Name: "web"}, State: vrrp.Master, Priority: 120},
		}})
		w.wantSyncRole("adopted a master", syncd.Master)
		if got := w.records(SpeakerStarted); len(got) != 1 || got[0]["msg"] != "speaker adopted, pid 7: its roles go on" {
			t.Errorf("events = %v", got)
		}
		if got := w.records(RoleChanged); len(got) > 0 {
			t.Errorf("an adoption is no transition: %v", got)
		}
	})
}

// TestFirstStateIsNotified has a new director tell the commands in which state
// it finds the instances, since nobody told them of what came before.
func TestFirstStateIsNotified(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	peer := netip.MustParseAddr("192.0.2.2")
	for _, test := range []struct {
		name  string
		found speaker.InstanceStatus
		want  []notify.Event
	}{
		{
			"master", speaker.InstanceStatus{State: vrrp.Master, Since: since, Reason: "master down timer", Priority: 120},
			[]notify.Event{{Event: "master", Instance: "web", At: since, From: "initialize", To: "master", Reason: "master down timer", Priority: 120}},
		},
		{
			"backup", speaker.InstanceStatus{State: vrrp.Backup, Since: since, Reason: "higher priority heard", Peer: peer, Priority: 120},
			[]notify.Event{{Event: "backup", Instance: "web", At: since, From: "initialize", To: "backup", Reason: "higher priority heard", Peer: "192.0.2.2", Priority: 120}},
		},
		{
			"fault", speaker.InstanceStatus{Fault: "interface eth0 is down", Since: since, Priority: 120},
			[]notify.Event{{Event: "fault", Instance: "web", At: since, From: "initialize", To: "fault", Reason: "interface eth0 is down", Priority: 120}},
		},
		{"not started", speaker.InstanceStatus{Since: since, Priority: 120}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, exampleConfig, nil)
				w.speaker = speaker.Started{PID: 7, Adopted: true}
				w.start()
				test.found.Config.Name = "web"
				found := speaker.Status{Instances: []speaker.InstanceStatus{test.found}}
				w.say(found, found) // each query is answered, and only the first answer is news
				if diff := cmp.Diff(test.want, w.notifier.events, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("notifications (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestWhatChangedUnheardIsNotified has the connection to the speaker break and
// the speaker move meanwhile.
func TestWhatChangedUnheardIsNotified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.say(speaker.Transition{Instance: "web", To: vrrp.Master})
		status := func(state vrrp.State, fault string) speaker.Status {
			return speaker.Status{Instances: []speaker.InstanceStatus{{Config: speaker.Instance{Name: "web"}, State: state, Fault: fault, Reason: "higher priority heard"}}}
		}
		w.say(speaker.Started{PID: 1, Adopted: true}, status(vrrp.Master, ""))
		w.say(speaker.Started{PID: 1, Adopted: true}, status(vrrp.Backup, ""))
		w.say(speaker.Started{PID: 1, Adopted: true}, status(vrrp.Initialize, "interface eth0 is down"))
		w.say(speaker.Started{PID: 1, Adopted: true}, status(vrrp.Initialize, "interface eth0 is down"))
		var got []string
		for _, e := range w.notifier.events {
			got = append(got, e.From+" -> "+e.To)
		}
		if diff := cmp.Diff([]string{"initialize -> master", "master -> backup", "backup -> fault"}, got); diff != "" {
			t.Errorf("notifications (-want +got):\n%s", diff)
		}
	})
}

// TestAbsentSpeakerTellsNoRoles has the stand-in answer while roles go on.
func TestAbsentSpeakerTellsNoRoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.say(speaker.Transition{Instance: "web", To: vrrp.Master}, speaker.Lost{Reason: "silent for 300ms", Masters: []string{"web"}})
		w.status = speaker.Status{Absent: true, Instances: []speaker.InstanceStatus{
			{Config: speaker.Instance{Name: "web", Priority: 150}, Priority: 150, Fault: "no speaker: its process was lost (silent for 300ms)"},
		}}
		s, err := w.director.Status(t.Context())
		if err != nil || len(s.Instances) != 1 || s.Instances[0].State != "fault" || s.Instances[0].Reason != "no speaker: its process was lost (silent for 300ms)" || s.SpeakerPID != 0 {
			t.Errorf("Status() = %+v, %v; want the loss as a fault", s, err)
		}
		w.wantSyncRole("the heir hands over", syncd.Master)
		if n := len(w.notifier.events); n != 1 {
			t.Errorf("%d notifications, want that of the mastership only", n)
		}
	})
}

// TestSpeakerEventsAreTold has every event of the speaker that is none of the
// tests above.
func TestSpeakerEventsAreTold(t *testing.T) {
	peer := netip.MustParseAddr("192.0.2.2")
	vip := netif.Address{Interface: "eth0", Prefix: netip.MustParsePrefix("192.0.2.10/24")}
	for _, test := range []struct {
		said  speaker.Event
		kind  Kind
		level string
		text  string
	}{
		{speaker.Transition{Instance: "web", From: vrrp.Master, To: vrrp.Backup, Reason: "higher priority heard", Peer: peer}, RoleChanged, "INFO", "web: master -> backup (higher priority heard, 192.0.2.2)"},
		{speaker.Fault{Instance: "web", Reason: "interface eth0 is down"}, InstanceFault, "ERROR", "web: fault: interface eth0 is down"},
		{speaker.Recovered{Instance: "web"}, InstanceRecovered, "INFO", "web: fault is over"},
		{speaker.Moved{Instance: "web", Added: []netif.Address{vip}}, AddressesMoved, "INFO", "web: VIPs added 192.0.2.10/24 dev eth0"},
		{speaker.Moved{Instance: "web", Removed: make([]netif.Address, maxTold+2)}, AddressesMoved, "INFO", ""},
		{speaker.Restored{Instance: "web", Address: vip}, AddressRestored, "WARN", "web: VIP 192.0.2.10/24 dev eth0 was removed by somebody else, put back"},
		{speaker.Foreign{Instance: "web", Address: vip}, AddressForeign, "WARN", ""},
		{speaker.Contested{Instance: "web", Peer: peer}, Contested, "WARN", "web: 192.0.2.2 of lower priority acts as master too; VIPs announced again"},
		{speaker.Conflict{Instance: "web", Peer: peer, Reason: "other VIPs"}, ConfigConflict, "ERROR", "web: configuration of 192.0.2.2 does not fit ours: other VIPs"},
		{speaker.Claimed{Instance: "web", Address: vip, HardwareAddr: "02:00:00:00:00:01"}, AddressClaimed, "ERROR", "web: 02:00:00:00:00:01 claims VIP 192.0.2.10/24 dev eth0, which is held here; announced again"},
		{speaker.PriorityChanged{Instance: "web", From: 150, To: 120, Reason: "base 150, -30 uplink"}, PriorityChanged, "INFO", "web: priority 150 -> 120 (base 150, -30 uplink)"},
		{speaker.Stalled{Pause: 1234567 * time.Microsecond}, Paused, "WARN", "this machine stood still for 1.235s: roles are given up and the network is listened to first"},
		{speaker.Failed{Error: "list network interfaces: no buffer space"}, SpeakerFailed, "ERROR", "list network interfaces: no buffer space"},
		{speaker.Discarded{Interface: "eth0", Instance: "web", Reason: vrrp.DiscardTTL, Source: peer, Count: 3, Detail: "its TTL is 64"}, AdvertsDiscarded, "WARN", "web on eth0: dropped VRRP packets (3), last from 192.0.2.2: its TTL is 64"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, exampleConfig, nil)
			w.start()
			w.say(test.said)
			got := w.records(test.kind)
			if len(got) != 1 || got[0]["level"] != test.level || test.text != "" && got[0]["msg"] != test.text {
				t.Errorf("%T: events = %v, want %s %q", test.said, got, test.level, test.text)
			}
		})
	}
}
