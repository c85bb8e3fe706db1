// SPDX-License-Identifier: Apache-2.0

// Package journal writes slog records where the operator of a Linux daemon
// reads them: to systemd-journald in its native protocol, each attribute as a
// journal field, or as text lines where there is no journal.
//
// The native protocol is described in systemd's docs/JOURNAL_NATIVE_PROTOCOL.md.
package journal

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// SocketPath is where systemd-journald receives records in its native protocol.
const SocketPath = "/run/systemd/journal/socket"

// Identifier is the SYSLOG_IDENTIFIER of every record: what journalctl -t selects by.
const Identifier = "lvs-ha"

// Attribute keys with a fixed meaning. Each becomes the journal field of the
// same name in upper case, so that `journalctl INSTANCE=web` finds its records.
const (
	// KeyInstance is the name of a VRRP instance.
	KeyInstance = "instance"
	// KeyVirtualServer is the name of a virtual server.
	KeyVirtualServer = "virtual_server"
	// KeyRealServer is the address and port of a real server.
	KeyRealServer = "real_server"
	// KeyFrom is the state or value before a change.
	KeyFrom = "from"
	// KeyTo is the state or value after a change.
	KeyTo = "to"
	// KeyReason says why something changed.
	KeyReason = "reason"
	// KeyMessageID tells the kind of event: 32 lower-case hexadecimal digits,
	// the key of the journal's message catalog. Text lines leave it out.
	KeyMessageID = "message_id"
)

// New returns the handler that fits stderr: one for journald's native protocol
// if $JOURNAL_STREAM, looked up with getenv, says that stderr is connected to the
// journal (systemd.exec(5)), else one that writes text lines to stderr.
// Records below level, which must not be nil, are discarded.
func New(stderr *os.File, getenv func(string) string, level slog.Leveler) (slog.Handler, error) {
	if !isStream(stderr, getenv("JOURNAL_STREAM")) {
		return NewTextHandler(stderr, level), nil
	}
	h, err := NewHandler(SocketPath, level, NewTextHandler(nonBlocking{stderr}, level))
	if err != nil {
		return nil, fmt.Errorf("log to the journal: %w", err)
	}
	return h, nil
}

// isStream reports whether stream, "device:inode" in decimal, names the file f.
func isStream(f *os.File, stream string) bool {
	device, inode, found := strings.Cut(stream, ":")
	if !found {
		return false
	}
	dev, err := strconv.ParseUint(device, 10, 64)
	if err != nil {
		return false
	}
	ino, err := strconv.ParseUint(inode, 10, 64)
	if err != nil {
		return false
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var st unix.Stat_t
	var statErr error
	if err := conn.Control(func(fd uintptr) { statErr = unix.Fstat(int(fd), &st) }); err != nil || statErr != nil {
		return false
	}
	return st.Dev == dev && st.Ino == ino
}
