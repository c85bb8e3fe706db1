// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestRun(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	with := func(s Spec, change func(*Spec)) Spec { change(&s); return s }
	tests := []struct {
		name string
		spec Spec
		want *Error // nil: success
		text string
	}{
		{"success", shell("echo fine"), nil, ""},
		{"exit status", shell("exit 3"), &Error{Reason: ExitStatus, Status: 3}, "run /bin/sh: exit status 3"},
		{"last words", shell("echo one; echo two >&2; echo; exit 255"),
			&Error{Reason: ExitStatus, Status: 255, Output: "one\ntwo\n\n"}, "run /bin/sh: exit status 255: two"},
		{"signal", shell("echo now; kill -TERM $$"),
			&Error{Reason: Signal, Status: int(syscall.SIGTERM), Output: "now\n"}, "run /bin/sh: ended by signal 15 (terminated): now"},
		{"time limit", with(shell("exec sleep 1000"), func(s *Spec) { s.Timeout = 50 * time.Millisecond }),
			&Error{Reason: TimeLimit, Limit: 50 * time.Millisecond, Err: context.DeadlineExceeded}, "run /bin/sh: no end within 50ms, killed"},
		{"no program", Spec{User: self(), Timeout: enough}, &Error{Reason: NotStarted, Err: cmpopts.AnyError},
			"run : cannot start: no program given"},
		{"relative path", Spec{Argv: []string{"sh"}, User: self(), Timeout: enough}, &Error{Reason: NotStarted, Err: cmpopts.AnyError},
			"run sh: cannot start: expected an absolute path"},
		{"no time limit", with(shell(""), func(s *Spec) { s.Timeout = 0 }), &Error{Reason: NotStarted, Err: cmpopts.AnyError},
			"run /bin/sh: cannot start: the time limit must be above 0"},
		{"no user", with(shell(""), func(s *Spec) { s.User = "" }), &Error{Reason: NotStarted, Err: cmpopts.AnyError},
			"run /bin/sh: cannot start: no user given"},
		{"unknown user", with(shell(""), func(s *Spec) { s.User = "no-such-user" }), &Error{Reason: NotStarted, Err: cmpopts.AnyError},
			"run /bin/sh: cannot start: look up user no-such-user: user: unknown user no-such-user"},
		{"missing", Spec{Argv: []string{"/nonexistent"}, User: self(), Timeout: enough}, &Error{Reason: NotStarted, Err: syscall.ENOENT},
			"run /nonexistent: cannot start: no such file or directory (as user " + self() + ")"},
		{"not executable", Spec{Argv: []string{plain}, User: self(), Timeout: enough}, &Error{Reason: NotStarted, Err: syscall.EACCES},
			"run " + plain + ": cannot start: permission denied (as user " + self() + ")"},
		{"zero byte", with(shell(""), func(s *Spec) { s.Env = []string{"A=\x00"} }), &Error{Reason: NotStarted, Err: cmpopts.AnyError},
			"run /bin/sh: cannot start: exec: environment variable contains NUL (as user " + self() + ")"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Run(t.Context(), tt.spec)
			if tt.want == nil {
				if err != nil {
					t.Errorf("Run: %v, want success", err)
				}
				return
			}
			if len(tt.spec.Argv) > 0 {
				tt.want.Program = tt.spec.Argv[0]
			}
			var got *Error
			if !errors.As(err, &got) {
				t.Fatalf("Run: %v, want an *Error", err)
			}
			if diff := cmp.Diff(*tt.want, *got, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.text, err.Error()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunEndsWithContext(t *testing.T) {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		t.Run(cause.Error(), func(t *testing.T) {
			l := newLifeline(t)
			ctx, cancel := context.WithCancel(t.Context())
			if errors.Is(cause, context.DeadlineExceeded) {
				ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			}
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- Run(ctx, shell("exec 3>"+l.path+"; echo go >&3; exec sleep 1000")) }()
			if errors.Is(cause, context.Canceled) {
				l.read(t, 3)
				cancel()
			}
			if err := <-ended; !errors.Is(err, cause) {
				t.Errorf("Run: %v, want %v", err, cause)
			}
			l.waitForEnd(t)
		})
	}
}

func TestRunAfterContextStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(t.TempDir(), "file")
	if err := Run(ctx, shell("> "+file)); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v, want %v", err, context.Canceled)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the program ran")
	}
}

// TestStdin feeds more than a pipe holds, to a program that reads it and to one that does not.
func TestStdin(t *testing.T) {
	s := shell("test $(wc -c) -eq 1000000")
	s.Stdin = make([]byte, 1000000)
	if err := Run(t.Context(), s); err != nil {
		t.Errorf("reader: %v", err)
	}
	s.Argv = []string{"/bin/true"}
	if err := Run(t.Context(), s); err != nil {
		t.Errorf("not a reader: %v", err)
	}
	s = shell("test $(wc -c) -eq 0")
	if err := Run(t.Context(), s); err != nil {
		t.Errorf("reader of nothing: %v", err)
	}
}

// TestOutputIsBounded has the last of a megabyte kept.
func TestOutputIsBounded(t *testing.T) {
	err := Run(t.Context(), shell("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo end; exit 1"))
	var got *Error
	if !errors.As(err, &got) {
		t.Fatalf("Run: %v, want an *Error", err)
	}
	want := strings.Repeat("x", maxOutput-len("\nend\n")) + "\nend\n"
	if diff := cmp.Diff(want, got.Output); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}
