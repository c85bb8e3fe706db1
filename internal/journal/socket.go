// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket sends records to journald. It is not connected: each record looks the
// path up again, so that a journald which was restarted is found.
type socket struct {
	file *os.File
	conn syscall.RawConn
	to   *unix.SockaddrUnix
}

// openSocket returns a socket that sends to path.
func openSocket(path string) (*socket, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open datagram socket to %s: %w", path, err)
	}
	file := os.NewFile(uintptr(fd), path)
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("use datagram socket to %s: %w", path, err), file.Close())
	}
	return &socket{file: file, conn: conn, to: &unix.SockaddrUnix{Name: path}}, nil
}

// close ends the socket; later sends fail.
func (s *socket) close() error {
	return s.file.Close()
}

// send sends one encoded record, never waiting: as a datagram or, if it is too
// large for one, in a sealed memory file whose descriptor is the message.
func (s *socket) send(record []byte) error {
	err := s.sendmsg(record, nil)
	if !errors.Is(err, unix.EMSGSIZE) && !errors.Is(err, unix.ENOBUFS) {
		return err
	}
	file, err := sealed(record)
	if err != nil {
		return fmt.Errorf("put record of %d bytes in a memory file: %w", len(record), err)
	}
	err = s.sendmsg(nil, unix.UnixRights(int(file.Fd())))
	return errors.Join(err, file.Close())
}

// sendmsg sends one datagram if journald has room for it now.
func (s *socket) sendmsg(data, control []byte) error {
	var sendErr error
	err := s.conn.Write(func(fd uintptr) bool {
		sendErr = unix.Sendmsg(int(fd), data, control, s.to, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		return true
	})
	if err != nil {
		return fmt.Errorf("send to %s: %w", s.to.Name, err)
	}
	if sendErr != nil {
		return fmt.Errorf("send to %s: %w", s.to.Name, sendErr)
	}
	return nil
}

// sealed returns a memory file that holds data and can no longer be changed, which
// is the only kind that journald maps without a copy and from any sender.
func sealed(data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("lvs-ha-journal", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "lvs-ha-journal")
	if _, err := file.Write(data); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, errors.Join(fmt.Errorf("seal: %w", err), file.Close())
	}
	return file, nil
}
