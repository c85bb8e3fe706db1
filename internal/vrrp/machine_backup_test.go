// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

func TestRule36_BackupShutdown(t *testing.T) {
	t.Run("positive", func(t *testing.T) {
		r := newBackup(t, 100, nil)
		r.want(r.Shutdown(r.now), Transition{From: Backup, To: Initialize, Reason: ReasonShutdown})
		r.wantNoTimer()
	})
	t.Run("negative not running", func(t *testing.T) {
		r := newRig(t, 100, nil)
		r.want(r.Shutdown(r.now))
		r.wantNoTimer()
	})
}

func TestRule37_MasterDown(t *testing.T) {
	r := newBackup(t, 100, nil)
	r.hear(200, high4)
	t.Run("negative before the time", func(t *testing.T) {
		r.after(down100 - 1)
		r.want(r.Expire(r.now))
		r.wantState(Backup)
	})
	t.Run("positive", func(t *testing.T) {
		r.after(1)
		r.want(r.Expire(r.now), advert100, Transition{Backup, Master, ReasonMasterDown, high4})
		r.wantTimer(time.Second)
		if !r.Since().Equal(r.now) {
			t.Errorf("Since: got %v, want %v", r.Since(), r.now)
		}
	})
}

func TestRule38_PeerResigns(t *testing.T) {
	t.Run("positive", func(t *testing.T) {
		r := newBackup(t, 100, nil)
		r.hear(200, high4)
		r.after(300 * time.Millisecond)
		r.want(r.hear(PriorityResign, high4))
		r.wantTimer(skew100)
		r.want(r.expire(), advert100, Transition{Backup, Master, ReasonPeerResigned, high4})
	})
	t.Run("positive over both families", func(t *testing.T) {
		r := newBackup(t, 100, nil)
		r.hear(200, high4)
		r.hear(PriorityResign, high4)
		r.hear(PriorityResign, high6)
		r.wantTimer(skew100)
	})
	t.Run("positive version 2", func(t *testing.T) {
		r := newBackup(t, 100, func(p *Parameters) { p.Version, p.AdvertInterval = Version2, 5*time.Second })
		r.hearInterval(PriorityResign, high4, 5*time.Second)
		r.wantTimer(skew100)
	})
	t.Run("negative another takes over", func(t *testing.T) {
		r := newBackup(t, 100, nil)
		r.hear(PriorityResign, high4)
		r.hear(150, low4)
		r.wantTimer(down100)
		r.want(r.expire(), advert100, Transition{Backup, Master, ReasonMasterDown, low4})
	})
}

// backupCase is one advertisement, of an interval of 2 s, against a backup of
// priority 100.
type backupCase struct {
	name     string
	preempt  bool
	priority uint8
	source   netip.Addr
	follows  bool
}

func runBackupCases(t *testing.T, cases []backupCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newBackup(t, 100, func(p *Parameters) { p.Preempt = c.preempt })
			r.after(time.Second)
			r.want(r.hearInterval(c.priority, c.source, 2*time.Second))
			r.wantState(Backup)
			if c.follows {
				r.wantTimer(2 * down100)
			} else {
				r.wantTimer(down100 - time.Second)
			}
		})
	}
}

func TestRule39_BackupFollows(t *testing.T) {
	runBackupCases(t, []backupCase{
		{"positive higher", true, 101, low4, true},
		{"positive equal, lower address", true, 100, low4, true},
		{"positive equal, higher address", true, 100, high4, true},
		{"positive higher over ipv6", true, 101, high6, true},
		{"positive equal over ipv6", true, 100, low6, true},
		{"positive owner", true, PriorityOwner, low4, true},
		{"positive lower without preempt", false, 1, low4, true},
		{"positive lower without preempt over ipv6", false, 1, low6, true},
		{"negative lower", true, 99, high4, false},
	})
	t.Run("positive version 2 by its own interval", func(t *testing.T) {
		r := newBackup(t, 100, func(p *Parameters) { p.Version, p.AdvertInterval = Version2, 5*time.Second })
		r.after(time.Second)
		r.hearInterval(200, high4, time.Second)
		r.wantTimer(15*time.Second + skew100)
	})
}

func TestRule40_BackupIgnoresLower(t *testing.T) {
	runBackupCases(t, []backupCase{
		{"positive lower", true, 99, high4, false},
		{"positive lower over ipv6", true, 99, high6, false},
		{"positive lowest", true, 1, high4, false},
		{"negative without preempt", false, 99, high4, true},
		{"negative equal", true, 100, high4, true},
	})
	t.Run("positive takes over in time", func(t *testing.T) {
		r := newBackup(t, 100, nil)
		r.after(down100 - time.Millisecond)
		r.hear(99, high4)
		r.after(time.Millisecond)
		r.want(r.Expire(r.now), advert100, Transition{Backup, Master, ReasonPreempts, high4})
	})
}

