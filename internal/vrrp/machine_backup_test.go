// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

func TestChecklist36BackupShutdown(t *testing.T) {
	r := newBackup(t, 100, nil)
	r.want(r.Shutdown(r.now), Transition{From: Backup, To: Initialize, Reason: ReasonShutdown})
	r.wantState(Initialize)
	r.wantNoTimer()
}

func TestChecklist37MasterDown(t *testing.T) {
	r := newBackup(t, 100, nil)
	r.hear(200, high4)
	r.after(down100 - 1)
	r.want(r.Expire(r.now))
	r.wantState(Backup)
	r.after(1)
	r.want(r.Expire(r.now), advert100, Transition{Backup, Master, ReasonMasterDown, high4})
	r.wantState(Master)
	r.wantTimer(time.Second)
	if !r.Since().Equal(r.now) {
		t.Errorf("Since: got %v, want %v", r.Since(), r.now)
	}
}

func TestChecklist38PeerResigns(t *testing.T) {
	r := newBackup(t, 100, nil)
	r.hear(200, high4)
	r.after(300 * time.Millisecond)
	r.want(r.hear(PriorityResign, high4))
	r.wantTimer(skew100)
	r.want(r.expire(), advert100, Transition{Backup, Master, ReasonPeerResigned, high4})
}

func TestChecklist38AnotherTakesOver(t *testing.T) {
	r := newBackup(t, 100, nil)
	r.hear(PriorityResign, high4)
	r.hear(150, low4)
	r.wantTimer(down100)
	r.want(r.expire(), advert100, Transition{Backup, Master, ReasonMasterDown, low4})
}

func TestChecklist38ResignationOverBothFamilies(t *testing.T) {
	r := newBackup(t, 100, nil)
	r.hear(200, high4)
	r.hear(PriorityResign, high4)
	r.hear(PriorityResign, high6)
	r.wantTimer(skew100)
}

// backupCase is one advertisement against a backup of priority 100.
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

func TestChecklist39BackupFollows(t *testing.T) {
	runBackupCases(t, []backupCase{
		{"higher", true, 101, low4, true},
		{"equal, lower address", true, 100, low4, true},
		{"equal, higher address", true, 100, high4, true},
		{"higher over ipv6", true, 101, high6, true},
		{"equal over ipv6", true, 100, low6, true},
		{"owner", true, PriorityOwner, low4, true},
		{"lower without preempt", false, 1, low4, true},
		{"lower without preempt over ipv6", false, 1, low6, true},
	})
}

func TestChecklist40BackupIgnoresLower(t *testing.T) {
	runBackupCases(t, []backupCase{
		{"lower", true, 99, high4, false},
		{"lower over ipv6", true, 99, high6, false},
		{"lowest", true, 1, high4, false},
	})
	r := newBackup(t, 100, nil)
	r.after(down100 - time.Millisecond)
	r.hear(99, high4)
	r.after(time.Millisecond)
	r.want(r.Expire(r.now), advert100, Transition{From: Backup, To: Master, Reason: ReasonMasterDown})
}

func TestChecklist41ReplacedTimer(t *testing.T) {
	r := newBackup(t, 100, nil)
	stale, _ := r.Next()
	r.after(time.Second)
	r.hear(200, high4)
	r.want(r.Expire(stale))
	r.wantState(Backup)

	m := newMaster(t, 100, nil)
	stale, _ = m.Next()
	m.hear(200, high4)
	m.want(m.Expire(stale))
	m.wantState(Backup)
}
