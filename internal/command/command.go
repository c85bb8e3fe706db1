// SPDX-License-Identifier: Apache-2.0

// Package command runs one program of the operator's, unprivileged and bounded in time and output.
//
// There is no shell. The program gets a session of its own, the user's id, groups and no capabilities, a clean
// environment, the working directory / and no descriptor but the standard three.
package command

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// searchPath is the PATH of every program.
	searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// pipeDelay is how long a process that left the session may hold on to the output of a program that has ended.
	pipeDelay = 100 * time.Millisecond
	// killDelay is how long the kernel may take to end a program that was killed.
	killDelay = time.Second
)

// Spec is a program to run.
type Spec struct {
	Argv    []string      // program and arguments; the program is an absolute path
	User    string        // name or number of the user that runs it
	Env     []string      // "KEY=value" entries besides PATH
	Stdin   []byte        // nil: /dev/null
	Timeout time.Duration // after which it is killed; above 0
}

// Run runs the program of s and waits for its end. It returns nil when the program exits with status 0, else an [*Error].
//
// When the program has ended, when the time limit is over or when ctx ends, its whole process group is killed: what is to
// live on must leave its session. It is killed as well when this process dies. A program that the kernel cannot kill, as
// one that waits for a dead disk, does not hold up Run: see [Error.Gone].
func Run(ctx context.Context, s Spec) error {
	return runner{start: (*exec.Cmd).Start, killDelay: killDelay}.run(ctx, s)
}

// runner is how programs are started; tests replace it.
type runner struct {
	start     func(*exec.Cmd) error
	killDelay time.Duration
}

func (r runner) run(ctx context.Context, s Spec) error {
	cmd, output, err := prepare(s)
	if err != nil {
		return notStarted(s, err)
	}
	limit, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	if limit.Err() != nil {
		return interrupted(ctx, s, "", nil)
	}

	var result error
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		// The signal for the death of the parent is one for the death of its thread (PR_SET_PDEATHSIG(2const)): this
		// one lives as long as the program. It is never unlocked and ends with the goroutine, since its own
		// attributes were changed.
		runtime.LockOSThread()
		detachThread()
		if err := r.start(cmd); err != nil {
			result = notStarted(s, startError(err, s))
			return
		}
		killed := await(limit, cmd)
		_ = cmd.Wait() // its error is ProcessState, or that the output was cut off
		switch status := cmd.ProcessState.Sys().(syscall.WaitStatus); {
		case killed && status.Signaled():
			result = interrupted(ctx, s, output.String(), nil)
		case status != 0:
			result = ended(s, status, output.String())
		}
	}()

	select {
	case <-gone:
		return result
	case <-limit.Done():
	}
	select {
	case <-gone:
		return result
	case <-time.After(r.killDelay):
		return interrupted(ctx, s, "", gone)
	}
}

// prepare does what can fail before there is a process.
func prepare(s Spec) (*exec.Cmd, *tail, error) {
	switch {
	case len(s.Argv) == 0:
		return nil, nil, errors.New("no program given")
	case !strings.HasPrefix(s.Argv[0], "/"):
		return nil, nil, errors.New("expected an absolute path")
	case s.Timeout <= 0:
		return nil, nil, errors.New("the time limit must be above 0")
	}
	attributes, err := attributesOf(s.User)
	if err != nil {
		return nil, nil, err
	}
	output := &tail{}
	cmd := &exec.Cmd{
		Path:        s.Argv[0],
		Args:        s.Argv,
		Env:         append([]string{searchPath}, s.Env...),
		Dir:         "/",
		Stdout:      output,
		Stderr:      output,
		SysProcAttr: attributes,
		WaitDelay:   pipeDelay,
	}
	if s.Stdin != nil {
		cmd.Stdin = bytes.NewReader(slices.Clone(s.Stdin))
	}
	return cmd, output, nil
}

// await waits until the program has ended by itself or was killed at the end of ctx, and then kills what is left of its
// group. The program is not yet reaped meanwhile, so that nothing else can have its number.
func await(ctx context.Context, cmd *exec.Cmd) (killed bool) {
	pid := cmd.Process.Pid
	kill := func() { _ = unix.Kill(-pid, unix.SIGKILL) } // ESRCH: none is left
	killing := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killing)
		kill()
	})
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if !stop() {
		<-killing
		killed = true
	}
	kill()
	return killed
}
