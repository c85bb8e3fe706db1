// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Ticker fires again and again; NewKernelTicker and time.Ticker make one.
type Ticker interface {
	Chan() <-chan time.Time
	Reset(pace time.Duration)
	Stop()
}

// goTicker is a time.Ticker.
type goTicker struct{ *time.Ticker }

func newGoTicker(pace time.Duration) Ticker { return goTicker{time.NewTicker(pace)} }

func (t goTicker) Chan() <-chan time.Time { return t.C }

// kernelTicker is a timer of the kernel (timerfd_create(2)), waited for like a
// socket. A timer of the Go runtime also wakes the runtime's monitor thread each
// time, which costs as much as all that an idle process does at its heartbeat.
type kernelTicker struct {
	file *os.File
	raw  syscall.RawConn
	c    chan time.Time
	done chan struct{}
}

// NewKernelTicker returns a Ticker of the kernel, or of the runtime where the
// kernel refuses.
func NewKernelTicker(pace time.Duration) Ticker {
	t, err := newKernelTicker(pace)
	if err != nil {
		return newGoTicker(pace)
	}
	return t
}

func newKernelTicker(pace time.Duration) (*kernelTicker, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	t := &kernelTicker{file: os.NewFile(uintptr(fd), "timerfd"), c: make(chan time.Time, 1), done: make(chan struct{})}
	if t.raw, err = t.file.SyscallConn(); err == nil {
		err = setTimer(fd, pace)
	}
	if err != nil {
		return nil, errors.Join(err, t.file.Close())
	}
	go t.run()
	return t, nil
}

func setTimer(fd int, pace time.Duration) error {
	every := unix.NsecToTimespec(pace.Nanoseconds())
	return unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil)
}

// run passes each expiry on until the file is closed. Its reads never block, so
// that the runtime need not know of them.
func (t *kernelTicker) run() {
	defer close(t.done)
	var expiries uint64
	for {
		err := t.raw.Read(func(fd uintptr) bool {
			_, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&expiries)), unsafe.Sizeof(expiries))
			return errno != unix.EAGAIN
		})
		if err != nil {
			return
		}
		select {
		case t.c <- time.Now():
		default:
		}
	}
}

func (t *kernelTicker) Chan() <-chan time.Time { return t.c }

func (t *kernelTicker) Reset(pace time.Duration) {
	// It fails for a closed file only.
	_ = t.raw.Control(func(fd uintptr) { _ = setTimer(int(fd), pace) })
}

func (t *kernelTicker) Stop() {
	t.file.Close()
	<-t.done
}
