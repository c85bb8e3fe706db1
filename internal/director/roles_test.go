// SPDX-License-Identifier: Apache-2.0

package director

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
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
		if got := w.records(RoleChanged); len(got) > 0 || len(w.notifier.events) > 0 {
			t.Errorf("an adoption is no transition: %v, %v", got, w.notifier.events)
		}
		w.say(speaker.Transition{Instance: "web", From: vrrp.Master, To: vrrp.Backup})
		if got := w.notifier.events[0].Priority; got != 120 {
			t.Errorf("priority after the adoption = %d, want the speaker's", got)
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
		{speaker.Discarded{Interface: "eth0", Instance: "web", Reason: vrrp.DiscardTTL, Source: peer, Count: 3}, AdvertsDiscarded, "WARN", "web on eth0: dropped VRRP packets (3), last from 192.0.2.2: " + vrrp.DiscardTTL.Error()},
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
