// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// process is a program that runs at an end of a link.
type process struct {
	cmd  *exec.Cmd
	log  *output
	done chan struct{} // closed when it has ended
	err  error         // of Wait; read it after done is closed
}

// start starts a program; what it writes is added to log.
func (e *end) start(log *output, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := e.do(p.cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(name), err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// terminate sends SIGTERM and waits for the end.
func (p *process) terminate(ctx context.Context) error {
	name := filepath.Base(p.cmd.Path)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("stop %s: %w", name, p.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop %s: %w", name, ctx.Err())
	}
}

// kill sends SIGKILL to the process and its children, as if the machine had
// failed, and waits for the end. A process that has ended, and nil, are left
// alone.
func (p *process) kill() {
	if p == nil || p.ended() {
		return
	}
	all := append(p.children(), p.cmd.Process.Pid)
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} { // none may notice the end of another
		for _, pid := range all {
			_ = syscall.Kill(pid, signal) // an error means that it has ended
		}
	}
	<-p.done
}

// children returns the processes that the process has started.
func (p *process) children() []int {
	var all []int
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	for _, file := range threads {
		pids, _ := os.ReadFile(file) // an error means that the thread has ended
		for _, field := range strings.Fields(string(pids)) {
			if pid, err := strconv.Atoi(field); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// ended says whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// output collects what processes write. It is safe for concurrent use.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and replaced at each write
}

func newOutput() *output { return &output{more: make(chan struct{})} }

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	close(o.more)
	o.more = make(chan struct{})
	return len(b), nil
}

// read returns everything written so far, and a channel that is closed when
// there is more.
func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.more
}

// String returns everything written so far.
func (o *output) String() string {
	text, _ := o.read()
	return text
}

// wait waits until what p has written satisfies holds.
func (o *output) wait(ctx context.Context, p *process, what string, holds func(text string) bool) error {
	for {
		ended := p.ended()
		text, more := o.read()
		if holds(text) {
			return nil
		}
		if ended {
			return fmt.Errorf("%s ended (%v) before %s", filepath.Base(p.cmd.Path), p.err, what)
		}
		select {
		case <-more:
		case <-p.done:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		}
	}
}
