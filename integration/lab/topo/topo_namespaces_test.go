// SPDX-License-Identifier: Apache-2.0

package topo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/topo"
)

// namespacesLayer skips a test that builds a lab, unless that layer is asked for.
func namespacesLayer(t *testing.T) {
	t.Helper()
	if os.Getenv("LVSHA_LAYER") != "namespaces" {
		t.Skip("namespaces layer: run `make test-namespaces`")
	}
	if os.Geteuid() != 0 {
		t.Fatal("this layer needs root")
	}
}

// twoHosts is a topology with two hosts on a bridge. Its lab is named after the test's process.
const twoHosts = `
name: %s
topology:
  kinds:
    linux:
      env: {GREETING: hello}
  nodes:
    sw: {kind: bridge}
    a:
      kind: linux
      binds:
        - shared.txt:/etc/lab-test/one.txt:ro
        - .:/lab-test/deep/folder
        - shared.txt:/run/lab-test.txt
      exec:
        - ip address add 192.0.2.1/24 dev eth1
        - sh -c "echo $GREETING >/run/said"
      cmd: sh -c "echo main process; exec sleep 1000"
    b:
      kind: linux
      exec:
        - ip address add 192.0.2.2/24 dev eth1
  links:
    - endpoints: ["a:eth1", "sw:p1"]
      mtu: 1400
    - type: veth
      endpoints:
        - {node: b, interface: eth1, mac: "02:00:00:00:00:0b"}
        - {node: sw, interface: p2}
`

