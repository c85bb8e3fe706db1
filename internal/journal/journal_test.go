// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNewChoosesHandler(t *testing.T) {
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stderr.Close() }()
	var st unix.Stat_t
	if err := unix.Fstat(int(stderr.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		stream string
		native bool
	}{
		{"unset", "", false},
		{"stderr is the journal", fmt.Sprintf("%d:%d", st.Dev, st.Ino), true},
		{"stderr was redirected", fmt.Sprintf("%d:%d", st.Dev, st.Ino+1), false},
		{"other device", fmt.Sprintf("%d:%d", st.Dev+1, st.Ino), false},
		{"no inode", fmt.Sprintf("%d", st.Dev), false},
		{"not a device", fmt.Sprintf("x:%d", st.Ino), false},
		{"not an inode", fmt.Sprintf("%d:-1", st.Dev), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			getenv := func(key string) string {
				return map[string]string{"JOURNAL_STREAM": tt.stream}[key]
			}
			h, err := New(stderr, getenv, slog.LevelInfo)
			if err != nil {
				t.Fatal(err)
			}
			native, ok := h.(*Handler)
			if ok != tt.native {
				t.Errorf("New returned a %T", h)
			}
			if ok {
				_ = native.Close()
			}
		})
	}
}

// TestFallbackOnJournalStream: the stream that stderr is neither blocks when
// nobody reads it nor ends the process when nobody can.
func TestFallbackOnJournalStream(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	stderr, journald := os.NewFile(uintptr(fds[0]), "stderr"), os.NewFile(uintptr(fds[1]), "journald")
	defer func() { _ = stderr.Close() }()
	h := NewTextHandler(nonBlocking{stderr}, slog.LevelInfo)

	slog.New(h).Info("journald is away")
	buffer := make([]byte, 256)
	n, err := journald.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	if line := string(buffer[:n]); !strings.HasSuffix(line, " INFO  journald is away\n") {
		t.Errorf("stream carries %q", line)
	}

	full := []byte(strings.Repeat("x", 1<<16))
	for err = nil; err == nil; {
		_, err = nonBlocking{stderr}.Write(full)
	}
	if !errors.Is(err, unix.EAGAIN) {
		t.Errorf("write to a full stream: %v, want %v", err, unix.EAGAIN)
	}
	if err := journald.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := (nonBlocking{stderr}).Write(full); !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("write to a closed stream: %v, want %v or %v", err, unix.EPIPE, unix.ECONNRESET)
	}
}

func TestFallbackOnFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stderr")
	stderr, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stderr.Close() }()
	if _, err := (nonBlocking{stderr}).Write([]byte("line\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "line\n" {
		t.Errorf("file holds %q, %v", got, err)
	}
}
