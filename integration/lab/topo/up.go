// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// Lab is a topology that is up. Its methods may be called from several goroutines, Down from one.
type Lab struct {
	topology *Topology
	state    state
	nodes    map[string]*Node
	owner    *owner // nil when another process brought the lab up
}

// Up builds the topology: namespaces, links, exec lines (those of one node in order), main processes. What an earlier run of the same name left is
// removed first; a lab whose maker is still running is refused. A failed Up removes what it made. It needs root, and
// the program nsenter (Debian: util-linux).
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

// build makes everything in the order in which it depends on each other: nodes beside each other, links between them all.
func (l *Lab) build(ctx context.Context) error {
	if err := l.state.create(l.topology); err != nil {
		return err
	}
	if err := prepareNetnsRoot(); err != nil {
		return err
	}
	if err := l.eachNode(ctx, func(_ context.Context, n *Node) error { return n.createNamespaces() }); err != nil {
		return err
	}
	if err := l.createLinks(); err != nil {
		return err
	}
	err := l.eachNode(ctx, func(ctx context.Context, n *Node) error { return n.execAll(ctx, l.topology.File) })
	if err != nil {
		return err
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

// eachNode calls f for all nodes at once and returns the first error, on which ctx ends for the others.
func (l *Lab) eachNode(ctx context.Context, f func(context.Context, *Node) error) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, n := range l.nodes {
		all.Go(func() error { return f(ctx, n) })
	}
	return all.Wait()
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
