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

// machine is a machine of one kind, ready to be started.
type machine interface {
	// guest tells the guest where its things are.
	guest() job.Guest
	// command returns the machine's process for the job in dir. It has the kernel's console as standard output, and the
	// other consoles on the descriptors of package job.
	command(opt Options, dir string, j job.Job) (*exec.Cmd, error)
	// start starts that process. release is called when it has ended.
	start(cmd *exec.Cmd, log io.Writer) (release func(), err error)
}

// boot runs a machine from start to end. ended says how its process ended; the command's fate is in dir.
func boot(ctx context.Context, opt Options, m machine, dir string, j job.Job) (ended error, err error) {
	if strings.ContainsAny(dir, " \t\n,") {
		return nil, fmt.Errorf("job folder %q: kernel parameters take no blank and no comma: set TMPDIR", dir)
	}
	cmd, err := m.command(opt, dir, j)
	if err != nil {
		return nil, err
	}
	console, err := os.Create(filepath.Join(dir, consoleFile))
	if err != nil {
		return nil, err
	}
	defer console.Close()
	var wires wires
	defer wires.close()
	if err := wires.open(); err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = []*os.File{wires.stdout.w, wires.stderr.w, wires.control.r} // descriptors 3, 4, 5: job.StdoutFD and so on
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}                         // all its processes are in its group, to be killed with it
	release, err := m.start(cmd, opt.Log)
	if err != nil {
		return nil, err
	}
	defer release()
	guard, err := startGuard(cmd.Process.Pid)
	if err != nil {
		killGroup(cmd.Process.Pid)
		return nil, errors.Join(err, cmd.Wait())
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

// errInsisted is how a machine ends when a second signal comes.
var errInsisted = errors.New("stopped by a second signal")

// watch waits for the machine's end, which it brings about when ctx ends or a second signal comes.
func watch(ctx context.Context, signals <-chan os.Signal, control io.Writer, pid int, over <-chan error) error {
	stop, passed := ctx.Done(), 0
	for {
		select {
		case err := <-over:
			if passed > 1 {
				return errInsisted
			}
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

// killGroup kills the machine. User-mode Linux has helpers, and the guest's processes are processes of the host too.
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

// wire is a pair of connected sockets, of which one is read and the other written: QEMU takes no pipe that it inherits.
type wire struct{ r, w *os.File }

func openWire() (wire, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return wire{}, fmt.Errorf("make sockets to console: %w", err)
	}
	return wire{r: os.NewFile(uintptr(fds[0]), "console"), w: os.NewFile(uintptr(fds[1]), "console")}, nil
}

// wires lead from us to the machine's consoles.
type wires struct{ stdout, stderr, control wire }

func (w *wires) open() error {
	for _, wire := range []*wire{&w.stdout, &w.stderr, &w.control} {
		var err error
		if *wire, err = openWire(); err != nil {
			return err
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
	for _, wire := range []wire{w.stdout, w.stderr, w.control} {
		wire.r.Close()
		wire.w.Close()
	}
}
