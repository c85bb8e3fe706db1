// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"testing"
	"time"
)

// resign lets a master that begins a hand-over send its other resignations.
func (r *rig) resign() {
	r.Helper()
	for range resignations - 1 {
		r.want(r.expire(), resignation)
	}
}

func (r *rig) wantStandby(want bool) {
	r.Helper()
	if r.InStandby() != want {
		r.Errorf("in standby: got %v, want %v", r.InStandby(), want)
	}
}

func TestStandbyOfMaster(t *testing.T) {
	t.Run("handed over", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.want(r.Standby(r.now), resignation)
		r.want(r.Standby(r.now))
		r.resign()
		r.hear(50, low4)
		r.wantTimer(Linger)
		r.wantStandby(false)
		r.want(r.expire(), Transition{Master, Backup, ReasonStandby, low4})
		r.wantStandby(true)
		r.wantNoTimer()
	})
	t.Run("nobody takes over", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Standby(r.now)
		r.resign()
		r.want(r.expire(), advert100, StandbyRefused{ReasonNoSuccessor})
		r.wantState(Master)
		r.wantStandby(false)
		r.wantTimer(time.Second)
		r.want(r.expire(), advert100)
	})
	t.Run("called off", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Standby(r.now)
		r.want(r.Resume(r.now), advert100)
		r.wantState(Master)
		r.wantTimer(time.Second)
	})
	t.Run("called off too late", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Standby(r.now)
		r.resign()
		r.hear(50, low4)
		r.want(r.Resume(r.now))
		r.want(r.expire(), Transition{Master, Backup, ReasonStandby, low4})
		r.wantStandby(false)
		r.wantTimer(down100)
	})
	t.Run("stopped meanwhile", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Standby(r.now)
		r.want(r.Shutdown(r.now))
		r.resign()
		r.want(r.expire(), Transition{From: Master, To: Initialize, Reason: ReasonHandOverBound})
		r.wantStandby(true)
	})
	t.Run("interface lost meanwhile", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Standby(r.now)
		r.Halt(r.now, ReasonInterfaceDown)
		r.wantStandby(true)
	})
	t.Run("while it yields", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Yield(r.now, ReasonFault)
		r.want(r.Standby(r.now))
		r.resign()
		r.want(r.expire(), Transition{From: Master, To: Initialize, Reason: ReasonFault})
		r.wantStandby(true)
	})
}

func TestStandbyOfBackup(t *testing.T) {
	r := newBackup(t, 100, nil)
	r.want(r.Standby(r.now))
	r.wantStandby(true)
	r.wantNoTimer()
	r.hear(50, low4)
	r.hear(PriorityResign, low4)
	r.wantNoTimer()
	r.Update(r.now, changed(func(p *Parameters) { p.Priority = 200 }))
	r.wantNoTimer()
	r.want(r.Stalled(r.now))
	r.wantNoTimer()
	r.after(time.Minute)
	r.want(r.Expire(r.now))
	if r.Paused(r.now) {
		t.Error("paused in standby")
	}

	r.hearInterval(50, low4, 2*time.Second)
	r.Update(r.now, ownParameters)
	r.want(r.Resume(r.now))
	r.wantStandby(false)
	r.wantTimer(2 * down100)
	r.want(r.Resume(r.now))
}

func TestStandbyOutlastsRestart(t *testing.T) {
	for _, priority := range []uint8{100, PriorityOwner} {
		r := newRig(t, priority, nil)
		r.want(r.Standby(r.now))
		r.want(r.Startup(r.now), Transition{From: Initialize, To: Backup, Reason: ReasonStartup})
		r.wantNoTimer()
		r.Halt(r.now, ReasonInterfaceDown)
		r.Startup(r.now)
		r.wantStandby(true)
		r.wantNoTimer()
	}
}

func TestYield(t *testing.T) {
	t.Run("master, handed over", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.want(r.Yield(r.now, ReasonFault), resignation)
		r.want(r.Yield(r.now, ReasonSpeakerLost))
		r.resign()
		r.hear(50, low4)
		r.want(r.expire(), Transition{Master, Initialize, ReasonFault, low4})
	})
	t.Run("master, nobody takes over", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Yield(r.now, ReasonFault)
		r.resign()
		r.want(r.expire(), Transition{From: Master, To: Initialize, Reason: ReasonFault})
		r.want(r.Startup(r.now), Transition{From: Initialize, To: Backup, Reason: ReasonRecovered})
	})
	t.Run("stopped meanwhile", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.Yield(r.now, ReasonFault)
		r.Shutdown(r.now)
		r.Yield(r.now, ReasonFault)
		r.resign()
		r.want(r.expire(), Transition{From: Master, To: Initialize, Reason: ReasonHandOverBound})
	})
	t.Run("backup", func(t *testing.T) {
		r := newBackup(t, 100, nil)
		r.want(r.Yield(r.now, ReasonFault), Transition{From: Backup, To: Initialize, Reason: ReasonFault})
		r.want(r.Yield(r.now, ReasonFault))
	})
}

