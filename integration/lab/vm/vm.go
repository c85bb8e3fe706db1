// SPDX-License-Identifier: Apache-2.0

// Package vm runs commands in a virtual machine whose kernel has IPVS, over the host's own files.
//
// There are two kinds of machine, and neither needs a hypervisor. User-mode Linux (Debian's package user-mode-linux) is an
// ordinary program: it computes at the host's speed, but stops a process at each of its system calls. QEMU (Debian's
// package qemu-system-x86, with the kernel of linux-image-amd64) emulates a computer: it computes at a twentieth of the
// host's speed, but its system calls cost the host nothing. A measurement of a few milliseconds decides: user-mode Linux
// where a stop is cheap, else QEMU, and either where the other cannot be had. The environment variable LVSHA_LAB_VM=uml
// or LVSHA_LAB_VM=qemu decides instead.
//
// The guest's root folder is the host's, so the programs, libraries and test binaries of the host run in it as they are.
// The host is safe from them: everything the guest writes lands in its memory, except in the repository's build folder,
// the folders of Options.Writable, and a temporary folder that goes with the machine.
//
// Three programs play together: the kernel (user-mode Linux with a shim for CPUs that it does not know, see
// shim/umlshim.c), the guest's process 1 (init), and this package, which prepares both in the build folder, starts the
// machine, copies its consoles and waits for the result in the job folder (job).
package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/lab/vm/job"
)

// Exit codes of Run and RerunIfNeeded beside the command's own, as timeout(1) and docker-run(1) have them.
const (
	ExitTimeout = 124 // the time limit has passed
	ExitMachine = 125 // the machine could not be started, or died before the command had ended
)

// ErrDied is what Run fails with when the machine has died of itself: an emulator or its kernel crashed.
var ErrDied = errors.New("virtual machine died")

// DefaultTimeout is the time limit where Options has none.
const DefaultTimeout = 15 * time.Minute

// The memory of a machine where Options does not say. Both take it from the host as they use it.
const (
	defaultMemoryUML  = "768M"
	defaultMemoryQEMU = "1G" // Debian's kernel is three times as large
)

// Options says how to run a machine. The zero value is ready for use.
type Options struct {
	Timeout  time.Duration    // from the machine's start to its end; 0: DefaultTimeout
	Memory   string           // of the machine, a number with M or G; empty: 768M, or 1G for QEMU
	Writable []string         // folders of the host, beside the build folder, that the guest may write
	Stdout   io.Writer        // of the command, byte for byte; nil: os.Stdout
	Stderr   io.Writer        // of the command, byte for byte; nil: os.Stderr
	Log      io.Writer        // installation, compilation and the kernel's console; nil: only what an error quotes
	Signals  <-chan os.Signal // passed on to the command; a second one ends the machine; nil: none
}

// Run runs a command as root of a machine and returns its exit code, 128 plus the signal's number if one ended it. The
// command has our environment and working directory, and an empty standard input. argv[0] is looked up in the PATH.
//
// The error is nil whenever the command ran to its end, whatever its exit code. Otherwise the code is ExitTimeout,
// ExitMachine, or a shell's code for a command that cannot be run: 126, or 127 for one that is not found.
// Any number of machines may run at once. None outlives the process, however that ends.
func Run(ctx context.Context, opt Options, argv ...string) (exit int, err error) {
	if len(argv) == 0 {
		return ExitMachine, errors.New("run in virtual machine: no command")
	}
	opt = opt.withDefaults()
	m, err := prepareMachine(ctx, opt.Log)
	if err != nil {
		return ExitMachine, fmt.Errorf("prepare virtual machine: %w", err)
	}
	dir, err := os.MkdirTemp("", "lvs-ha-vm-")
	if err != nil {
		return ExitMachine, fmt.Errorf("make job folder: %w", err)
	}
	defer os.RemoveAll(dir)
	j, err := newJob(opt, m.guest(), argv)
	if err != nil {
		return ExitMachine, fmt.Errorf("prepare virtual machine: %w", err)
	}
	if err := j.Write(dir); err != nil {
		return ExitMachine, fmt.Errorf("prepare virtual machine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, opt.Timeout)
	defer cancel()
	ended, err := boot(ctx, opt, m, dir, j)
	if err != nil {
		return ExitMachine, fmt.Errorf("start virtual machine: %w", err)
	}
	r, err := job.ReadResult(dir)
	switch {
	case err == nil && r.Err != "":
		return r.Exit, fmt.Errorf("virtual machine: %s", r.Err)
	case err == nil:
		return r.Exit, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return ExitTimeout, fmt.Errorf("virtual machine: %s did not end within the time limit of %v", argv[0], opt.Timeout)
	case ctx.Err() != nil:
		return ExitMachine, fmt.Errorf("virtual machine: stopped: %w", ctx.Err())
	case errors.Is(ended, errInsisted):
		return ExitMachine, fmt.Errorf("virtual machine: %w", ended)
	case errors.Is(err, fs.ErrNotExist):
		return ExitMachine, fmt.Errorf("%w (%v) before %s had ended; its console:\n%s", ErrDied, ended, argv[0], consoleTail(dir))
	default:
		return ExitMachine, fmt.Errorf("virtual machine: %w", err)
	}
}

func (o Options) withDefaults() Options {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

// newJob describes the command to the guest.
func newJob(opt Options, guest job.Guest, argv []string) (job.Job, error) {
	root, err := moduleRoot()
	if err != nil {
		return job.Job{}, err
	}
	cwd, err := os.Getwd()
	if err != nil {
		return job.Job{}, fmt.Errorf("find working directory: %w", err)
	}
	j := job.Job{Argv: argv, Env: os.Environ(), Dir: cwd, Guest: guest}
	for _, dir := range append([]string{filepath.Join(root, buildFolder)}, opt.Writable...) {
		if dir, err = filepath.Abs(dir); err != nil {
			return job.Job{}, fmt.Errorf("find writable folder: %w", err)
		}
		if info, err := os.Stat(dir); err != nil {
			return job.Job{}, fmt.Errorf("find writable folder: %w", err)
		} else if !info.IsDir() || strings.Contains(dir, ",") {
			return job.Job{}, fmt.Errorf("%s cannot be made writable: not a folder, or a comma in its name", dir)
		}
		j.Writable = append(j.Writable, dir)
	}
	return j, nil
}

// consoleTail returns the last lines of the kernel's console.
func consoleTail(dir string) string {
	const keep = 40
	text, err := os.ReadFile(filepath.Join(dir, consoleFile))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-keep):], "\n")
}
