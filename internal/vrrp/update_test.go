// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"testing"
	"time"
)

// changed returns the tests' parameters with edits.
func changed(edit func(*Parameters)) Parameters {
	p := ownParameters
	edit(&p)
	return p
}

func TestUpdateAsBackup(t *testing.T) {
	const waited = time.Second
	cases := []struct {
		name  string
		heard bool // a master of interval 1 s
		edit  func(*Parameters)
		want  time.Duration // master-down interval
	}{
		{"nothing", true, func(*Parameters) {}, down100},
		{"priority raised", true, func(p *Parameters) { p.Priority = 200 }, 3*time.Second + 56*time.Second/256},
		{"priority lowered", true, func(p *Parameters) { p.Priority = 10 }, 3*time.Second + 246*time.Second/256},
		{"interval, master heard", true, func(p *Parameters) { p.AdvertInterval = 2 * time.Second }, down100},
		{"interval, no master heard", false, func(p *Parameters) { p.AdvertInterval = 2 * time.Second }, 2 * down100},
		{"owner now", true, func(p *Parameters) { p.Priority = PriorityOwner }, 3*time.Second + time.Second/256},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newBackup(t, 100, nil)
			if c.heard {
				r.hear(200, high4)
			}
			r.after(waited)
			r.want(r.Update(r.now, changed(c.edit)))
			r.wantState(Backup)
			r.wantTimer(c.want - waited)
		})
	}
}

func TestUpdateKeepsResignation(t *testing.T) {
	r := newBackup(t, 100, nil)
	r.hear(PriorityResign, high4)
	r.after(100 * time.Millisecond)
	r.Update(r.now, changed(func(p *Parameters) { p.Priority = 200 }))
	r.wantTimer(56*time.Second/256 - 100*time.Millisecond)
}

func TestUpdateRaisedPriorityPreempts(t *testing.T) {
	r := newBackup(t, 100, nil)
	r.hear(150, high4)
	r.Update(r.now, changed(func(p *Parameters) { p.Priority = 200 }))
	r.after(time.Second)
	r.want(r.hear(150, high4))
	r.want(r.expire(),
		SendAdvert{Priority: 200, Interval: time.Second}, Transition{Backup, Master, ReasonPreempts, high4})
}

func TestUpdateAsMaster(t *testing.T) {
	cases := []struct {
		name  string
		edit  func(*Parameters)
		want  []Action
		timer time.Duration
	}{
		{"nothing", func(*Parameters) {}, nil, 600 * time.Millisecond},
		{"preempt", func(p *Parameters) { p.Preempt = false }, nil, 600 * time.Millisecond},
		{"interval", func(p *Parameters) { p.AdvertInterval = 5 * time.Second },
			[]Action{SendAdvert{100, 5 * time.Second}}, 5 * time.Second},
		{"priority", func(p *Parameters) { p.Priority = 50 },
			[]Action{SendAdvert{50, time.Second}}, time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newMaster(t, 100, nil)
			r.after(400 * time.Millisecond)
			r.want(r.Update(r.now, changed(c.edit)), c.want...)
			r.wantState(Master)
			r.wantTimer(c.timer)
		})
	}
}

func TestUpdateBeforeStartup(t *testing.T) {
	r := newRig(t, 100, nil)
	r.want(r.Update(r.now, changed(func(p *Parameters) { p.AdvertInterval = 2 * time.Second })))
	r.Startup(r.now)
	r.wantTimer(2 * down100)
}
