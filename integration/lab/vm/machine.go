// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/vm/job"
)

// consoleFile is the kernel's console, in the job folder.
const consoleFile = "console"

// boot runs a machine from start to end. ended says how the kernel's process ended; the command's fate is in dir.
func boot(ctx context.Context, opt Options, tools tools, dir string) (ended error, err error) {
	if strings.ContainsAny(dir, " \t\n,") {
		return nil, fmt.Errorf("start virtual machine: job folder %q: kernel parameters take no blank and no comma: set TMPDIR", dir)
	}
	if err := checkShm(opt.Memory); err != nil {
		return nil, fmt.Errorf("start virtual machine: %w", err)
	}
	console, err := os.Create(filepath.Join(dir, consoleFile))
	if err != nil {
		return nil, fmt.Errorf("start virtual machine: %w", err)
	}
	defer console.Close()
	var wires wires
	defer wires.close()
	if err := wires.open(); err != nil {
		return nil, fmt.Errorf("start virtual machine: %w", err)
	}

	cmd := exec.Command(tools.kernel,
		"mem="+opt.Memory, "uml_dir="+dir+"/", "umid=uml",
		"root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "init="+tools.init, job.Param+"="+dir,
		"con=null", "ssl=null", "con0=null,fd:1",
		fmt.Sprintf("con1=null,fd:%d", job.StdoutFD), fmt.Sprintf("con2=null,fd:%d", job.StderrFD),
		fmt.Sprintf("con3=fd:%d,null", job.ControlFD), "quiet")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LD_PRELOAD=" + tools.shim}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = []*os.File{wires.stdout.w, wires.stderr.w, wires.control.r} // descriptors 3, 4, 5: job.StdoutFD and so on
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}                         // its helper processes are in its group, to be killed with it
	cpu := reserveCPU(opt.Log)
	defer cpu.release()
	if err := cpu.start(cmd); err != nil {
		return nil, fmt.Errorf("start virtual machine: %w", err)
	}
	guard, err := startGuard(cmd.Process.Pid)
	if err != nil {
		killGroup(cmd.Process.Pid)
		return nil, errors.Join(fmt.Errorf("start virtual machine: %w", err), cmd.Wait())
	}
	wires.closeRemote()

	var copying sync.WaitGroup
	copying.Go(func() { _, _ = io.Copy(opt.Stdout, wires.stdout.r) }) // a writer of the caller's that fails is the caller's to know
	copying.Go(func() { _, _ = io.Copy(opt.Stderr, wires.stderr.r) })
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	ended = watch(ctx, opt.Signals, wires.control.w, cmd.Process.Pid, over)
	killGroup(cmd.Process.Pid)
	guard.dismiss()
	copying.Wait()
	_, _ = console.Seek(0, io.SeekStart)
	_, _ = io.Copy(opt.Log, console)
	return ended, nil
}

// watch waits for the machine's end, which it brings about when ctx ends or a second signal comes.
func watch(ctx context.Context, signals <-chan os.Signal, control io.Writer, pid int, over <-chan error) error {
	stop, passed := ctx.Done(), 0
	for {
		select {
		case err := <-over:
			return err
		case <-stop:
			killGroup(pid)
			stop = nil
		case s := <-signals:
			if n, ok := s.(syscall.Signal); ok && passed == 0 {
				_, _ = fmt.Fprintf(control, "%d\n", int(n)) // a machine that is dying does not read it
			} else {
				killGroup(pid)
			}
			passed++
		}
	}
}

// killGroup kills user-mode Linux with its helpers and the processes in it, which are processes of the host too.
func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }

// guard is a process that kills the machine when we end without having done so.
type guard struct {
	cmd  *exec.Cmd
	pipe *os.File // the end of it tells the guard that we are gone, a line in it that all is well
}

func startGuard(machine int) (*guard, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe to guard: %w", err)
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", `read -r line || kill -9 "-$1"`, "lab-vm-guard", strconv.Itoa(machine))
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends our process group must not end it
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("start guard: %w", err)
	}
	return &guard{cmd: cmd, pipe: w}, nil
}

func (g *guard) dismiss() {
	_, _ = io.WriteString(g.pipe, "over\n")
	g.pipe.Close()
	_ = g.cmd.Wait()
}

// pipe is an anonymous pipe.
type pipe struct{ r, w *os.File }

// wires are the pipes between us and the machine's consoles.
type wires struct{ stdout, stderr, control pipe }

func (w *wires) open() error {
	for _, p := range []*pipe{&w.stdout, &w.stderr, &w.control} {
		var err error
		if p.r, p.w, err = os.Pipe(); err != nil {
			return fmt.Errorf("make pipe to console: %w", err)
		}
	}
	return nil
}

// closeRemote closes the machine's ends, which it has copies of.
func (w *wires) closeRemote() {
	for _, f := range []*os.File{w.stdout.w, w.stderr.w, w.control.r} {
		f.Close()
	}
}

func (w *wires) close() {
	for _, p := range []pipe{w.stdout, w.stderr, w.control} {
		p.r.Close()
		p.w.Close()
	}
}
