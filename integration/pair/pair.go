// SPDX-License-Identifier: Apache-2.0

// Package pair runs the topologies of conf/lab for drills and tests: a client,
// two directors d1 and d2, two real servers rs1 and rs2.
package pair

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/lab/topo"
)

// Pair is a topology that is up.
type Pair struct {
	lab     *topo.Lab
	started []*process
}

// Up builds the topology of a containerlab file. The binaries lvs-ha and
// traffic that it binds must be in build/.
func Up(ctx context.Context, file string) (*Pair, error) {
	t, err := topo.Load(file)
	if err != nil {
		return nil, err
	}
	lab, err := t.Up(ctx)
	if err != nil {
		return nil, err
	}
	return &Pair{lab: lab}, nil
}

// Down ends what was started and removes the topology.
func (p *Pair) Down() error {
	for _, s := range p.started {
		s.kill()
	}
	return p.lab.Down()
}

// Node returns the node of that name, which the topology must have.
func (p *Pair) Node(name string) *topo.Node { return p.lab.Node(name) }

// Output runs a command in a node and returns what it wrote to its standard
// output.
func (p *Pair) Output(ctx context.Context, node, name string, args ...string) (string, error) {
	out, err := p.Node(node).Command(ctx, name, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return string(out), fmt.Errorf("%s: %s %s: %w", node, name, strings.Join(args, " "), err)
	}
	return string(out), nil
}

// HasVIP says whether a node has the address on any interface.
func (p *Pair) HasVIP(ctx context.Context, node, address string) (bool, error) {
	out, err := exec.CommandContext(ctx, "ip", "-n", p.Node(node).NetNS(), "-o", "addr", "show").Output()
	if err != nil {
		return false, fmt.Errorf("list addresses of %s: %w", node, err)
	}
	return strings.Contains(string(out), " "+address+"/"), nil
}

// WaitVIP waits until a node has the address, or until it has it no more.
func (p *Pair) WaitVIP(ctx context.Context, node, address string, want bool) error {
	return Wait(ctx, fmt.Sprintf("VIP %s on %s: %t", address, node, want), func() (bool, error) {
		has, err := p.HasVIP(ctx, node, address)
		return has == want, err
	})
}

// PIDs returns the processes in a node.
func (p *Pair) PIDs(ctx context.Context, node string) ([]int, error) {
	out, err := exec.CommandContext(ctx, "ip", "netns", "pids", p.Node(node).NetNS()).Output()
	if err != nil {
		return nil, fmt.Errorf("list processes of %s: %w", node, err)
	}
	var pids []int
	for _, field := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("list processes of %s: %w", node, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// KillAll sends SIGKILL to every process in a node.
func (p *Pair) KillAll(ctx context.Context, node string) error {
	pids, err := p.PIDs(ctx, node)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d of %s: %w", pid, node, err)
		}
	}
	return nil
}

// Link sets an interface of a node up or down.
func (p *Pair) Link(ctx context.Context, node, ifname, state string) error {
	out, err := exec.CommandContext(ctx, "ip", "-n", p.Node(node).NetNS(), "link", "set", ifname, state).CombinedOutput()
	if err != nil {
		return fmt.Errorf("set %s of %s %s: %w: %s", ifname, node, state, err, out)
	}
	return nil
}

// pollInterval is how often Wait looks at what no event tells of.
const pollInterval = 20 * time.Millisecond

// Wait looks until the condition holds; it fails when ctx ends.
func Wait(ctx context.Context, what string, holds func() (bool, error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		ok, err := holds()
		if err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// process is a command that runs in a node.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait; read it after done is closed
}

// end says how the process ended, once it has.
func (s *process) end() error {
	if s.err == nil {
		return errors.New("exit status 0")
	}
	return s.err
}

func (p *Pair) start(cmd *exec.Cmd) (*process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &process{cmd: cmd, done: make(chan struct{})}
	p.started = append(p.started, s)
	go func() {
		s.err = cmd.Wait()
		close(s.done)
	}()
	return s, nil
}

func (s *process) kill() {
	_ = s.cmd.Process.Kill() // an error means that it has ended
	<-s.done
}

// signal sends a signal and waits for the end of the process.
func (s *process) signal(ctx context.Context, sig os.Signal) error {
	if err := s.cmd.Process.Signal(sig); err != nil {
		return err
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
