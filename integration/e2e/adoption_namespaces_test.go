// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/internal/control"
)

const realtimeHold = "[speaker]\non_director_loss = \"hold\"\nhold_time = \"20s\"\nrealtime_priority = 10\n"

// rolesAreAdopted also looks at real-time scheduling and at a reload, since
// nothing happens to the roles.
func rolesAreAdopted(s *segment) {
	s.d1.env = []string{"GOGC=1"} // what nobody holds on to is collected before the adoption
	s.d1.configure("", realtimeHold)
	s.d2.configure("", "")
	s.begin()
	s.ping()
	speaker := s.d1.speaker()
	s.wantRealtime(speaker)

	quiet, mark := time.Now(), s.d1.log.mark()
	bestOf3(s.t, "adoption and reloads", func(int) string {
		from := time.Now()
		s.adopt(speaker)
		s.d1.signal(syscall.SIGTERM, speaker) // which the director decides on
		s.reloadAdopted(from)
		return s.lossSince(from, maxLoss)
	})
	if got := s.watch.since(quiet); len(got) > 0 {
		s.t.Errorf("the VIP moved: %v", got)
	}
	for _, role := range []string{"initialize", "backup", "master"} {
		if got := append(s.d1.log.since(mark, "web: "+role+" -> "), s.d2.log.since(0, "web: "+role+" -> master")...); len(got) > 0 {
			s.t.Errorf("transitions: %q", got)
		}
	}
	s.failover("SIGTERM of both, as a service manager stops a daemon", func() {
		s.d1.signal(syscall.SIGTERM, s.d1.processes()...)
	}, func() {
		s.d1.gone()
		s.d1.start()
	})
	s.d1.configure("", strings.Replace(realtimeHold, "20s", "1s", 1))
	s.d1.mustOrder("reload")
	s.failover("SIGKILL of the director, and no new one within hold_time", func() {
		s.d1.signal(syscall.SIGKILL, s.d1.director())
	}, func() {
		s.d1.gone()
		s.d1.start()
	})
	s.d1.waitLog(mark, "no new director came: handing over")
}

// adopt kills d1's director and starts another one, which finds the speaker.
func (s *segment) adopt(speaker int) {
	s.t.Helper()
	mark := s.d1.log.mark()
	s.d1.signal(syscall.SIGKILL, s.d1.director())
	<-s.d1.ended
	s.d1.waitLog(mark, "roles are held for 20s until a new one comes")
	s.d1.start()
	s.d1.waitLog(mark, fmt.Sprintf("speaker adopted, pid %d: its roles go on", speaker))
	if got := s.d1.speaker(); got != speaker {
		s.t.Errorf("speaker after the adoption = %d, want %d", got, speaker)
	}
	if i := s.d1.instance(); i.State != "master" || len(i.Held) != 1 {
		s.t.Errorf("adopted instance = %+v", i)
	}
}

// reloadAdopted changes the configuration of what was adopted, and changes it
// back.
func (s *segment) reloadAdopted(from time.Time) {
	s.t.Helper()
	reload := func(keys string, priority uint8, held int) {
		s.t.Helper()
		s.d1.configure(keys, realtimeHold)
		s.d1.mustOrder("reload")
		s.d1.pollInstance("web", "reloaded", func(i control.Instance) bool {
			return i.Priority == priority && len(i.Held) == held
		})
	}
	reload(`
priority = 200
advert_interval = "500ms"
addresses = ["192.0.2.100/24", "192.0.2.101/24"]`, 200, 2)
	s.watch.mu.Lock()
	others := slices.Clone(s.watch.others[s.d1])
	s.watch.mu.Unlock()
	if !slices.Contains(others, "192.0.2.101") {
		s.t.Errorf("addresses that came to d1: %v, want 192.0.2.101", others)
	}
	s.poll("adverts of the new priority", func() bool {
		return slices.ContainsFunc(s.wire.heard(s.d1, from), func(a advert) bool { return a.priority == 200 })
	})
	reload("", 150, 1)
}

// wantRealtime looks at all threads of the speaker (sched(7), proc_pid_status(5)).
func (s *segment) wantRealtime(pid int) {
	s.t.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	s.must(err)
	for _, thread := range threads {
		tid, err := strconv.Atoi(thread.Name())
		s.must(err)
		attr, err := unix.SchedGetAttr(tid, 0)
		if err != nil || attr.Policy&^unix.SCHED_RESET_ON_FORK != unix.SCHED_RR || attr.Priority != 10 {
			s.t.Errorf("thread %d of the speaker: policy %+v, %v; want SCHED_RR 10", tid, attr, err)
		}
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	s.must(err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kB int
		if n, _ := fmt.Sscanf(lines.Text(), "VmLck: %d kB", &kB); n == 1 {
			if kB == 0 {
				s.t.Error("the speaker's memory is not locked")
			}
			return
		}
	}
	s.t.Error("no VmLck in the speaker's status")
}

// frozenIsReplaced plays the worst that a director can find: a speaker that holds
// roles, and stands still.
func frozenIsReplaced(s *segment) {
	s.d1.configure("", realtimeHold)
	s.d2.configure("", "")
	s.begin()
	speaker, mark := s.d1.speaker(), s.d1.log.mark()
	s.d1.signal(syscall.SIGKILL, s.d1.director())
	<-s.d1.ended
	s.d1.waitLog(mark, "roles are held for 20s until a new one comes")
	s.d1.signal(syscall.SIGSTOP, speaker) // not before: the kernel lets the orphan of a process group go on
	s.waitHeld(false, true)               // by its lease
	s.d1.start()
	s.d1.waitLog(mark, fmt.Sprintf("speaker is lost (process %d, left by an earlier director, shows no sign of life", speaker))
	s.settle()
	if slices.Contains(s.d1.processes(), speaker) {
		s.t.Errorf("the frozen speaker, process %d, was left alone", speaker)
	}
}