func TestPaused(t *testing.T) {
	// The last advertisement was due at 0, the next one at 1 s; a peer of
	// priority 254 takes over at 3 s and its skew time.
	const others = 3*time.Second + 2*time.Second/256
	cases := []struct {
		name  string
		rig   func(*testing.T) *rig
		limit time.Duration // since the rig was made
	}{
		{"master", func(t *testing.T) *rig { return newMaster(t, 100, nil) }, others},
		{"handing over", func(t *testing.T) *rig {
			r := newMaster(t, 100, nil)
			r.Shutdown(r.now)
			return r
		}, resignSpacing + others - time.Second},
		{"backup", func(t *testing.T) *rig { return newBackup(t, 100, nil) }, down100 + time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := c.rig(t)
			if r.Paused(r.now.Add(c.limit)) {
				t.Errorf("paused after %v", c.limit)
			}
			if !r.Paused(r.now.Add(c.limit + 1)) {
				t.Errorf("not paused after more than %v", c.limit)
			}
		})
	}
	if newRig(t, 100, nil).Paused(start.Add(time.Hour)) {
		t.Error("paused in Initialize")
	}
}

func TestStalled(t *testing.T) {
	t.Run("master", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		r.after(10 * time.Second)
		r.want(r.Stalled(r.now), Transition{From: Master, To: Backup, Reason: ReasonStalled})
		r.wantTimer(down100)
	})
	t.Run("backup", func(t *testing.T) {
		r := newBackup(t, 100, nil)
		r.hear(PriorityResign, high4)
		r.after(10 * time.Second)
		r.want(r.Stalled(r.now))
		r.wantTimer(down100)
	})
	t.Run("initialize", func(t *testing.T) {
		r := newRig(t, 100, nil)
		r.want(r.Stalled(r.now))
		r.wantNoTimer()
	})
	begin := map[string]func(*rig) []Action{
		"shutdown": func(r *rig) []Action { return r.Shutdown(r.now) },
		"yield":    func(r *rig) []Action { return r.Yield(r.now, ReasonFault) },
		"standby":  func(r *rig) []Action { return r.Standby(r.now) },
	}
	end := map[string]State{"shutdown": Initialize, "yield": Initialize, "standby": Backup}
	for name, begin := range begin {
		t.Run("hand-over to "+name, func(t *testing.T) {
			r := newMaster(t, 100, nil)
			begin(r)
			r.want(r.Stalled(r.now), Transition{From: Master, To: end[name], Reason: ReasonStalled})
			r.wantNoTimer()
			r.wantStandby(name == "standby")
		})
	}
}

func TestAdopt(t *testing.T) {
	r := newRig(t, 100, nil)
	r.Adopt(r.now, 0)
	r.wantState(Master)
	r.wantTimer(time.Second)
	r.want(r.Yield(r.now, ReasonSpeakerLost), resignation)
	r.resign()
	r.hear(50, low4)
	r.want(r.expire(), Transition{Master, Initialize, ReasonSpeakerLost, low4})

	b := newBackup(t, 100, nil)
	b.Adopt(b.now, 0)
	b.wantState(Backup)
}

// TestAdoptWhatWasSilentForLong: peers have taken over by then, so the first one
// that is heard has told the segment long ago. Where none is, all goes as usual.
func TestAdoptWhatWasSilentForLong(t *testing.T) {
	const taken = 3*time.Second + 255*time.Second/256 + Linger // master-down interval of priority 1
	for silent, overdue := range map[time.Duration]bool{taken: true, taken - 1: false} {
		r := newRig(t, 100, nil)
		r.Adopt(r.now, silent)
		r.want(r.Yield(r.now, ReasonSpeakerLost), resignation)
		r.wantTimer(resignSpacing)
		r.hear(50, low4)
		if !overdue {
			r.wantTimer(resignSpacing)
			continue
		}
		r.wantTimer(0)
		r.want(r.expire(), Transition{Master, Initialize, ReasonSpeakerLost, low4})
	}
	unheard := newRig(t, 100, nil)
	unheard.Adopt(unheard.now, time.Hour)
	unheard.want(unheard.Yield(unheard.now, ReasonSpeakerLost), resignation)
	unheard.resign()
	unheard.wantState(Master)
}

func TestUpdateOfVersion2(t *testing.T) {
	r := newBackup(t, 100, func(p *Parameters) { p.Version = Version2 })
	r.hear(200, high4)
	r.Update(r.now, changed(func(p *Parameters) { p.Version, p.AdvertInterval = Version2, 2*time.Second }))
	r.wantTimer(6*time.Second + skew100)
}
