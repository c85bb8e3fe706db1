// SPDX-License-Identifier: Apache-2.0

package vm_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/vm"
)

// eachKind runs a test with each kind of machine, in the kernel layer.
func eachKind(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if os.Getenv("LVSHA_LAYER") != "kernel" {
		t.Skip("kernel layer: run `make test-kernel`")
	}
	for _, kind := range []string{"uml", "qemu"} {
		t.Run(kind, func(t *testing.T) {
			t.Setenv("LVSHA_LAB_VM", kind)
			test(t)
		})
	}
}

// outcome is what came out of a machine.
type outcome struct {
	Exit           int
	Err            string
	Stdout, Stderr string
}

func runVM(t *testing.T, opt vm.Options, argv ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	opt.Stdout, opt.Stderr, opt.Log = &stdout, &stderr, t.Output()
	if opt.Timeout == 0 {
		opt.Timeout = 2 * time.Minute
	}
	exit, err := vm.Run(t.Context(), opt, argv...)
	o := outcome{Exit: exit, Stdout: stdout.String(), Stderr: stderr.String()}
	if err != nil {
		o.Err = err.Error()
	}
	return o
}

func TestRun(t *testing.T) { eachKind(t, testRun) }

func testRun(t *testing.T) {
	t.Setenv("LAB_TEST", "a 'b'\n\"c\"")
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		argv []string
		want outcome
	}{
		{"exit code, both outputs apart", []string{"sh", "-c", "echo out; echo err >&2; exit 7"}, outcome{Exit: 7, Stdout: "out\n", Stderr: "err\n"}},
		{"ended by a signal", []string{"sh", "-c", "kill -9 $$"}, outcome{Exit: 128 + 9}},
		{"not found", []string{"no-such-program"}, outcome{Exit: 127,
			Err: `virtual machine: run no-such-program: exec: "no-such-program": executable file not found in $PATH`}},
		{"not a program", []string{"/etc/passwd"}, outcome{Exit: 126,
			Err: `virtual machine: run /etc/passwd: exec: "/etc/passwd": permission denied`}},
		{"environment, directory, arguments", []string{"sh", "-c", `printf '%s|' "$LAB_TEST" "$PWD" "$@"`, "sh", "", "x y", "é\n"},
			outcome{Stdout: "a 'b'\n\"c\"|" + cwd + "||x y|é\n|"}},
		{"a process left behind does not hold it up", []string{"sh", "-c", "sleep 1000 & echo done"}, outcome{Stdout: "done\n"}},
		{"an ordinary system", []string{"sh", "-ec", `cat
			! test -t 1 && ! test -t 2
			test $(ulimit -n) -ge 500000
			test -c /dev/net/tun -a -c /dev/ptmx -a -d /dev/shm -a -e /dev/fd/0
			hostname; cat /sys/class/net/lo/operstate`},
			outcome{Stdout: "lab\nunknown\n"}},
		{"init refuses to be anything but process 1", []string{"/proc/1/exe"},
			outcome{Exit: 1, Stderr: "init: not process 1: this program only runs inside the lab's virtual machine\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := runVM(t, vm.Options{}, tt.argv...)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunHasIPVS(t *testing.T) { eachKind(t, testRunHasIPVS) }

func testRunHasIPVS(t *testing.T) {
	got := runVM(t, vm.Options{}, "sh", "-ec", "ipvsadm -A -t 192.0.2.1:80 -s wlc; ipvsadm -a -t 192.0.2.1:80 -r 127.0.0.1 -m -w 3; ipvsadm -Sn")
	want := outcome{Stdout: "-A -t 192.0.2.1:80 -s wlc\n-a -t 192.0.2.1:80 -r 127.0.0.1:80 -m -w 3\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

// TestRunPassesBytes sends 5 MB of arbitrary bytes out of the machine.
func TestRunPassesBytes(t *testing.T) { eachKind(t, testRunPassesBytes) }

func testRunPassesBytes(t *testing.T) {
	const size = 5 << 20
	file := filepath.Join(t.TempDir(), "bytes")
	seed := [32]byte{1}
	data, err := io.ReadAll(io.LimitReader(rand.NewChaCha8(seed), size))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	got := runVM(t, vm.Options{}, "cat", file)
	if got.Exit != 0 || got.Err != "" || got.Stderr != "" {
		t.Fatalf("exit code %d, error %q, stderr %q", got.Exit, got.Err, got.Stderr)
	}
	if want, sum := sha256.Sum256(data), sha256.Sum256([]byte(got.Stdout)); want != sum || len(got.Stdout) != size {
		t.Errorf("got %d bytes with sum %x, want %d with %x", len(got.Stdout), sum, size, want)
	}
}

// TestRunWritesNothingElse checks which of the host's folders the guest can change.
func TestRunWritesNothingElse(t *testing.T) { eachKind(t, testRunWritesNothingElse) }

func testRunWritesNothingElse(t *testing.T) {
	private, writable := t.TempDir(), t.TempDir()
	build, err := filepath.Abs("../../../build/lab")
	if err != nil {
		t.Fatal(err)
	}
	mark := fmt.Sprintf("vm-test-%d", os.Getpid())
	t.Cleanup(func() { os.Remove(filepath.Join(build, mark)) })
	var script strings.Builder
	folders := []string{private, "/etc", "/run", "/dev/shm", "/var/tmp", "/usr/lib/uml/modules", build, writable}
	for _, dir := range folders {
		fmt.Fprintf(&script, "echo x >%s/%s\n", dir, mark)
	}
	if got := runVM(t, vm.Options{Writable: []string{writable}}, "sh", "-ec", script.String()); got != (outcome{}) {
		t.Fatalf("writing in the guest: %+v", got)
	}
	reached := map[string]bool{}
	for _, dir := range folders {
		_, err := os.Lstat(filepath.Join(dir, mark))
		reached[dir] = err == nil
	}
	want := map[string]bool{private: false, "/etc": false, "/run": false, "/dev/shm": false, "/var/tmp": false,
		"/usr/lib/uml/modules": false, build: true, writable: true}
	if diff := cmp.Diff(want, reached); diff != "" {
		t.Errorf("folders of the host that were written (-want +got):\n%s", diff)
	}
}

func TestRunTimeout(t *testing.T) { eachKind(t, testRunTimeout) }

func testRunTimeout(t *testing.T) {
	got := runVM(t, vm.Options{Timeout: 15 * time.Second}, "sleep", "1000")
	want := outcome{Exit: vm.ExitTimeout, Err: "virtual machine: sleep did not end within the time limit of 15s"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

// TestRunMachineDies gives the machine too little memory to boot.
func TestRunMachineDies(t *testing.T) { eachKind(t, testRunMachineDies) }

func testRunMachineDies(t *testing.T) {
	memory := map[string]string{"uml": "8M", "qemu": "32M"}[os.Getenv("LVSHA_LAB_VM")]
	got := runVM(t, vm.Options{Memory: memory}, "true")
	if got.Exit != vm.ExitMachine || !strings.Contains(got.Err, "before true had ended; its console:\n") {
		t.Errorf("got exit code %d, error %q", got.Exit, got.Err)
	}
}

// TestRunPassesSignals ends a command that catches the signal, then a machine whose command does not.
func TestRunPassesSignals(t *testing.T) { eachKind(t, testRunPassesSignals) }

func testRunPassesSignals(t *testing.T) {
	tests := []struct {
		name, script string
		signals      []os.Signal
		want         outcome
	}{
		{"caught", "trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.1; done", []os.Signal{syscall.SIGTERM},
			outcome{Exit: 3, Stdout: "ready\ncaught\n"}},
		{"ignored, then insisted on", "trap '' INT; echo ready; while :; do sleep 0.1; done", []os.Signal{syscall.SIGINT, syscall.SIGINT},
			outcome{Exit: vm.ExitMachine, Stdout: "ready\n", Err: "virtual machine: stopped by a second signal"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			signals := make(chan os.Signal, len(tt.signals))
			out := &onFirstWrite{do: func() {
				for _, s := range tt.signals {
					signals <- s
				}
			}}
			exit, err := vm.Run(t.Context(), vm.Options{Timeout: 2 * time.Minute, Stdout: out, Log: t.Output(), Signals: signals}, "sh", "-c", tt.script)
			got := outcome{Exit: exit, Stdout: out.text.String()}
			if err != nil {
				got.Err, _, _ = strings.Cut(err.Error(), " (")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

// onFirstWrite collects text and does something when the first arrives.
type onFirstWrite struct {
	do   func()
	text bytes.Buffer
}

func (w *onFirstWrite) Write(p []byte) (int, error) {
	if w.text.Len() == 0 {
		w.do()
	}
	return w.text.Write(p)
}

// TestKilledRunLeavesNoMachine kills the program that runs a machine, and waits for the machine's processes to end.
func TestKilledRunLeavesNoMachine(t *testing.T) { eachKind(t, testKilledRunLeavesNoMachine) }

func testKilledRunLeavesNoMachine(t *testing.T) {
	lab := filepath.Join(t.TempDir(), "lab")
	if out, err := exec.Command("go", "build", "-o", lab, "..").CombinedOutput(); err != nil {
		t.Fatalf("build lab: %v\n%s", err, out)
	}
	cmd := exec.Command(lab, "vm", "sh", "-c", "echo ready; sleep 1000")
	jobs := t.TempDir()
	cmd.Env = append(os.Environ(), "TMPDIR="+jobs)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	machine := openProcesses(t, jobs)
	if len(machine) == 0 {
		t.Fatal("found no process of the machine: the test looks in the wrong place")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	for pid, fd := range machine {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(poll, int(time.Minute.Milliseconds())); n == 0 || err != nil {
			t.Errorf("process %d of the machine still runs (%v)", pid, err)
		}
	}
}

// openProcesses opens the processes that have text in their command line, by number.
func openProcesses(t *testing.T, text string) map[int]int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	fds := map[int]int{}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(line, []byte(text)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // ended meanwhile
		}
		t.Cleanup(func() { unix.Close(fd) })
		fds[pid] = fd
	}
	return fds
}

// TestRerunIfNeeded runs this test again in the machine.
func TestRerunIfNeeded(t *testing.T) { eachKind(t, testRerunIfNeeded) }

func testRerunIfNeeded(t *testing.T) {
	const marker = "LAB_TEST_RERUN"
	if os.Getenv(marker) != "" {
		vm.RerunIfNeeded(vm.Options{Timeout: 2 * time.Minute})
		fmt.Printf("in guest: %v\n", vm.InGuest())
		os.Exit(5)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRerunIfNeeded$/^"+os.Getenv("LVSHA_LAB_VM")+"$")
	cmd.Env = append(os.Environ(), marker+"=1")
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 5 {
		t.Fatalf("got %v, want exit code 5", err)
	}
	if want := fmt.Sprintf("in guest: %v\n", vm.InGuest()); !vm.InGuest() && string(out) == want {
		t.Errorf("the program ran on the host's kernel")
	}
}
