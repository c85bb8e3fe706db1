// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Lab is a topology that is up. Its methods may be called from several goroutines, Down from one.
type Lab struct {
	topology *Topology
	state    state
	nodes    map[string]*Node
	owner    *owner // nil when another process brought the lab up
}

// Up builds the topology: namespaces, links, exec lines, main processes. What an earlier run of the same name left is
// removed first; a lab whose maker is still running is refused. A failed Up removes what it made. It needs root, and
// the programs ip, nsenter and mount (Debian: iproute2, util-linux, mount).
//
// The lab outlives the process unless Down is called: that is what makes it usable from a command line. The next Up of
// the same name finds what a killed test left.
func (t *Topology) Up(ctx context.Context) (*Lab, error) {
	if !labName.MatchString(t.Name) {
		return nil, fmt.Errorf("bring lab up: %q is no lab name", t.Name)
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("bring lab %s up: namespaces need root", t.Name)
	}
	s := stateOf(t.Name)
	owner, err := s.acquire()
	if err != nil {
		return nil, fmt.Errorf("bring lab %s up: %w", t.Name, err)
	}
	l := newLab(t, owner)
	if err := removeLeftovers(t); err != nil {
		return nil, errors.Join(fmt.Errorf("remove what an earlier lab %s left: %w", t.Name, err), owner.release())
	}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bring lab %s up: %w", t.Name, err), l.Down())
	}
	return l, nil
}

// Attach returns the lab of a containerlab file that another process brought up, with its nodes as they were then.
func Attach(file string) (*Lab, error) {
	named, err := Load(file)
	if err != nil {
		return nil, err
	}
	t, err := stateOf(named.Name).read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("lab %s is not up: bring it up first: %w", named.Name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("attach to lab %s: %w", named.Name, err)
	}
	return newLab(t, nil), nil
}

func newLab(t *Topology, o *owner) *Lab {
	l := &Lab{topology: t, state: stateOf(t.Name), nodes: map[string]*Node{}, owner: o}
	for i := range t.Nodes {
		l.nodes[t.Nodes[i].Name] = &Node{spec: &t.Nodes[i], lab: t.Name, state: l.state}
	}
	return l
}

// Node returns the node of that name, or nil.
func (l *Lab) Node(name string) *Node { return l.nodes[name] }

// build makes everything in the order in which it depends on each other.
func (l *Lab) build(ctx context.Context) error {
	if err := l.state.create(l.topology); err != nil {
		return err
	}
	for _, spec := range l.topology.Nodes {
		if err := l.nodes[spec.Name].createNamespaces(ctx); err != nil {
			return err
		}
	}
	if err := l.createLinks(ctx); err != nil {
		return err
	}
	for _, spec := range l.topology.Nodes {
		for _, line := range spec.Exec {
			if err := l.nodes[spec.Name].exec(ctx, l.topology.File, line); err != nil {
				return err
			}
		}
	}
	for _, spec := range l.topology.Nodes {
		if len(spec.Cmd) > 0 {
			if err := l.nodes[spec.Name].startMain(); err != nil {
				return err
			}
		}
	}
	return nil
}

// createNamespaces makes the node's three namespaces, each held by a mount, with its mounts and host name inside.
func (n *Node) createNamespaces(ctx context.Context) error {
	mounts, err := planMounts(osView{}, n.state.scratch(n.spec.Name), n.spec.Binds)
	if err != nil {
		return fmt.Errorf("plan mounts of node %s: %w", n.spec.Name, err)
	}
	if err := os.MkdirAll(n.state.scratch(n.spec.Name), 0o755); err != nil {
		return fmt.Errorf("make folder of node %s: %w", n.spec.Name, err)
	}
	if err := run(exec.CommandContext(ctx, "ip", "netns", "add", n.NetNS())); err != nil {
		return fmt.Errorf("create network namespace of node %s: %w", n.spec.Name, err)
	}
	if err := n.settle(ctx, mounts+"echo "+shellQuote(n.spec.Name)+" >/proc/sys/kernel/hostname\n"); err != nil {
		return fmt.Errorf("create mount and UTS namespaces of node %s: %w", n.spec.Name, err)
	}
	return nil
}

// settle starts a shell in the node's network namespace and in new mount and UTS namespaces, makes mounts hold these
// two, and only then lets the shell run the script.
func (n *Node) settle(ctx context.Context, script string) error {
	var out bytes.Buffer
	shell := exec.CommandContext(ctx, "sh")
	shell.Stdout, shell.Stderr = &out, &out
	shell.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS} // private mounts, too
	stdin, err := shell.StdinPipe()
	if err != nil {
		return fmt.Errorf("make pipe to shell: %w", err)
	}
	if err := n.Do(shell.Start); err != nil {
		return fmt.Errorf("start shell: %w", err)
	}
	held := n.hold(shell.Process.Pid)
	if held == nil {
		_, held = io.WriteString(stdin, script)
	}
	held = errors.Join(held, stdin.Close())
	if err := shell.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(out.String()))
	}
	return held
}

// hold binds the mount and UTS namespaces of a process to files, which keep them when the process has ended.
func (n *Node) hold(pid int) error {
	for kind, file := range map[string]string{"mnt": n.state.mountNS(n.spec.Name), "uts": n.state.utsNS(n.spec.Name)} {
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			return fmt.Errorf("make mount point of namespace: %w", err)
		}
		if err := unix.Mount(fmt.Sprintf("/proc/%d/ns/%s", pid, kind), file, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s namespace to %s: %w", kind, file, err)
		}
	}
	return nil
}

// exec runs one exec line in the node.
func (n *Node) exec(ctx context.Context, file string, line Exec) error {
	if err := run(n.Command(ctx, line.Argv[0], line.Argv[1:]...)); err != nil {
		return fmt.Errorf("%s:%d: exec on node %s: %q: %w", file, line.Line, n.spec.Name, strings.Join(line.Argv, " "), err)
	}
	return nil
}

// startMain starts the node's main process with its output going to the node's log. It is a session of its own, so that
// a key pressed at the terminal that brought the lab up doesn't end it.
func (n *Node) startMain() error {
	log, err := os.OpenFile(n.Log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open log of node %s: %w", n.spec.Name, err)
	}
	defer log.Close()
	cmd := n.Command(context.Background(), n.spec.Cmd[0], n.spec.Cmd[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start main process of node %s: %w", n.spec.Name, err)
	}
	n.main = make(chan struct{})
	go func() {
		defer close(n.main)
		_ = cmd.Wait() // how it ends is the log's to tell
	}()
	return nil
}

// run runs a command; what it printed becomes part of the error.
func run(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
