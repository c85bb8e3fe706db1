// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// SetRealtime puts all threads of this process under SCHED_RR with the given
// priority, 1-99, and locks its memory; 0 takes both back. Threads that come
// later inherit it.
func SetRealtime(priority int) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: uint32(priority)}
	if priority == 0 {
		attr.Policy = unix.SCHED_NORMAL
	}
	if err := eachThread(func(tid int) error { return unix.SchedSetAttr(tid, &attr, 0) }); err != nil {
		return fmt.Errorf("set real-time priority %d of the speaker: %w (it needs CAP_SYS_NICE, or LimitRTPRIO=%d in the unit)", priority, err, priority)
	}
	if priority == 0 {
		return unix.Munlockall()
	}
	// What is mapped now is made present. Later mappings are locked as they are
	// used: Go reserves far more than it touches.
	err := unix.Mlockall(unix.MCL_CURRENT)
	if err == nil {
		err = unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
	}
	if err != nil {
		return fmt.Errorf("lock the speaker's memory: %w (it needs CAP_IPC_LOCK, or LimitMEMLOCK=infinity in the unit)", err)
	}
	return nil
}

// eachThread calls do for every thread, until a round finds no new ones: a
// thread that is started meanwhile inherits from one that was not done yet.
func eachThread(do func(tid int) error) error {
	done := make(map[int]bool)
	for {
		entries, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		news := false
		for _, e := range entries {
			tid, err := strconv.Atoi(e.Name())
			if err != nil || done[tid] {
				continue
			}
			done[tid], news = true, true
			if err := do(tid); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		if !news {
			return nil
		}
	}
}
