// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// enough is a time limit that something else ends before, even on a slow machine.
const enough = 30 * time.Second

// asProcess makes the test program itself a process that runs its arguments as the user in this variable.
const asProcess = "LVSHA_COMMAND_TEST_USER"

func TestMain(m *testing.M) {
	if user := os.Getenv(asProcess); user != "" {
		err := Run(context.Background(), Spec{Argv: os.Args[1:], User: user, Timeout: enough})
		fmt.Println(err)
		if err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// self is who runs the tests.
func self() string { return strconv.Itoa(os.Geteuid()) }

// shell is a script run by ourselves.
func shell(script string) Spec {
	return Spec{Argv: []string{"/bin/sh", "-c", script}, User: self(), Timeout: enough}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may become another user")
	}
}

// lifeline is a FIFO that a process keeps open for writing as long as it lives.
type lifeline struct {
	path string
	end  *os.File
}

func newLifeline(t *testing.T) lifeline {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lifeline")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	end, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	if err := end.SetReadDeadline(time.Now().Add(enough)); err != nil {
		t.Fatal(err)
	}
	return lifeline{path, end}
}

// read returns n bytes as soon as some process has written them.
func (l lifeline) read(t *testing.T, n int) string {
	t.Helper()
	b := make([]byte, n)
	for got := 0; got < n; {
		m, err := l.end.Read(b[got:])
		if err != nil && err != io.EOF { // EOF: nobody has opened it so far
			t.Fatalf("read from the process: %v", err)
		}
		got += m
	}
	return string(b)
}

// waitForEnd returns when no process has the lifeline.
func (l lifeline) waitForEnd(t *testing.T) {
	t.Helper()
	if _, err := io.Copy(io.Discard, l.end); err != nil {
		t.Errorf("a process that had the lifeline still lives: %v", err)
	}
}

// process returns the test program as a process that runs argv as user, see asProcess. Everybody may execute it.
func process(t *testing.T, user string, argv ...string) *exec.Cmd {
	t.Helper()
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "program")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, argv...)
	cmd.Env = []string{asProcess + "=" + user}
	return cmd
}
