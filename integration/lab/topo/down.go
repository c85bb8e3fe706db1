// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// killTimeout bounds the wait for one killed process to end: a process in an uninterruptible system call may take long.
const killTimeout = 10 * time.Second

// Down kills every process in the lab's nodes and removes namespaces, links, mounts and files. It is safe to call twice.
// A lab that another running process brought up is refused.
func (l *Lab) Down() error {
	if l.owner == nil {
		o, err := l.state.acquire()
		if err != nil {
			return fmt.Errorf("bring lab %s down: %w", l.topology.Name, err)
		}
		l.owner = o
	}
	err := remove(l.topology, l.state)
	for _, n := range l.nodes {
		if n.main != nil {
			<-n.main
		}
	}
	err = errors.Join(err, l.owner.release())
	l.owner = nil
	if err != nil {
		return fmt.Errorf("bring lab %s down: %w", l.topology.Name, err)
	}
	return nil
}

// removeLeftovers removes what an earlier lab of the same name left, whether its nodes were those of t or others.
func removeLeftovers(t *Topology) error {
	s := stateOf(t.Name)
	before, err := s.read()
	switch {
	case err == nil:
		if err := remove(before, s); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return remove(t, s)
}

// remove ends the processes in the nodes, then removes the names and the files of their namespaces; the links go with
// these. What was on its way into a node meanwhile is ended last, when nothing new can find the way.
func remove(t *Topology, s state) error {
	spaces := map[namespace]bool{}
	for _, n := range t.Nodes {
		for _, path := range []string{netnsPath(t.Name, n.Name), s.mountNS(n.Name)} {
			ns, ok := namespaceAt(path)
			if !ok {
				continue
			}
			// Kept open to the end: the kernel gives the number of a namespace that is gone to the next one at once, and
			// the processes in that are not ours to kill.
			held, err := os.Open(path)
			if err != nil {
				return fmt.Errorf("hold namespace %s: %w", path, err)
			}
			defer held.Close()
			spaces[ns] = true
		}
	}
	errs := []error{killAll(spaces)}
	for _, n := range t.Nodes {
		errs = append(errs, removeNetns(t.Name, n.Name))
	}
	errs = append(errs, s.remove(), killAll(spaces))
	return errors.Join(errs...)
}

// namespace identifies a namespace (namespaces(7): device and inode of its file).
type namespace struct{ dev, inode uint64 }

// namespaceAt returns the namespace a file stands for; false for a file that stands for none.
func namespaceAt(path string) (namespace, bool) {
	var fsType unix.Statfs_t
	if err := unix.Statfs(path, &fsType); err != nil || fsType.Type != unix.NSFS_MAGIC {
		return namespace{}, false
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return namespace{}, false
	}
	return namespace{dev: st.Dev, inode: st.Ino}, true
}

// killAll kills every process in one of the namespaces, until there is none: one may have started another meanwhile.
func killAll(spaces map[namespace]bool) error {
	if len(spaces) == 0 {
		return nil
	}
	for {
		pids, err := processesIn(spaces)
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			if err := kill(pid, spaces); err != nil {
				return err
			}
		}
	}
}

// processesIn returns the processes in one of the namespaces, without our own.
func processesIn(spaces map[namespace]bool) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() && isIn(pid, spaces) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// isIn reports whether a process's network or mount namespace is one of spaces, or will be: nsenter(1) opens all that it
// is to enter first.
func isIn(pid int, spaces map[namespace]bool) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	paths := []string{proc + "/ns/net", proc + "/ns/mnt"}
	if name, err := os.ReadFile(proc + "/comm"); err == nil && string(name) == "nsenter\n" {
		open, _ := os.ReadDir(proc + "/fd") // gone meanwhile: then it is no nsenter any more
		for _, fd := range open {
			paths = append(paths, filepath.Join(proc, "fd", fd.Name()))
		}
	}
	return slices.ContainsFunc(paths, func(path string) bool {
		ns, ok := namespaceAt(path)
		return ok && spaces[ns]
	})
}

// kill ends one process of the namespaces and waits until it has ended.
func kill(pid int, spaces map[namespace]bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if !isIn(pid, spaces) { // the number has passed to another process since it was listed
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	deadline := time.Now().Add(killTimeout)
	for {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, int(max(0, time.Until(deadline).Milliseconds())))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("wait for process %d to end: %w", pid, err)
		case n > 0:
			return nil
		default:
			return fmt.Errorf("process %d has not ended %v after SIGKILL", pid, killTimeout)
		}
	}
}
