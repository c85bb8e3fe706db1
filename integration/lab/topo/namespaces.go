// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// spaceFiles are the files that hold a node's namespaces, by kind as in /proc/PID/ns.
func (n *Node) spaceFiles() map[string]string {
	return map[string]string{
		"net": netnsPath(n.lab, n.spec.Name),
		"mnt": n.state.mountNS(n.spec.Name),
		"uts": n.state.utsNS(n.spec.Name),
	}
}

// createNamespaces makes the node's three namespaces, each held by a mount, with its mounts and host name inside.
func (n *Node) createNamespaces() error {
	steps, err := planMounts(osView{}, n.state.scratch(n.spec.Name), n.spec.Binds)
	if err != nil {
		return fmt.Errorf("plan mounts of node %s: %w", n.spec.Name, err)
	}
	if err := os.MkdirAll(n.state.scratch(n.spec.Name), 0o755); err != nil {
		return fmt.Errorf("make folder of node %s: %w", n.spec.Name, err)
	}
	made, held := make(chan int, 1), make(chan error, 1)
	go func() {
		if thread, ok := <-made; ok {
			held <- n.hold(thread)
		}
	}()
	err = onOwnThread(func() error {
		defer close(made)
		if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("make mounts private: %w", err)
		}
		made <- unix.Gettid()
		if err := <-held; err != nil { // by a thread outside: a mount namespace cannot hold itself
			return err
		}
		for _, s := range steps {
			if err := s.do(); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return unix.Sethostname([]byte(n.spec.Name))
	})
	if err != nil {
		return fmt.Errorf("create namespaces of node %s: %w", n.spec.Name, err)
	}
	return nil
}

// hold binds the namespaces of one of our threads to files, which keep them when the thread has ended.
func (n *Node) hold(thread int) error {
	for kind, file := range n.spaceFiles() {
		if err := os.WriteFile(file, nil, 0o444); err != nil {
			return fmt.Errorf("make mount point of namespace: %w", err)
		}
		if err := unix.Mount(fmt.Sprintf("/proc/self/task/%d/ns/%s", thread, kind), file, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s namespace to %s: %w", kind, file, err)
		}
	}
	return nil
}

// prepareNetnsRoot makes the folder of named network namespaces as ip-netns(8) does: a shared mount, so that a name that
// is removed here is removed in every mount namespace.
func prepareNetnsRoot() error {
	if err := os.MkdirAll(netnsRoot, 0o755); err != nil {
		return fmt.Errorf("make folder of network namespaces: %w", err)
	}
	share := func() error { return unix.Mount("", netnsRoot, "", unix.MS_SHARED|unix.MS_REC, "") }
	err := share()
	if errors.Is(err, unix.EINVAL) { // no mount yet
		if err = unix.Mount(netnsRoot, netnsRoot, "", unix.MS_BIND|unix.MS_REC, ""); err == nil {
			err = share()
		}
	}
	if err != nil {
		return fmt.Errorf("make %s a shared mount: %w", netnsRoot, err)
	}
	return nil
}

// removeNetns removes the name of a node's network namespace. None is no error.
func removeNetns(lab, node string) error {
	path := netnsPath(lab, node)
	if _, err := os.Lstat(path); err != nil {
		return nil
	}
	err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: the file of a run that was killed before it mounted something
		return fmt.Errorf("unmount network namespace %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove name of network namespace: %w", err)
	}
	return nil
}

// inside calls f on a thread in all the node's namespaces. A process that f starts is in them from its start.
func (n *Node) inside(f func() error) error {
	return onOwnThread(func() error {
		var spaces []int
		for _, file := range n.spaceFiles() { // all are opened from outside
			fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return fmt.Errorf("open namespace %s: %w", file, err)
			}
			defer unix.Close(fd)
			spaces = append(spaces, fd)
		}
		if err := unix.Unshare(unix.CLONE_FS); err != nil { // a root folder of its own, as setns(2) wants it
			return fmt.Errorf("unshare: %w", err)
		}
		for _, fd := range spaces {
			if err := unix.Setns(fd, 0); err != nil {
				return fmt.Errorf("enter namespaces of node %s: %w", n.spec.Name, err)
			}
		}
		return f()
	})
}

// onOwnThread calls f on a thread that ends afterwards, whatever f has made of it.
func onOwnThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != os.Getpid() {
			result <- f() // the thread stays locked, so that it ends with the goroutine
			return
		}
		defer runtime.UnlockOSThread()
		result <- onOwnThread(f) // the main thread cannot end; while we keep it, the next one is another
	}()
	return <-result
}

// execAll runs the node's exec lines.
func (n *Node) execAll(ctx context.Context, file string) error {
	if len(n.spec.Exec) == 0 {
		return nil
	}
	return n.inside(func() error {
		for _, line := range n.spec.Exec {
			if err := n.exec(ctx, line.Argv); err != nil {
				return fmt.Errorf("%s:%d: exec on node %s: %q: %w", file, line.Line, n.spec.Name, strings.Join(line.Argv, " "), err)
			}
		}
		return nil
	})
}

// exec runs a program on a thread inside the node.
func (n *Node) exec(ctx context.Context, argv []string) error {
	path, err := n.lookPath(argv[0])
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Env = n.environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // our thread waits for it: it does not outlive us
	return run(cmd)
}

// lookPath finds a program, on a thread inside the node, by the node's PATH or failing that ours.
func (n *Node) lookPath(name string) (string, error) {
	path, ok := n.spec.Env["PATH"]
	if !ok || strings.Contains(name, "/") {
		return exec.LookPath(name)
	}
	for _, dir := range filepath.SplitList(path) {
		if found, err := exec.LookPath(filepath.Join("/", dir, name)); err == nil {
			return found, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// run runs a command; what it printed becomes part of the error.
func run(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