// write writes a topology file and the file it binds, and returns the lab's name with it.
func write(t *testing.T, text string) (file, lab string) {
	t.Helper()
	dir := t.TempDir()
	lab = fmt.Sprintf("labtest-%d-%s", os.Getpid(), strings.ToLower(t.Name()))
	file = filepath.Join(dir, "t.clab.yml")
	for name, text := range map[string]string{"t.clab.yml": fmt.Sprintf(text, lab), "shared.txt": "shared\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return file, lab
}

// up brings a lab up for the length of the test.
func up(t *testing.T, file string) *topo.Lab {
	t.Helper()
	topology, err := topo.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	l, err := topology.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// output runs a shell script in a node.
func output(t *testing.T, n *topo.Node, script string) string {
	t.Helper()
	out, err := n.Command(t.Context(), "sh", "-ec", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// traces returns what is left of a lab on the host.
func traces(t *testing.T, lab string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"/run/netns/clab-" + lab + "-*", "/run/lvs-ha-lab/" + lab, "/run/lvs-ha-lab/." + lab + ".lock"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, files...)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, lab) {
			found = append(found, line)
		}
	}
	return found
}

func TestNodesAreApart(t *testing.T) {
	namespacesLayer(t)
	file, lab := write(t, twoHosts)
	l := up(t, file)
	a, b := l.Node("a"), l.Node("b")

	show := `hostname; cat /run/said 2>/dev/null || echo nothing said; ls /run; ls /sys/class/net; echo "$GREETING"`
	if diff := cmp.Diff("a\nhello\nlab-test.txt\nsaid\neth1\nlo\nhello\n", output(t, a, show)); diff != "" {
		t.Errorf("node a (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("b\nnothing said\neth1\nlo\nhello\n", output(t, b, show)); diff != "" {
		t.Errorf("node b (-want +got):\n%s", diff)
	}
	if got := output(t, b, "grep nsfs /proc/self/mountinfo || true"); got != "" {
		t.Errorf("node b would keep other nodes' namespaces alive:\n%s", got)
	}
	if l.Node("c") != nil {
		t.Error("there is a node that the file does not have")
	}
	if want := "clab-" + lab + "-a"; a.NetNS() != want {
		t.Errorf("network namespace of a is called %s, want %s", a.NetNS(), want)
	}
	out, err := exec.Command("ip", "-n", a.NetNS(), "-br", "link", "show", "dev", "lo").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("LOOPBACK,UP")) {
		t.Errorf("lo of a: %v\n%s", err, out)
	}
}

func TestLinks(t *testing.T) {
	namespacesLayer(t)
	file, _ := write(t, twoHosts)
	l := up(t, file)
	facts := func(node, iface string) string {
		return output(t, l.Node(node), "cd /sys/class/net/"+iface+"; cat mtu; readlink master || echo none")
	}
	if diff := cmp.Diff("1400\nnone\n", facts("a", "eth1")); diff != "" {
		t.Errorf("mtu and master of a:eth1 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("1400\n../sw\n", facts("sw", "p1")); diff != "" {
		t.Errorf("mtu and master of sw:p1 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("9500\n../sw\n", facts("sw", "p2")); diff != "" {
		t.Errorf("mtu and master of sw:p2 (-want +got):\n%s", diff)
	}
	if got := output(t, l.Node("b"), "cat /sys/class/net/eth1/address"); got != "02:00:00:00:00:0b\n" {
		t.Errorf("address of b:eth1 is %s", got)
	}
	if got := output(t, l.Node("sw"), "cd /sys/class/net/sw/bridge; cat forward_delay stp_state"); got != "0\n0\n" {
		t.Errorf("forward delay and STP of the bridge are %s", got)
	}
}

// TestDo sends a TCP connection across the bridge, between sockets that this process has in two nodes.
func TestDo(t *testing.T) {
	namespacesLayer(t)
	file, _ := write(t, twoHosts)
	l := up(t, file)
	runtime.LockOSThread() // to see where Do leaves the thread
	defer runtime.UnlockOSThread()
	before := ownNetNS(t)
	var listener net.Listener
	err := l.Node("a").Do(func() (err error) {
		listener, err = net.Listen("tcp", "192.0.2.1:7")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() {
		c, err := listener.Accept()
		if err == nil {
			_, err = io.WriteString(c, "across")
			err = errors.Join(err, c.Close())
		}
		served <- err
	}()
	err = l.Node("b").Do(func() error {
		var d net.Dialer
		c, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:7")
		if err != nil {
			return err
		}
		defer c.Close()
		text, err := io.ReadAll(c)
		if err == nil && string(text) != "across" {
			err = fmt.Errorf("read %q", text)
		}
		return err
	})
	if err := errors.Join(err, <-served); err != nil {
		t.Error(err)
	}
	failed := errors.New("failed")
	if err := l.Node("a").Do(func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("Do returns %v, want its function's error", err)
	}
	if after := ownNetNS(t); before != after {
		t.Errorf("Do has left its thread in %s, found it in %s", after, before)
	}
}

// ownNetNS names the network namespace of the calling thread.
func ownNetNS(t *testing.T) string {
	t.Helper()
	ns, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

func TestBinds(t *testing.T) {
	namespacesLayer(t)
	file, _ := write(t, twoHosts)
	l := up(t, file)
	a := l.Node("a")
	got := output(t, a, "cat /etc/lab-test/one.txt /lab-test/deep/folder/shared.txt /run/lab-test.txt; ls /etc/hostname; ! echo x 2>/dev/null >/etc/lab-test/one.txt; echo written >/lab-test/deep/folder/new")
	if diff := cmp.Diff("shared\nshared\nshared\n/etc/hostname\n", got); diff != "" {
		t.Errorf("files in a (-want +got):\n%s", diff)
	}
	if text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "new")); string(text) != "written\n" {
		t.Errorf("file written through a bind: %q (%v)", text, err)
	}
	for _, path := range []string{"/etc/lab-test", "/lab-test", "/run/lab-test.txt"} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the host has %s (%v)", path, err)
		}
	}
}

func TestDownLeavesNothing(t *testing.T) {
	namespacesLayer(t)
	file, lab := write(t, twoHosts)
	l := up(t, file)
	log, err := os.ReadFile(l.Node("a").Log())
	if err != nil {
		t.Error(err)
	}
	// The main process may not have come to its first line yet; its log is there, and whatever is in it is from it.
	if got := string(log); got != "" && got != "main process\n" {
		t.Errorf("log of the main process: %q", got)
	}
	child := l.Node("b").Command(context.Background(), "sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if len(traces(t, lab)) == 0 {
		t.Fatal("a lab that is up has no traces: the test looks in the wrong place")
	}
	if err := l.Down(); err != nil {
		t.Error(err)
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) {
		t.Errorf("process in a node: %v, want it killed", err)
	}
	if left := traces(t, lab); len(left) > 0 {
		t.Errorf("left after Down: %q", left)
	}
	if err := l.Down(); err != nil {
		t.Errorf("second Down: %v", err)
	}
}

func TestUpFails(t *testing.T) {
	namespacesLayer(t)
	const one = "name: %s\ntopology:\n  nodes:\n    a:\n      kind: linux\n"
	tests := map[string]struct{ text, want string }{
		"exec line":   {one + "      exec: ['sh -c \"echo no good; exit 3\"']", `: exec on node a: "sh -c echo no good; exit 3": exit status 3: no good`},
		"bind source": {one + "      binds: ['none:/x']", "plan mounts of node a: line 6: source of bind "},
		"unknown program, with what was run before it": {one + "      cmd: sleep 1000\n      exec: [no-such-program]", `exec: "no-such-program": executable file not found in $PATH`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			lab := fmt.Sprintf("labtest-%d-fails", os.Getpid())
			file := filepath.Join(t.TempDir(), "t.clab.yml")
			if err := os.WriteFile(file, fmt.Appendf(nil, tt.text, lab), 0o644); err != nil {
				t.Fatal(err)
			}
			topology, err := topo.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := topology.Up(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Up: got error %v, want %q in it", err, tt.want)
			}
			if left := traces(t, lab); len(left) > 0 {
				t.Errorf("left after a failed Up: %q", left)
			}
		})
	}
}

func TestUpRefusesLabInUse(t *testing.T) {
	namespacesLayer(t)
	file, _ := write(t, twoHosts)
	l := up(t, file)
	topology, err := topo.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("is in use by process %d", os.Getpid())
	if _, err := topology.Up(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("second Up: got error %v, want %q in it", err, want)
	}
	other, err := topo.Attach(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Down(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Down by somebody else: got error %v, want %q in it", err, want)
	}
	if got := output(t, l.Node("a"), "hostname"); got != "a\n" {
		t.Errorf("the lab has suffered: %q", got)
	}
}

// buildLab compiles the command.
func buildLab(t *testing.T) string {
	t.Helper()
	lab := filepath.Join(t.TempDir(), "lab")
	if out, err := exec.Command("go", "build", "-o", lab, "..").CombinedOutput(); err != nil {
		t.Fatalf("build lab: %v\n%s", err, out)
	}
	return lab
}

func TestCommandLine(t *testing.T) {
	namespacesLayer(t)
	lab := buildLab(t)
	file, name := write(t, twoHosts)
	step := func(wantExit int, args ...string) string {
		t.Helper()
		cmd := exec.Command(lab, args...)
		cmd.Stdin = strings.NewReader("input\n")
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != wantExit {
			t.Fatalf("%q: got %v, want exit code %d\n%s", args, err, wantExit, out)
		}
		return string(out)
	}
	t.Cleanup(func() { _ = exec.Command(lab, "down", file).Run() })

	if got := step(1, "exec", file, "a", "true"); !strings.Contains(got, "lab "+name+" is not up: bring it up first") {
		t.Errorf("exec before up: %s", got)
	}
	step(0, "up", file)
	if got := step(0, "exec", file, "a", "hostname"); got != "a\n" {
		t.Errorf("hostname in a: %q", got)
	}
	if got := step(0, "exec", file, "a", "cat"); got != "input\n" {
		t.Errorf("standard input in a: %q", got)
	}
	if got := step(0, "exec", file, "a", "pgrep", "-c", "-x", "sleep", "--nslist", "net", "--ns", mainProcess(t, name)); got != "1\n" {
		t.Errorf("main processes after the command that started it has ended: %q", got)
	}
	step(7, "exec", file, "a", "sh", "-c", "exit 7")
	step(128+15, "exec", file, "a", "sh", "-c", "kill $$")
	step(127, "exec", file, "a", "no-such-program")
	step(1, "exec", file, "c", "true")
	step(2, "exec", file, "a")
	step(0, "up", file) // again: the old one is replaced
	step(0, "down", file)
	if left := traces(t, name); len(left) > 0 {
		t.Errorf("left after down: %q", left)
	}
	step(1, "down", file)
}

// mainProcess returns the number of a process in the lab's node a.
func mainProcess(t *testing.T, lab string) string {
	t.Helper()
	out, err := exec.Command("ip", "netns", "pids", "clab-"+lab+"-a").Output()
	if err != nil || len(bytes.Fields(out)) == 0 {
		t.Fatalf("find the main process of a: %v, %q", err, out)
	}
	return string(bytes.Fields(out)[0])
}

// TestUpAfterKill kills a process that has brought a lab up and started another process in it.
func TestUpAfterKill(t *testing.T) {
	namespacesLayer(t)
	file, lab := write(t, twoHosts)
	if os.Getenv("LAB_TEST_HOLD") != "" {
		holdLab(os.Getenv("LAB_TEST_HOLD"))
	}
	holder := exec.Command(os.Args[0], "-test.run=^TestUpAfterKill$")
	holder.Env = append(os.Environ(), "LAB_TEST_HOLD="+file)
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscan(stdout, &child); err != nil {
		t.Fatalf("holder has not brought the lab up: %v", err)
	}
	fd, err := unix.PidfdOpen(child, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // killed
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(poll, 30_000); n == 0 || err != nil {
		t.Errorf("a command in a node outlives the process that started it (%v)", err)
	}
	if len(traces(t, lab)) == 0 {
		t.Fatal("the killed process has left nothing: the test tests nothing")
	}
	l := up(t, file)
	if got := output(t, l.Node("a"), "cat /run/said"); got != "hello\n" {
		t.Errorf("the new lab: %q", got)
	}
}

// holdLab brings a lab up, starts a command in it, prints its number, and waits to be killed.
func holdLab(file string) {
	topology, err := topo.Load(file)
	if err == nil {
		var l *topo.Lab
		if l, err = topology.Up(context.Background()); err == nil {
			child := l.Node("b").Command(context.Background(), "sleep", "1000")
			if err = child.Start(); err == nil {
				fmt.Println(child.Process.Pid)
				err = child.Wait()
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
