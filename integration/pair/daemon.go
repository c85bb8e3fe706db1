// SPDX-License-Identifier: Apache-2.0

package pair

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"syscall"

	"github.com/lvs-ha/lvs-ha/internal/control"
)

// Daemon is a program that runs in a node.
type Daemon struct {
	pair *Pair
	node string
	what string // the program, for messages
	proc *process
	log  *lineLog
}

// Start starts a program in a node; each line that it writes is given to tell,
// which may be nil.
func (p *Pair) Start(node string, tell func(line string), name string, args ...string) (*Daemon, error) {
	d := &Daemon{pair: p, node: node, what: fmt.Sprintf("%s on %s", name, node), log: &lineLog{tell: tell, more: make(chan struct{})}}
	cmd := p.Node(node).Command(context.Background(), name, args...)
	cmd.Stdout, cmd.Stderr = d.log, d.log
	proc, err := p.start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", d.what, err)
	}
	d.proc = proc
	return d, nil
}

// PID returns the process id.
func (d *Daemon) PID() int { return d.proc.cmd.Process.Pid }

// Kill sends SIGKILL and waits for the process to end.
func (d *Daemon) Kill() { d.proc.kill() }

// Stop sends SIGTERM and waits for the process to end.
func (d *Daemon) Stop(ctx context.Context) error {
	if err := d.proc.signal(ctx, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", d.what, err)
	}
	return nil
}

// Log returns what was written so far.
func (d *Daemon) Log() string { return d.log.String() }

// WaitLog waits for a line, from now or from before, that contains text.
func (d *Daemon) WaitLog(ctx context.Context, text string) error { return d.WaitLogs(ctx, text, 1) }

// WaitLogs waits until the log contains text n times.
func (d *Daemon) WaitLogs(ctx context.Context, text string, n int) error {
	for {
		count, more := d.log.count(text)
		if count >= n {
			return nil
		}
		select {
		case <-more:
		case <-d.proc.done:
			if count, _ := d.log.count(text); count >= n {
				return nil
			}
			return fmt.Errorf("%s ended (%w) before it said %q:\n%s", d.what, d.proc.end(), text, d.Log())
		case <-ctx.Done():
			return fmt.Errorf("wait for %s to say %q: %w; it said:\n%s", d.what, text, ctx.Err(), d.Log())
		}
	}
}

// Director is an lvs-ha daemon that runs in a node.
type Director struct{ *Daemon }

// StartDirector starts lvs-ha in a node with the topology's configuration.
func (p *Pair) StartDirector(node string, tell func(line string)) (*Director, error) {
	d, err := p.Start(node, tell, "lvs-ha", "run", "-c", "/etc/lvs-ha/lvs-ha.toml")
	if err != nil {
		return nil, err
	}
	return &Director{d}, nil
}

// KillAll sends SIGKILL to both processes, so that neither can do the other's
// will.
func (d *Director) KillAll(ctx context.Context) error {
	s, err := d.Status(ctx)
	if err != nil {
		return err
	}
	for _, pid := range []int{d.PID(), s.SpeakerPID} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill process %d of %s: %w", pid, d.what, err)
		}
	}
	d.Kill() // waits for its end
	return nil
}

// Status asks the daemon.
func (d *Director) Status(ctx context.Context) (control.Status, error) {
	var s control.Status
	out, err := d.pair.Output(ctx, d.node, "lvs-ha", "status", "--json")
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		return s, fmt.Errorf("read status of %s: %w", d.what, err)
	}
	return s, nil
}

// WaitStatus waits until the daemon's status satisfies holds.
func (d *Director) WaitStatus(ctx context.Context, what string, holds func(control.Status) bool) error {
	return Wait(ctx, fmt.Sprintf("%s: %s", d.what, what), func() (bool, error) {
		s, err := d.Status(ctx)
		if err != nil {
			return false, nil // not up yet; ctx ends the patience
		}
		return holds(s), nil
	})
}

// AllHealthy says that every probe has succeeded and the kernel has the weights.
func AllHealthy(s control.Status) bool {
	for _, vs := range s.VirtualServers {
		for _, rs := range vs.RealServers {
			if rs.Probe == "unknown" || rs.Probe == "failed" || rs.WeightKernel == nil || *rs.WeightKernel != *rs.WeightWanted {
				return false
			}
		}
	}
	return len(s.VirtualServers) > 0
}

// lineLog collects lines and passes them on. It is safe for concurrent use.
type lineLog struct {
	mu      sync.Mutex
	text    bytes.Buffer
	partial []byte
	more    chan struct{} // closed and replaced at each write
	tell    func(line string)
}

// Write implements io.Writer.
func (l *lineLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	l.partial = append(l.partial, b...)
	for {
		line, rest, ok := bytes.Cut(l.partial, []byte("\n"))
		if !ok {
			break
		}
		if l.tell != nil {
			l.tell(string(line))
		}
		l.partial = rest
	}
	close(l.more)
	l.more = make(chan struct{})
	return len(b), nil
}

// count returns how often text was written, and a channel that is closed when
// there is more.
func (l *lineLog) count(text string) (int, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.text.Bytes(), []byte(text)), l.more
}

// String returns everything written so far.
func (l *lineLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
