// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// maxLine bounds the line of output in an error's text, in bytes.
const maxLine = 256

// Reason is why a run was no success.
type Reason uint8

// The reasons.
const (
	NotStarted  Reason = iota + 1 // there was no process: Error.Err says why
	ExitStatus                    // it exited with Error.Status, 1-255
	Signal                        // it was ended by the signal Error.Status, and not by Run
	TimeLimit                     // it was killed at the end of its time, Error.Limit or the context's deadline
	Interrupted                   // it was killed because the context was cancelled
)

// String returns the reason in words, without its details.
func (r Reason) String() string {
	switch r {
	case NotStarted:
		return "cannot start"
	case ExitStatus:
		return "exit status"
	case Signal:
		return "ended by signal"
	case TimeLimit:
		return "time limit"
	case Interrupted:
		return "interrupted"
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Error is a run that was no success. Its text is one line, with the last line of output.
type Error struct {
	Program string // Argv[0]
	Reason  Reason
	Status  int           // with ExitStatus and Signal
	Limit   time.Duration // with TimeLimit: Spec.Timeout
	Output  string        // the end of standard output and standard error together, at most 4 KB, valid UTF-8
	Err     error         // the cause of NotStarted; context.DeadlineExceeded of TimeLimit; context.Canceled of Interrupted

	// Gone is nil in all but one case: the kernel has not ended the program a second after it was killed, or has not
	// even started it. It is closed when that is over. Until then another run is likely to go the same way and to
	// cost another thread.
	Gone <-chan struct{}
}

// Error says which program failed, why, and its last words.
func (e *Error) Error() string { return fmt.Sprintf("run %s: %s", e.Program, e.Detail()) }

// Detail is Error without the program.
func (e *Error) Detail() string {
	var text string
	switch e.Reason {
	case NotStarted:
		return fmt.Sprintf("cannot start: %v", e.Err)
	case ExitStatus:
		text = fmt.Sprintf("exit status %d", e.Status)
	case Signal:
		text = fmt.Sprintf("ended by signal %d (%s)", e.Status, syscall.Signal(e.Status))
	case TimeLimit:
		text = fmt.Sprintf("no end within %s, killed", e.Limit)
	default:
		text = "interrupted, killed"
	}
	if e.Gone != nil {
		text += ", but the kernel has not ended it: it may wait for a dead disk or file server"
	}
	if line := lastLine(e.Output); line != "" {
		text += ": " + line
	}
	return text
}

// Unwrap returns the cause, if it is more than the program's own failure.
func (e *Error) Unwrap() error { return e.Err }

func notStarted(s Spec, err error) *Error {
	e := &Error{Reason: NotStarted, Err: err}
	if len(s.Argv) > 0 {
		e.Program = s.Argv[0]
	}
	return e
}

// ended is a program that ended by itself.
func ended(s Spec, status syscall.WaitStatus, output string) *Error {
	e := &Error{Program: s.Argv[0], Reason: ExitStatus, Status: status.ExitStatus(), Output: output}
	if status.Signaled() {
		e.Reason, e.Status = Signal, int(status.Signal())
	}
	return e
}

// interrupted is a program that was killed, because of ctx or of its own limit.
func interrupted(ctx context.Context, s Spec, output string, gone <-chan struct{}) *Error {
	e := &Error{Program: s.Argv[0], Reason: TimeLimit, Limit: s.Timeout, Output: output, Err: context.DeadlineExceeded, Gone: gone}
	if errors.Is(ctx.Err(), context.Canceled) {
		e.Reason, e.Limit, e.Err = Interrupted, 0, context.Canceled
	}
	return e
}

// lastLine returns the last line of output that has something to read, without control characters and not too long.
func lastLine(output string) string {
	readable := strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, output)
	lines := strings.Split(strings.TrimSpace(readable), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	if len(line) > maxLine {
		line = strings.ToValidUTF8(line[:maxLine], "") + "…"
	}
	return line
}
