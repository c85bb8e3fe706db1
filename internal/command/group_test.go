// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestGroupIsKilled has a program leave a process behind that holds its output.
func TestGroupIsKilled(t *testing.T) {
	tests := []struct {
		name, end string
		timeout   time.Duration
		want      error
	}{
		{"at the time limit", "wait", 300 * time.Millisecond, context.DeadlineExceeded},
		{"when the program ends", "exit 0", enough, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLifeline(t)
			s := shell("exec 3>" + l.path + "; (trap '' TERM HUP; sleep 1000; true) & " + tt.end)
			s.Timeout = tt.timeout
			if err := Run(t.Context(), s); !errors.Is(err, tt.want) {
				t.Errorf("Run: %v, want %v", err, tt.want)
			}
			l.waitForEnd(t)
		})
	}
}

// TestOtherSessionHoldsOutput has a process leave the session and keep the pipes: it lives on, and Run does not wait.
func TestOtherSessionHoldsOutput(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("no setsid(1) here")
	}
	l := newLifeline(t)
	s := shell("exec 3>" + l.path + `; setsid sh -c 'printf "%10d" $$ >&3; exec sleep 1000' & read left < ` + l.path + `.go`)
	if err := unix.Mkfifo(l.path+".go", 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), s) }()
	pid, err := strconv.Atoi(strings.TrimSpace(l.read(t, 10)))
	if err != nil {
		t.Fatal(err)
	}
	write(t, l.path+".go", "it has\n")
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Errorf("kill the process that left: %v", err)
	}
	l.waitForEnd(t)
}

// TestDiesWithParent kills a process that runs a program.
func TestDiesWithParent(t *testing.T) {
	l := newLifeline(t)
	parent := process(t, self(), "/bin/sh", "-c", "exec 3>"+l.path+"; echo go >&3; exec sleep 1000")
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	l.read(t, 3)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed
	l.waitForEnd(t)
}

// TestOutlivesThreads ends many threads of this process while a program runs.
func TestOutlivesThreads(t *testing.T) {
	l := newLifeline(t)
	gate := l.path + ".gate"
	if err := unix.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), shell("echo go > "+l.path+"; read line < "+gate)) }()
	l.read(t, 3)
	for range 20 {
		var threads sync.WaitGroup
		for range 20 {
			threads.Go(runtime.LockOSThread) // the thread ends with its goroutine
		}
		threads.Wait()
	}
	write(t, gate, "end\n")
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestUnkillable has the start of a program hang, as it does on a dead disk.
func TestUnkillable(t *testing.T) {
	l := newLifeline(t)
	disk := make(chan struct{})
	r := runner{
		start: func(cmd *exec.Cmd) error {
			<-disk
			return cmd.Start()
		},
		killDelay: time.Millisecond,
	}
	s := shell("exec 3>" + l.path + "; exec sleep 1000")
	s.Timeout = time.Millisecond
	err := r.run(t.Context(), s)
	var got *Error
	if !errors.As(err, &got) || got.Reason != TimeLimit || got.Gone == nil {
		t.Fatalf("Run: %#v, want a time limit and a channel", err)
	}
	const want = "run /bin/sh: no end within 1ms, killed, but the kernel has not ended it: it may wait for a dead disk or file server"
	if err.Error() != want {
		t.Errorf("text %q, want %q", err, want)
	}
	select {
	case <-got.Gone:
		t.Error("gone before its end")
	default:
	}
	close(disk)
	<-got.Gone
	l.waitForEnd(t)
}
