// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/topo"
	"github.com/lvs-ha/lvs-ha/integration/pair"
	"github.com/lvs-ha/lvs-ha/internal/control"
)

// node is a director on a segment.
type node struct {
	*segment
	name     string
	address  string
	priority int
	ns       netns.NsHandle
	mac      net.HardwareAddr
	state    string   // state_dir
	env      []string // beside that of the test
	log      *logbook
	cmd      *exec.Cmd     // the director; nil: not started
	ended    chan struct{} // closed when it has ended
}

func (s *segment) newNode(name string, host byte, priority int) *node {
	n := &node{
		segment: s, name: name, address: fmt.Sprintf("192.0.2.%d", host), priority: priority,
		ns: newNamespace(s.t), state: s.path(name), log: newLogbook(),
	}
	s.must(os.Mkdir(n.state, 0o700))
	s.t.Cleanup(func() {
		n.signal(syscall.SIGKILL, n.processes()...)
		if n.cmd != nil {
			<-n.ended
		}
		n.log.writers.Wait()
		if s.t.Failed() {
			s.t.Logf("log of %s:\n%s", name, n.log)
		}
	})
	return n
}

// configure writes the configuration: that of one instance, with further keys
// of it, and further tables.
func (n *node) configure(keys, tables string) {
	n.t.Helper()
	n.must(os.WriteFile(n.file(), fmt.Appendf(nil, `
[director]
name = %q
state_dir = %q

[[vrrp]]
name = "web"
interface = %q
vrid = 51
%s
%s
`, n.name, n.state, segmentIf, n.defaults(keys), tables), 0o600))
}

// defaults adds what keys do not say.
func (n *node) defaults(keys string) string {
	if !strings.Contains(keys, "priority =") {
		keys += fmt.Sprintf("\npriority = %d", n.priority)
	}
	if !strings.Contains(keys, "addresses =") {
		keys += fmt.Sprintf("\naddresses = [\"%s/24\"]", virtual)
	}
	return keys
}

func (n *node) file() string { return n.state + ".toml" }

// start runs the daemon.
func (n *node) start() {
	n.t.Helper()
	path, err := filepath.Abs(program)
	n.must(err)
	// The speaker may outlive the director and writes to the same place: the
	// end of the one is not the end of the log.
	r, w, err := os.Pipe()
	n.must(err)
	cmd := exec.Command(path, "run", "-c", n.file())
	cmd.Stdout, cmd.Stderr = w, w
	cmd.Env = append(os.Environ(), n.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = topo.Within(n.ns, cmd.Start)
	w.Close()
	n.must(err)
	n.log.writers.Go(func() { n.log.copy(r) })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ends is the test's doing
	}()
	n.cmd, n.ended = cmd, ended
}

// director returns the director's process.
func (n *node) director() int { return n.cmd.Process.Pid }

// status asks the daemon.
func (n *node) status() (control.Status, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), 5*time.Second)
	defer cancel()
	return control.NewClient(control.SocketPath(n.state)).Status(ctx)
}

// speaker returns the speaker's process; it waits for there being one.
func (n *node) speaker() (pid int) {
	n.t.Helper()
	n.poll("a speaker on "+n.name, func() bool {
		s, err := n.status()
		pid = s.SpeakerPID
		return err == nil && pid != 0
	})
	return pid
}

// instance returns the daemon's word on its instance.
func (n *node) instance() control.Instance {
	n.t.Helper()
	s, err := n.status()
	n.must(err)
	if len(s.Instances) != 1 {
		n.t.Fatalf("%d instances on %s", len(s.Instances), n.name)
	}
	return s.Instances[0]
}

// order runs an lvs-ha command as an operator does, and returns what it says.
func (n *node) order(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, append(args, "-s", n.state)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (n *node) mustOrder(args ...string) {
	n.t.Helper()
	if out, err := n.order(args...); err != nil {
		n.t.Fatalf("lvs-ha %s on %s: %v: %s", strings.Join(args, " "), n.name, err, out)
	}
}

// stop ends the daemon in the way of a service manager.
func (n *node) stop() {
	n.t.Helper()
	n.signal(syscall.SIGTERM, n.director())
	n.gone()
}

// gone waits until nothing of the daemon is left.
func (n *node) gone() {
	n.t.Helper()
	n.poll("the end of all processes of "+n.name, func() bool { return len(n.processes()) == 0 })
	<-n.ended
}

// signal sends a signal to processes, one at once after the other.
func (n *node) signal(sig syscall.Signal, pids ...int) {
	n.t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			n.t.Errorf("send %v to process %d of %s: %v", sig, pid, n.name, err)
		}
	}
}

// fail kills all processes as one: none notices the end of another.
func (n *node) fail() {
	n.t.Helper()
	all := n.processes()
	n.signal(syscall.SIGSTOP, all...)
	n.signal(syscall.SIGKILL, all...)
	n.gone()
}

// processes returns what runs in the node's namespace.
func (n *node) processes() []int {
	var mine, theirs unix.Stat_t
	n.must(unix.Fstat(int(n.ns), &mine))
	entries, err := os.ReadDir("/proc")
	n.must(err)
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || unix.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &theirs) != nil {
			continue // no process, or one that has ended
		}
		if mine.Ino == theirs.Ino && mine.Dev == theirs.Dev {
			pids = append(pids, pid)
		}
	}
	return pids
}

// poll waits for what no event tells of.
func (s *segment) poll(what string, holds func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	s.must(pair.Wait(ctx, what, func() (bool, error) { return holds(), nil }))
}

// logbook collects what processes write. It is safe for concurrent use.
type logbook struct {
	writers sync.WaitGroup
	mu      sync.Mutex
	lines   []string
	more    chan struct{} // closed and replaced at each line
}

func newLogbook() *logbook { return &logbook{more: make(chan struct{})} }

func (l *logbook) copy(r *os.File) {
	defer r.Close()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		l.mu.Lock()
		l.lines = append(l.lines, lines.Text())
		close(l.more)
		l.more = make(chan struct{})
		l.mu.Unlock()
	}
}

// mark returns the place that since reads from.
func (l *logbook) mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

// since returns the lines after a mark that contain text.
func (l *logbook) since(mark int, text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, line := range l.lines[mark:] {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// String returns everything.
func (l *logbook) String() string { return strings.Join(l.since(0, ""), "\n") }

// waitLog waits for a line after a mark that contains text.
func (n *node) waitLog(mark int, text string) {
	n.t.Helper()
	late := time.After(patience)
	for {
		n.log.mu.Lock()
		more := n.log.more
		n.log.mu.Unlock()
		if len(n.log.since(mark, text)) > 0 {
			return
		}
		select {
		case <-more:
		case <-late:
			n.t.Fatalf("%s did not say %q", n.name, text)
		}
	}
}