// TestReasonOfTakeOver: a master that goes on is preempted, one that does not is
// down or has resigned.
func TestReasonOfTakeOver(t *testing.T) {
	cases := []struct {
		name string
		hear []uint8 // from low4, then high4 in turns
		want Transition
	}{
		{"nobody", nil, Transition{From: Backup, To: Master, Reason: ReasonMasterDown}},
		{"a better one", []uint8{150}, Transition{Backup, Master, ReasonMasterDown, low4}},
		{"a lower one", []uint8{50}, Transition{Backup, Master, ReasonPreempts, low4}},
		{"a lower one after a better one", []uint8{150, 50}, Transition{Backup, Master, ReasonPreempts, high4}},
		{"a better one after a lower one", []uint8{50, 150}, Transition{Backup, Master, ReasonMasterDown, high4}},
		{"a resignation after a lower one", []uint8{50, PriorityResign}, Transition{Backup, Master, ReasonPeerResigned, high4}},
		{"a lower one after a resignation", []uint8{PriorityResign, 50}, Transition{Backup, Master, ReasonPreempts, high4}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newBackup(t, 100, nil)
			for n, priority := range c.hear {
				r.hear(priority, []netip.Addr{low4, high4}[n%2])
			}
			r.want(r.expire(), advert100, c.want)
		})
	}
}

func TestRule41_ReplacedTimer(t *testing.T) {
	t.Run("negative of a backup", func(t *testing.T) {
		r := newBackup(t, 100, nil)
		stale, _ := r.Next()
		r.after(time.Second)
		r.hear(200, high4)
		r.want(r.Expire(stale))
		r.wantState(Backup)
	})
	t.Run("negative of a master that stepped down", func(t *testing.T) {
		r := newMaster(t, 100, nil)
		stale, _ := r.Next()
		r.hear(200, high4)
		r.want(r.Expire(stale))
		r.wantState(Backup)
	})
	t.Run("positive the new one fires once", func(t *testing.T) {
		r := newBackup(t, 100, nil)
		r.after(time.Second)
		r.hear(200, high4)
		r.expire()
		r.wantState(Master)
		r.want(r.Expire(r.now))
	})
}

func TestRule42_PreemptDelay(t *testing.T) {
	const delay = 3 * time.Second
	newDelayed := func(t *testing.T) *rig {
		return newBackup(t, 100, func(p *Parameters) { p.PreemptDelay = delay })
	}
	t.Run("positive preempts after the delay", func(t *testing.T) {
		r := newDelayed(t)
		for range 3 {
			r.hear(50, low4)
			r.wantTimer(down100)
			r.after(time.Second)
		}
		r.hear(50, low4)
		r.wantTimer(down100 - time.Second)
		r.want(r.expire(), advert100, Transition{Backup, Master, ReasonPreempts, low4})
	})
	t.Run("positive a lower master that dies is succeeded at once", func(t *testing.T) {
		r := newDelayed(t)
		r.hear(50, low4)
		r.want(r.expire(), advert100, Transition{Backup, Master, ReasonMasterDown, low4})
	})
	for name, priority := range map[string]uint8{"better": 150, "equal": 100, "resignation": PriorityResign} {
		t.Run("negative begins anew after a "+name+" advertisement", func(t *testing.T) {
			r := newDelayed(t)
			r.hear(50, low4)
			r.after(delay)
			r.hear(priority, high4)
			r.hear(50, low4)
			r.wantTimer(down100)
			r.after(delay - 1)
			r.hear(50, low4)
			r.wantTimer(down100)
			r.after(1)
			r.hear(50, low4)
			r.wantTimer(down100 - 1)
		})
	}
	t.Run("negative an owner does not wait", func(t *testing.T) {
		r := newBackup(t, PriorityOwner, func(p *Parameters) { p.PreemptDelay, p.InitialBackup = delay, true })
		r.after(time.Second)
		r.hear(50, low4)
		r.wantTimer(2*time.Second + time.Second/256)
	})
	t.Run("negative not synchronised yet: preempt off, then on", func(t *testing.T) {
		r := newBackup(t, 100, func(p *Parameters) { p.Preempt = false })
		r.after(time.Second)
		r.hear(50, low4)
		r.wantTimer(down100)
		r.Update(r.now, ownParameters)
		r.after(time.Second)
		r.hear(50, low4)
		r.wantTimer(down100 - time.Second)
	})
}
