// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what all processes of a daemon have used.
type Usage struct {
	// CPU is user and system time since their start. What the kernel does for
	// them in softirqs is not in it.
	CPU time.Duration
	// RSS and PSS are resident memory in bytes; PSS counts shared pages in parts
	// (proc_pid_smaps(5)).
	RSS, PSS int64
}

// clockTick is USER_HZ, the unit of times in /proc, on every Linux that Go runs on.
const clockTick = time.Second / 100

// Usage returns what the daemon has used so far.
func (d *Daemon) Usage() (Usage, error) {
	var sum Usage
	for _, pid := range Tree(d.PID()) {
		u, err := usageOf(pid)
		if err != nil {
			return sum, fmt.Errorf("usage of %s on %s: %w", d.kind, d.node, err)
		}
		sum.CPU += u.CPU
		sum.RSS += u.RSS
		sum.PSS += u.PSS
	}
	return sum, nil
}

func usageOf(pid int) (Usage, error) {
	var u Usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return u, err
	}
	if u.CPU, err = cpuTime(string(stat)); err != nil {
		return u, err
	}
	for line := range strings.Lines(string(rollup)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(f[1], 10, 64) // the first line is none of these
		switch f[0] {
		case "Rss:":
			u.RSS = kib << 10
		case "Pss:":
			u.PSS = kib << 10
		}
	}
	return u, nil
}

// cpuTime returns user and system time of /proc/PID/stat: fields 14 and 15 of
// proc_pid_stat(5), counted from the end of the second, which may have blanks.
func cpuTime(stat string) (time.Duration, error) {
	f := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(f) < 13 {
		return 0, fmt.Errorf("read processor time: %d fields", len(f))
	}
	var ticks int64
	for _, text := range f[11:13] {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read processor time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}
