// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// listen stands in for journald on a socket of its own.
func listen(t *testing.T) (path string, journald *net.UnixConn) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "socket")
	journald, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = journald.Close() })
	if err := journald.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return path, journald
}

// open returns a native handler for path and what its fallback writes.
func open(t *testing.T, path string) (*Handler, *bytes.Buffer) {
	t.Helper()
	var fallback bytes.Buffer
	h, err := NewHandler(path, slog.LevelInfo, NewTextHandler(&fallback, slog.LevelInfo))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h, &fallback
}

// receive returns the fields of the next record, and whether it came as a memory file.
func receive(t *testing.T, journald *net.UnixConn) (fields []field, memfd bool) {
	t.Helper()
	data, control := make([]byte, 1<<20), make([]byte, 256)
	n, controlLen, _, _, err := journald.ReadMsgUnix(data, control)
	if err != nil {
		t.Fatal(err)
	}
	record := data[:n]
	if controlLen > 0 {
		record, memfd = readSealed(t, control[:controlLen]), true
	}
	fields, err = decode(record)
	if err != nil {
		t.Fatal(err)
	}
	return fields, memfd
}

// readSealed reads the memory file whose descriptor is in control, and fails
// unless it is sealed as journald wants it.
func readSealed(t *testing.T, control []byte) []byte {
	t.Helper()
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fds[0]), "memfd")
	defer func() { _ = file.Close() }()
	seals, err := unix.FcntlInt(file.Fd(), unix.F_GET_SEALS, 0)
	if err != nil {
		t.Fatal(err)
	}
	if want := unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL; seals != want {
		t.Errorf("seals = %#x, want %#x", seals, want)
	}
	data, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestHandlerSendsFields(t *testing.T) {
	path, journald := listen(t)
	h, fallback := open(t, path)
	log := slog.New(h).With(KeyInstance, "web")

	log.Debug("not kept")
	log.WithGroup("probe").With("type", "http").Warn("web: backup -> master (master down timer)",
		slog.Group("status", "code", 503), "body", "two\nlines")

	got, memfd := receive(t, journald)
	want := []field{
		{"PRIORITY", "4"},
		{"SYSLOG_IDENTIFIER", "lvs-ha"},
		{"MESSAGE", "web: backup -> master (master down timer)"},
		{"INSTANCE", "web"},
		{"PROBE_TYPE", "http"},
		{"PROBE_STATUS_CODE", "503"},
		{"PROBE_BODY", "two\nlines"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if memfd {
		t.Error("a small record came as a memory file")
	}
	if fallback.Len() > 0 {
		t.Errorf("fallback wrote %q", fallback)
	}
}

func TestHandlerSendsLargeRecordAsSealedFile(t *testing.T) {
	path, journald := listen(t)
	h, _ := open(t, path)
	large := strings.Repeat("configuration line\n", 1<<15)
	slog.New(h).Info("reloaded", "diff", large)

	got, memfd := receive(t, journald)
	want := []field{{"PRIORITY", "6"}, {"SYSLOG_IDENTIFIER", "lvs-ha"}, {"MESSAGE", "reloaded"}, {"DIFF", large}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if !memfd {
		t.Errorf("a record of %d bytes came as a datagram", len(large))
	}
}

func TestHandlerDerivedFromOneAnotherDoNotMix(t *testing.T) {
	path, journald := listen(t)
	h, _ := open(t, path)
	base := slog.New(h).With("a", 1)
	left, right := base.With("left", 2), base.With("right", 3)
	left.Info("left")
	right.Info("right")

	for _, want := range []field{{"LEFT", "2"}, {"RIGHT", "3"}} {
		got, _ := receive(t, journald)
		if diff := cmp.Diff([]field{{"A", "1"}, want}, got[3:]); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
	}
}

func TestHandlerFallsBackWhenJournald(t *testing.T) {
	for _, tt := range []struct {
		name    string
		disturb func(t *testing.T, path string, journald *net.UnixConn, h *Handler)
	}{
		{"was never there", func(t *testing.T, path string, _ *net.UnixConn, _ *Handler) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}},
		{"died and left its socket", func(t *testing.T, _ string, journald *net.UnixConn, _ *Handler) {
			if err := journald.Close(); err != nil {
				t.Fatal(err)
			}
		}},
		{"hangs with a full queue", func(t *testing.T, _ string, _ *net.UnixConn, h *Handler) {
			for h.socket.send([]byte("MESSAGE=fill\n")) == nil {
				continue
			}
		}},
		{"socket is closed", func(t *testing.T, _ string, _ *net.UnixConn, h *Handler) {
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, journald := listen(t)
			h, fallback := open(t, path)
			tt.disturb(t, path, journald, h)
			slog.New(h).With(KeyInstance, "web").WithGroup("probe").Error("gone", "type", "tcp")
			if want := "ERROR gone probe.type=tcp\n"; !strings.HasSuffix(fallback.String(), want) {
				t.Errorf("fallback wrote %q, want a line that ends in %q", fallback, want)
			}
		})
	}
}

func TestHandlerFindsRestartedJournald(t *testing.T) {
	path, journald := listen(t)
	h, fallback := open(t, path)
	if err := journald.Close(); err != nil {
		t.Fatal(err)
	}
	slog.New(h).Info("while it is away")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	restarted, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = restarted.Close() }()
	slog.New(h).Info("after its return")

	if got, _ := receive(t, restarted); got[2] != (field{"MESSAGE", "after its return"}) {
		t.Errorf("first record after the restart is %v", got)
	}
	if n := strings.Count(fallback.String(), "\n"); n != 1 {
		t.Errorf("fallback wrote %d lines, want 1: %q", n, fallback)
	}
}

// TestHandlerObeysSlog runs the standard library's rules for handlers, with group
// names told from keys by their case.
func TestHandlerObeysSlog(t *testing.T) {
	path, journald := listen(t)
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		h, _ := open(t, path)
		return h
	}, func(t *testing.T) map[string]any {
		fields, _ := receive(t, journald)
		result := map[string]any{slog.LevelKey: fields[0].Value, slog.MessageKey: fields[2].Value}
		if !strings.HasSuffix(t.Name(), "/zero-time") {
			result[slog.TimeKey] = "the time that journald stamps"
		}
		for _, f := range fields[3:] {
			insert(result, strings.Split(f.Name, "_"), f.Value)
		}
		return result
	})
}

// insert puts value under the groups and the key that path names.
func insert(m map[string]any, path []string, value string) {
	for ; len(path) > 1; path = path[1:] {
		inner, ok := m[path[0]].(map[string]any)
		if !ok {
			inner = make(map[string]any)
			m[path[0]] = inner
		}
		m = inner
	}
	m[strings.ToLower(path[0])] = value
}
