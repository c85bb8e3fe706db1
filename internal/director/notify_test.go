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

	"github.com/lvs-ha/lvs-ha/internal/notify"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

func TestNotifyEvents(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	peer := netip.MustParseAddr("192.0.2.2")
	for _, test := range []struct {
		name string
		said []speaker.Event
		want []notify.Event
	}{
		{
			"start", []speaker.Event{
				speaker.Transition{At: at, Instance: "web", From: vrrp.Initialize, To: vrrp.Backup, Reason: vrrp.ReasonStartup.String()},
				speaker.Transition{At: at, Instance: "web", From: vrrp.Backup, To: vrrp.Master, Reason: vrrp.ReasonMasterDown.String()},
			},
			[]notify.Event{
				{At: at, Event: "backup", Instance: "web", From: "initialize", To: "backup", Reason: "startup", Priority: 150},
				{At: at, Event: "master", Instance: "web", From: "backup", To: "master", Reason: vrrp.ReasonMasterDown.String(), Priority: 150},
			},
		},
		{
			"a better master", []speaker.Event{
				speaker.Transition{At: at, Instance: "web", From: vrrp.Master, To: vrrp.Backup, Reason: vrrp.ReasonHigherPriority.String(), Peer: peer},
			},
			[]notify.Event{{At: at, Event: "backup", Instance: "web", From: "master", To: "backup", Reason: vrrp.ReasonHigherPriority.String(), Priority: 150, Peer: "192.0.2.2"}},
		},
		{
			"the priority is the one in effect", []speaker.Event{
				speaker.PriorityChanged{At: at, Instance: "web", From: 150, To: 120, Reason: "base 150, -30 uplink"},
				speaker.Transition{At: at, Instance: "web", From: vrrp.Master, To: vrrp.Backup},
			},
			[]notify.Event{{At: at, Event: "backup", Instance: "web", From: "master", To: "backup", Priority: 120}},
		},
		{
			"stop", []speaker.Event{
				speaker.Transition{At: at, Instance: "web", From: vrrp.Master, To: vrrp.Initialize, Reason: vrrp.ReasonHandedOver.String()},
			},
			[]notify.Event{{At: at, Event: "stop", Instance: "web", From: "master", To: "initialize", Reason: vrrp.ReasonHandedOver.String(), Priority: 150}},
		},
		{
			"a fault while handing over is told once", []speaker.Event{
				speaker.Transition{At: at, Instance: "web", From: vrrp.Backup, To: vrrp.Master},
				speaker.Fault{At: at, Instance: "web", Reason: "track pool: weight 0 of quorum 1"},
				speaker.Transition{At: at, Instance: "web", From: vrrp.Master, To: vrrp.Initialize, Reason: vrrp.ReasonFault.String()},
			},
			[]notify.Event{
				{At: at, Event: "master", Instance: "web", From: "backup", To: "master", Priority: 150},
				{At: at, Event: "fault", Instance: "web", From: "master", To: "fault", Reason: "track pool: weight 0 of quorum 1", Priority: 150},
			},
		},
		{
			"a fault without a hand-over is told once", []speaker.Event{
				speaker.Transition{At: at, Instance: "web", From: vrrp.Backup, To: vrrp.Initialize, Reason: vrrp.ReasonInterfaceDown.String()},
				speaker.Fault{At: at, Instance: "web", Reason: "interface eth0 is down"},
				speaker.Recovered{At: at, Instance: "web"},
				speaker.Transition{At: at, Instance: "web", From: vrrp.Initialize, To: vrrp.Backup, Reason: vrrp.ReasonStartup.String()},
			},
			[]notify.Event{
				{At: at, Event: "fault", Instance: "web", From: "backup", To: "fault", Reason: "interface eth0 is down", Priority: 150},
				{At: at, Event: "backup", Instance: "web", From: "initialize", To: "backup", Reason: "startup", Priority: 150},
			},
		},
		{
			"nothing else is told", []speaker.Event{
				speaker.Contested{At: at, Instance: "web", Peer: peer}, speaker.Moved{At: at, Instance: "web"}, speaker.Started{PID: 7},
				speaker.Conflict{At: at, Instance: "web"}, speaker.StandbyRefused{At: at, Instance: "web"}, speaker.Lost{At: at, Masters: []string{"web"}},
			}, nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, exampleConfig, nil)
				w.start()
				w.say(test.said...)
				if diff := cmp.Diff(test.want, w.notifier.events); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAFailedNotificationIsAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.director.news.put(notifyFailure(notify.Failure{
			Command: notify.Command{Argv: []string{"/usr/bin/tell", "x"}},
			Event:   notify.Event{Event: "master", Instance: "web"}, Err: errors.New("exit status 1: no route"),
		}))
		synctest.Wait()
		got := w.records(NotifyFailed)
		if len(got) != 1 || got[0]["msg"] != "web: notify /usr/bin/tell of master: exit status 1: no route" || got[0]["instance"] != "web" || got[0]["level"] != "ERROR" {
			t.Errorf("events = %v", got)
		}
	})
}

func TestReloadChangesTheNotifyCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.write(exampleConfig + "\n[[notify]]\ncommand = [\"/bin/true\", \"x\"]\nuser = \"root\"\ninstances = [\"web\"]\nevents = [\"master\", \"fault\"]\ntimeout = \"2s\"\n")
		if _, err := w.director.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []notify.Command{{Argv: []string{"/bin/true", "x"}, User: "root", Timeout: 2 * time.Second, Instances: []string{"web"}, Events: []string{"master", "fault"}}}
		if diff := cmp.Diff(want, w.notifier.commands); diff != "" {
			t.Errorf("commands (-want +got):\n%s", diff)
		}
		w.write(exampleConfig)
		if _, err := w.director.Reload(t.Context()); err != nil || len(w.notifier.commands) > 0 {
			t.Errorf("commands after their removal: %v, %v", w.notifier.commands, err)
		}
	})
}

func TestNotifyKnowsAllStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		for _, to := range []vrrp.State{vrrp.Initialize, vrrp.Backup, vrrp.Master} {
			w.say(speaker.Transition{Instance: "web", To: to})
		}
		var got []string
		for _, e := range w.notifier.events {
			got = append(got, e.Event)
		}
		if strings.Join(got, " ") != "stop backup master" {
			t.Errorf("events = %q", got)
		}
	})
}
