// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// nonBlocking writes to a stderr that is a stream to journald. A write to it
// must neither wait for a journald that hangs nor raise SIGPIPE, which the Go
// runtime lets end the process, when journald is gone.
type nonBlocking struct {
	file *os.File
}

// Write writes what the stream takes at once.
func (w nonBlocking) Write(p []byte) (int, error) {
	conn, err := w.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var sendErr error
	if err := conn.Control(func(fd uintptr) {
		n, sendErr = unix.SendmsgN(int(fd), p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	}); err != nil {
		return 0, err
	}
	if errors.Is(sendErr, unix.ENOTSOCK) {
		return w.file.Write(p)
	}
	return n, sendErr
}
