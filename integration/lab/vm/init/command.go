// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/vm/job"
)

// Exit codes of a shell for a command that cannot be run.
const (
	exitCannotRun = 126
	exitNotFound  = 127
)

// consoles are the devices that lead to the host: terminals in user-mode Linux, ports in QEMU.
type consoles struct{ stdout, stderr, control *os.File }

// openConsoles opens the devices, and makes terminals raw: bytes pass as they are.
func openConsoles(guest job.Guest) (c consoles, err error) {
	for _, t := range []struct {
		file **os.File
		path string
		flag int
	}{
		{&c.stdout, guest.Stdout, os.O_WRONLY},
		{&c.stderr, guest.Stderr, os.O_WRONLY},
		{&c.control, guest.Control, os.O_RDONLY},
	} {
		fd, err := openDevice(t.path, t.flag)
		if err != nil {
			return c, fmt.Errorf("open console %s: %w", t.path, err)
		}
		*t.file = os.NewFile(uintptr(fd), t.path)
		if err := makeRaw(fd); err != nil && !errors.Is(err, unix.ENOTTY) {
			return c, fmt.Errorf("make console %s raw: %w", t.path, err)
		}
	}
	return c, nil
}

// openDevice opens a device that may not have come up yet.
func openDevice(path string, flag int) (fd int, err error) {
	const patience = 10 * time.Second
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		fd, err = unix.Open(path, flag|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.ENOENT) || time.Now().After(deadline) {
			return fd, err
		}
	}
}

// makeRaw does what cfmakeraw(3) does.
func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// drain waits until the consoles have passed on what was written to them.
func (c consoles) drain() {
	for _, f := range []*os.File{c.stdout, c.stderr} {
		_ = unix.IoctlSetInt(int(f.Fd()), unix.TCSBRK, 1) // tcdrain(3); a console without it has no buffer to wait for
	}
}

// run runs the job's command to its end, then ends whatever it left behind. The command writes to pipes rather than to
// the terminals, so that it behaves as under a test or a pipeline on the host.
func (c consoles) run(j job.Job) job.Result {
	var (
		copying sync.WaitGroup
		ends    []*os.File
	)
	for _, tty := range []*os.File{c.stdout, c.stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			return job.Result{Exit: exitCannotRun, Err: fmt.Sprintf("make pipe: %v", err)}
		}
		ends = append(ends, w)
		copying.Go(func() {
			defer r.Close()
			_, _ = io.Copy(tty, r) // the host reads for as long as we live
		})
	}
	result := c.start(j, ends[0], ends[1])
	// Nothing that still runs can use the machine any more, and its ends of the pipes would keep us waiting.
	_ = unix.Kill(-1, unix.SIGKILL)
	for _, w := range ends {
		w.Close()
	}
	copying.Wait()
	return result
}

// start starts the command and waits for it. As process 1 we are every orphan's parent and wait for all of them.
func (c consoles) start(j job.Job, stdout, stderr *os.File) job.Result {
	cannot := func(code int, err error) job.Result {
		return job.Result{Exit: code, Err: fmt.Sprintf("run %s: %v", j.Argv[0], err)}
	}
	if err := os.Chdir(j.Dir); err != nil {
		return cannot(exitCannotRun, err)
	}
	os.Clearenv()
	for _, kv := range j.Env {
		if name, value, ok := cutEnv(kv); ok {
			if err := os.Setenv(name, value); err != nil {
				return cannot(exitCannotRun, err)
			}
		}
	}
	path, err := exec.LookPath(j.Argv[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		code := exitCannotRun
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			code = exitNotFound
		}
		return cannot(code, err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return cannot(exitCannotRun, err)
	}
	defer null.Close()
	pid, err := syscall.ForkExec(path, j.Argv, &syscall.ProcAttr{
		Env:   j.Env,
		Files: []uintptr{null.Fd(), stdout.Fd(), stderr.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return cannot(exitCannotRun, err)
	}
	go c.passSignals(pid)
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return cannot(exitCannotRun, fmt.Errorf("wait for its end: %w", err))
		case ended == pid:
			return job.Result{Exit: exitCode(status)}
		}
	}
}

// passSignals sends the command the signals that the host asks for. It ends with the machine.
func (c consoles) passSignals(pid int) {
	for lines := bufio.NewScanner(c.control); lines.Scan(); {
		if n, err := strconv.Atoi(lines.Text()); err == nil && n > 0 {
			_ = unix.Kill(pid, unix.Signal(n)) // the command may just have ended
		}
	}
}

// cutEnv splits NAME=VALUE. A name may begin with "=" but not be empty.
func cutEnv(kv string) (name, value string, ok bool) {
	for i := 1; i < len(kv); i++ {
		if kv[i] == '=' {
			return kv[:i], kv[i+1:], true
		}
	}
	return "", "", false
}
