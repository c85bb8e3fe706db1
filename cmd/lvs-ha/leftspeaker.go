// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// leftSpeaker says that a speaker's process listens at path without a director,
// and what that means; empty: none does. It must not be connected to, since it
// would take us for its new director.
func leftSpeaker(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	table, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return ""
	}
	inode, listens := listener(string(table), path)
	if !listens {
		return ""
	}
	process := "a speaker's process"
	if pid := ownerOf(inode); pid > 0 {
		process += fmt.Sprintf(" (pid %d)", pid)
	}
	return process + " still listens at " + path + ": it holds the VIPs until a new director comes or hold_time is over, or is handing them over: start lvs-ha"
}

// soAcceptCon is __SO_ACCEPTCON of include/uapi/linux/net.h: the socket listens.
const soAcceptCon = 1 << 16

// listener finds a listening socket by its path in a table as /proc/net/unix
// has it (unix_seq_show in net/unix/af_unix.c): a line for each socket, with
// Num, RefCount, Protocol, Flags, Type, St, Inode and, after one space, the
// path as it was bound. Numbers are hexadecimal, the inode is decimal.
func listener(table, path string) (inode uint64, listens bool) {
	for line := range strings.Lines(table) {
		head, found := strings.CutSuffix(strings.TrimSuffix(line, "\n"), " "+path)
		fields := strings.Fields(head)
		if !found || len(fields) != 7 {
			continue
		}
		flags, err := strconv.ParseUint(fields[3], 16, 32)
		if err != nil || flags&soAcceptCon == 0 {
			continue
		}
		if inode, err = strconv.ParseUint(fields[6], 10, 64); err == nil {
			return inode, true
		}
	}
	return 0, false
}

// ownerOf returns a process that has a socket open, 0 where none can be seen: of
// other users' processes only root sees the sockets.
func ownerOf(inode uint64) int {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0
	}
	socket := fmt.Sprintf("socket:[%d]", inode)
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == socket {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2]) // the pattern has digits there
			return pid
		}
	}
	return 0
}
