// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// journaldPath is where Debian's package systemd has journald.
const journaldPath = "/lib/systemd/systemd-journald"

// journaldConfig keeps this journald away from the machine's kernel log, kernel
// audit and terminals.
const journaldConfig = `[Journal]
Storage=volatile
Audit=
ReadKMsg=no
ForwardToSyslog=no
ForwardToWall=no
ForwardToConsole=no
RateLimitIntervalSec=0
`

// machineID is the identity of the namespace's journal, not the machine's.
const machineID = "6c76732d68612d6a6f75726e616c2d74"

// TestJournald writes to a real journald in a mount namespace of its own and
// reads back with journalctl what it stored.
func TestJournald(t *testing.T) {
	if os.Getenv("LVSHA_LAYER") != "namespaces" {
		t.Skip("namespaces layer: run `make test-namespaces`")
	}
	enterMountNamespace(t)
	first := startJournald(t)
	stored := followJournal(t)
	h, fallback := open(t, SocketPath)
	log := slog.New(h).With(KeyInstance, "web")
	large := strings.Repeat("configuration line\n", 1<<15)

	log.Info("web: backup -> master (master down timer)", KeyFrom, "backup", KeyTo, "master",
		KeyReason, "master down timer", KeyMessageID, "0123456789abcdef0123456789abcdef")
	log.Error("www: probe failed", KeyVirtualServer, "www", KeyRealServer, "10.0.1.11:80",
		slog.Group("probe", "error", "line one\nline two"))
	log.Warn("reloaded", "diff", large)
	wantStored(t, stored, map[string]string{
		"MESSAGE": "web: backup -> master (master down timer)", "PRIORITY": "6", "SYSLOG_IDENTIFIER": "lvs-ha",
		"INSTANCE": "web", "FROM": "backup", "TO": "master", "REASON": "master down timer",
		"MESSAGE_ID": "0123456789abcdef0123456789abcdef",
	})
	wantStored(t, stored, map[string]string{
		"MESSAGE": "www: probe failed", "PRIORITY": "3", "SYSLOG_IDENTIFIER": "lvs-ha", "INSTANCE": "web",
		"VIRTUAL_SERVER": "www", "REAL_SERVER": "10.0.1.11:80", "PROBE_ERROR": "line one\nline two",
	})
	wantStored(t, stored, map[string]string{
		"MESSAGE": "reloaded", "PRIORITY": "4", "SYSLOG_IDENTIFIER": "lvs-ha", "INSTANCE": "web", "DIFF": large,
	})

	first.stop(t)
	log.Info("journald is away")
	startJournald(t)
	log.Info("journald is back")
	wantStored(t, stored, map[string]string{
		"MESSAGE": "journald is back", "PRIORITY": "6", "SYSLOG_IDENTIFIER": "lvs-ha", "INSTANCE": "web",
	})
	if got := fallback.String(); !strings.HasSuffix(got, " INFO  journald is away\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("fallback wrote %q, want the one record that journald missed", got)
	}
}

// TestNewUnderJournald opens stderr as systemd does for a service, a stream to
// journald named by $JOURNAL_STREAM, and expects the native protocol.
func TestNewUnderJournald(t *testing.T) {
	if os.Getenv("LVSHA_LAYER") != "namespaces" {
		t.Skip("namespaces layer: run `make test-namespaces`")
	}
	enterMountNamespace(t)
	startJournald(t)
	stored := followJournal(t)

	stream, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: "/run/systemd/journal/stdout", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	stderr, err := stream.File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stderr.Close() }()
	var st unix.Stat_t
	if err := unix.Fstat(int(stderr.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	h, err := New(stderr, func(string) string { return fmt.Sprintf("%d:%d", st.Dev, st.Ino) }, slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	if native, ok := h.(*Handler); ok {
		defer func() { _ = native.Close() }()
	}
	slog.New(h).Info("started", KeyInstance, "web")
	wantStored(t, stored, map[string]string{
		"MESSAGE": "started", "PRIORITY": "6", "SYSLOG_IDENTIFIER": "lvs-ha", "INSTANCE": "web",
	})
}

// enterMountNamespace gives the calling goroutine, and the processes it starts, a
// /run, /var/log and machine ID of their own. The thread ends with the goroutine.
func enterMountNamespace(t *testing.T) {
	t.Helper()
	for _, program := range []string{journaldPath, "journalctl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("this test needs Debian's package systemd: %v", err)
		}
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		t.Fatalf("make a mount namespace (root is needed): %v", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatalf("make mounts private: %v", err)
	}
	for _, dir := range []string{"/run", "/var/log"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Fatalf("mount tmpfs on %s: %v", dir, err)
		}
	}
	writeFile(t, "/run/machine-id", machineID+"\n")
	if err := unix.Mount("/run/machine-id", "/etc/machine-id", "", unix.MS_BIND, ""); err != nil {
		t.Fatalf("bind /etc/machine-id: %v", err)
	}
	writeFile(t, "/run/systemd/journald.conf.d/test.conf", journaldConfig)
}

// writeFile writes a file and makes its directory.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// process is a program in the test's namespace.
type process struct{ cmd *exec.Cmd }

// start starts cmd, to be ended at the latest when the test ends.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd}
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop ends the process, if it still runs.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if p.cmd.ProcessState != nil {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("end %s: %v", p.cmd.Path, err)
	}
	_ = p.cmd.Wait()
}

// startJournald starts journald and waits until it says that it is ready.
func startJournald(t *testing.T) *process {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = notify.Close() }()
	if err := notify.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(journaldPath)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+path)
	p := start(t, cmd)
	state := make([]byte, 4096)
	for {
		n, err := notify.Read(state)
		if err != nil {
			t.Fatalf("journald does not get ready: %v", err)
		}
		if strings.Contains("\n"+string(state[:n])+"\n", "\nREADY=1\n") {
			return p
		}
	}
}

// followJournal returns a reader of lvs-ha's records, one JSON object a line, as
// journald stores them.
func followJournal(t *testing.T) *bufio.Reader {
	t.Helper()
	cmd := exec.Command("journalctl", "--directory=/run/log/journal", "--follow", "--no-tail", "--all",
		"--output=json", "SYSLOG_IDENTIFIER="+Identifier)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	watchdog := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() { watchdog.Stop() })
	return bufio.NewReader(stdout)
}

// wantStored compares the next stored record, without the fields that journald
// adds itself.
func wantStored(t *testing.T, stored *bufio.Reader, want map[string]string) {
	t.Helper()
	line, err := stored.ReadBytes('\n')
	if err != nil {
		t.Fatalf("wait for record %q: %v", want["MESSAGE"], err)
	}
	var record map[string]any
	if err := json.Unmarshal(line, &record); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for name, value := range record {
		if !strings.HasPrefix(name, "_") {
			got[name] = fmt.Sprint(value)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored record (-want +got):\n%s", diff)
	}
}
