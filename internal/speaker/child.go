// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// DirectorFD is the file descriptor that a speaker's process finds the
// connection to its director at.
const DirectorFD = 3

// started is a speaker's process that this director started.
type started struct {
	cmd   *exec.Cmd
	conn  net.Conn
	pulse *Pulse
	gone  chan struct{} // closed when it was waited for
	end   error         // then
}

// StartChild starts a speaker's process: this program, under the name and with
// the arguments of argv, with one end of a socket pair at DirectorFD and the
// memory of the heartbeat at PulseFD. It gets a process group of its own, so that a signal from the
// terminal reaches only the director.
func StartChild(argv []string) (Child, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make socket pair: %w", err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "speaker"), os.NewFile(uintptr(fds[1]), "director")
	defer mine.Close()
	defer theirs.Close()
	memory, err := newPulseFile()
	if err != nil {
		return nil, err
	}
	defer memory.Close()
	pulse, _, err := MapPulse(memory)
	if err != nil {
		return nil, err
	}
	conn, err := net.FileConn(mine)
	if err != nil {
		return nil, fmt.Errorf("make socket pair: %w", err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = argv
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{theirs, memory} // become DirectorFD and PulseFD
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s := &started{cmd: cmd, conn: conn, pulse: pulse, gone: make(chan struct{})}
	go func() {
		defer close(s.gone)
		s.end = cmd.Wait()
	}()
	return s, nil
}

func (s *started) Conn() net.Conn { return s.conn }
func (s *started) Pulse() *Pulse  { return s.pulse }
func (s *started) Adopted() bool  { return false }
func (s *started) Unfit() string  { return "" }
func (s *started) Terminate()     { _ = s.cmd.Process.Signal(unix.SIGTERM) } // it may have ended already

func (s *started) Wait(d time.Duration) Fate {
	select {
	case <-s.gone:
	case <-time.After(d):
		return Alive
	}
	if s.end != nil {
		return Died
	}
	return Done
}

func (s *started) Kill() string {
	s.conn.Close()
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.gone
	if exit, ok := errors.AsType[*exec.ExitError](s.end); ok {
		return exit.String()
	}
	return ""
}

// adopted is a speaker's process that an earlier director left.
type adopted struct {
	conn    net.Conn
	pulse   *Pulse
	process *os.File // its pidfd
	unfit   string
}

func (a *adopted) Pulse() *Pulse  { return a.pulse }
func (a *adopted) Conn() net.Conn { return a.conn }
func (a *adopted) Adopted() bool  { return true }
func (a *adopted) Unfit() string  { return a.unfit }
func (a *adopted) Terminate()     { _ = a.signal(unix.SIGTERM) } // it may have ended already

func (a *adopted) signal(s unix.Signal) error {
	return unix.PidfdSendSignal(int(a.process.Fd()), s, nil, 0)
}

// Wait cannot tell how somebody else's child ended.
func (a *adopted) Wait(d time.Duration) Fate {
	if a.ended(d) {
		return Died
	}
	return Alive
}

func (a *adopted) ended(d time.Duration) bool {
	poll := []unix.PollFd{{Fd: int32(a.process.Fd()), Events: unix.POLLIN}}
	for deadline := time.Now().Add(d); ; {
		n, err := unix.Poll(poll, int(max(time.Until(deadline), 0).Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return err == nil && n > 0
		}
	}
}

func (a *adopted) Kill() string {
	a.conn.Close()
	if a.signal(unix.SIGKILL) == nil {
		a.ended(linkPatience)
	}
	a.process.Close()
	return ""
}

const (
	// findPause is between two looks at a speaker that takes nobody.
	findPause = 100 * time.Millisecond
	// findPatience is how long a speaker that hands over is waited for: three
	// resignations, the longest bound of a hand-over, and the kernel.
	findPatience = 60 * time.Second
)

// FindChild returns the speaker's process that listens at path, left by an
// earlier director, if that waits for a new one; nil when there is none. One
// that is handing over is waited for. One that says nothing, or does not come
// to an end, is unfit. The caller is the only director that may use path.
func FindChild(ctx context.Context, path string) (Child, error) {
	for deadline := time.Now().Add(findPatience); ; {
		conn, err := net.DialTimeout("unix", path, linkPatience)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
			return nil, nil
		}
		if err == nil {
			var child Child
			if child, err = adopt(conn.(*net.UnixConn), time.Now().After(deadline)); child != nil {
				return child, nil
			}
		}
		if err != nil && time.Now().After(deadline) {
			return nil, fmt.Errorf("adopt the earlier speaker that listens at %s: %w: end its process (`fuser %s` shows it)", path, err, path)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(findPause):
		}
	}
}

// adopt returns the process at the other end if it wants a director, or if it
// is unfit. One that hands over closes the connection before it greets; overdue
// says that it has done so for too long.
func adopt(conn *net.UnixConn, overdue bool) (child Child, err error) {
	defer func() {
		if child == nil {
			conn.Close()
		}
	}()
	pid, err := peerPID(conn)
	if err != nil {
		return nil, err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	a := &adopted{conn: conn, process: os.NewFile(uintptr(fd), "speaker")}
	defer func() {
		if child == nil {
			a.process.Close()
		}
	}()
	var unheard error
	lives := func() (heard bool) {
		if unheard == nil {
			_, heard = a.pulse.Heard()
		}
		return heard
	}
	a.pulse, unheard = pulseOf(pid)
	lives() // what it said before does not count
	err = greets(conn)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && (overdue || !lives()):
		a.unfit = fmt.Sprintf("process %d, left by an earlier director, shows no sign of life", pid)
		return a, nil
	case err != nil && overdue:
		a.unfit = fmt.Sprintf("process %d, left by an earlier director, has not handed over within %s", pid, findPatience)
		return a, nil
	case err != nil:
		return nil, nil
	case unheard != nil:
		return nil, unheard
	}
	return a, nil
}

// greets waits for the first octet of the hello, without taking it.
func greets(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(linkPatience)); err != nil {
		return err
	}
	var one [1]byte
	n := 0
	waited := raw.Read(func(fd uintptr) bool {
		n, _, err = unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return !errors.Is(err, unix.EAGAIN)
	})
	switch {
	case waited != nil:
		return waited
	case err != nil:
		return err
	case n == 0:
		return io.EOF
	}
	return nil
}

func peerPID(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return 0, err
	}
	return int(cred.Pid), nil
}
