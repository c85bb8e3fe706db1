// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// standby gives the order in a goroutine of its own; the channel gets the answer.
func (w *world) standby(ctx context.Context, instance string) <-chan error {
	done := make(chan error, 1)
	go func() { done <- onlyError(w.director.Standby(ctx, instance)) }()
	synctest.Wait()
	return done
}

func waits(t *testing.T, done <-chan error, when string) {
	t.Helper()
	select {
	case err := <-done:
		t.Fatalf("%s: Standby() = %v, want it to wait", when, err)
	default:
	}
}

func TestStandbyWaitsForTheHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, groupConfig, nil)
		w.start()
		w.say(speaker.Transition{Instance: "web", To: vrrp.Master}, speaker.Transition{Instance: "inside", To: vrrp.Master}, speaker.Transition{Instance: "dns", To: vrrp.Master})
		done := w.standby(t.Context(), "web")
		waits(t, done, "both are master")
		w.say(speaker.Transition{Instance: "dns", From: vrrp.Master, To: vrrp.Backup})
		waits(t, done, "another has left")
		w.say(speaker.Transition{Instance: "web", From: vrrp.Master, To: vrrp.Backup})
		waits(t, done, "one has left")
		w.say(speaker.Transition{Instance: "inside", From: vrrp.Master, To: vrrp.Backup})
		if err := <-done; err != nil {
			t.Errorf("Standby() = %v", err)
		}
	})
}

func TestResumeCallsAStandbyOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, groupConfig, nil)
		w.start()
		w.say(speaker.Transition{Instance: "web", To: vrrp.Master}, speaker.Transition{Instance: "inside", To: vrrp.Master})
		done := w.standby(t.Context(), "web")
		waits(t, done, "both are master")
		if err := w.director.Resume(t.Context(), "web"); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err == nil || !strings.Contains(err.Error(), "web stays master: called off by `lvs-ha resume`") {
			t.Errorf("Standby() = %v", err)
		}
	})
}

func TestRefusedStandbyIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, groupConfig, nil)
		w.start()
		w.say(speaker.Transition{Instance: "web", To: vrrp.Master}, speaker.Transition{Instance: "inside", To: vrrp.Master})
		first, second := w.standby(t.Context(), "web"), w.standby(t.Context(), "")
		w.say(speaker.StandbyRefused{Instance: "web", Reason: "no successor"})
		waits(t, first, "one has answered")
		w.say(speaker.StandbyRefused{Instance: "inside", Reason: "no successor"})
		for _, done := range []<-chan error{first, second} {
			if err := <-done; err == nil || err.Error() != "web stays master: no successor; inside stays master: no successor" {
				t.Errorf("Standby() = %v", err)
			}
		}
		want := configured()
		want["dns"], want["own"] = operated{true, 120}, operated{true, 255} // which were master of nothing
		w.wantOrdered("after the refusal", want)
		read, err := openOverrides(w.director.config.Director.StateDir)
		if err != nil || read.Standby["web"] || read.Standby["inside"] || !read.Standby["dns"] {
			t.Errorf("orders over a restart = %v, %v", read.Standby, err)
		}
		if got := w.records(StandbyRefused); len(got) != 2 || got[0]["instance"] != "web" || got[0]["msg"] != "web: standby refused, it stays master: no successor" {
			t.Errorf("events = %v", got)
		}
	})
}

func TestStandbyWaitsOnlyForSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, groupConfig, nil)
		stop := w.start()
		w.say(speaker.Transition{Instance: "dns", To: vrrp.Master})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		impatient, patient := w.standby(ctx, "dns"), w.standby(t.Context(), "dns")
		time.Sleep(10 * time.Second)
		if err := <-impatient; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "hand over dns") {
			t.Errorf("Standby() = %v", err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if err := <-patient; !errors.Is(err, errStopping) {
			t.Errorf("Standby() as the daemon stops = %v", err)
		}
		for _, err := range []error{onlyError(w.director.Standby(t.Context(), "")), w.director.Resume(t.Context(), ""), onlyError(w.director.SetPriority(t.Context(), "dns", 1))} {
			if !errors.Is(err, errStopping) {
				t.Errorf("order to a stopped daemon = %v", err)
			}
		}
	})
}
