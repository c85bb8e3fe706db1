// SPDX-License-Identifier: Apache-2.0

package command

import (
	"errors"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// printed returns what a script prints, as the user of s.
func printed(t *testing.T, s Spec, script string) string {
	t.Helper()
	s.Argv = []string{"/bin/sh", "-c", script + "; exit 1"}
	var got *Error
	if err := Run(t.Context(), s); !errors.As(err, &got) || got.Reason != ExitStatus {
		t.Fatalf("Run: %v, want exit status 1", err)
	}
	return got.Output
}

func TestUnprivileged(t *testing.T) {
	needRoot(t)
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	tests := []struct{ name, user, uid, gid, groups string }{
		{"name", "nobody", nobody.Uid, nobody.Gid, nobody.Gid},
		{"number", nobody.Uid, nobody.Uid, nobody.Gid, nobody.Gid},
		{"number without account", "3999999", "3999999", "65534", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := map[string]string{}
			for line := range strings.Lines(printed(t, Spec{User: tt.user, Timeout: enough}, "cat /proc/$$/status")) {
				key, value, _ := strings.Cut(line, ":")
				if slices.Contains([]string{"Uid", "Gid", "Groups", "Umask", "CapInh", "CapPrm", "CapEff", "CapAmb"}, key) {
					got[key] = strings.TrimSpace(value)
				}
			}
			four := func(id string) string { return strings.Join([]string{id, id, id, id}, "\t") }
			const none = "0000000000000000"
			want := map[string]string{
				"Uid": four(tt.uid), "Gid": four(tt.gid), "Groups": tt.groups, "Umask": "0022",
				"CapInh": none, "CapPrm": none, "CapEff": none, "CapAmb": none,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
	if own := unix.Umask(0o077); own != 0o077 {
		t.Errorf("our umask became %#o", own)
	}
}

func TestSupplementaryGroups(t *testing.T) {
	needRoot(t)
	for _, name := range []string{"root", "daemon", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			t.Skip(err)
		}
		want, err := account.GroupIds()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(printed(t, Spec{User: name, Timeout: enough}, "id -G"))
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("groups of %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSurroundings(t *testing.T) {
	t.Setenv("LVSHA_SECRET", "ours")
	leaked, err := unix.Open("/dev/null", unix.O_RDONLY, 0) // not close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(leaked) }()
	s := Spec{User: self(), Env: []string{"LVSHA_A=b c", "LVSHA_D="}, Timeout: enough}
	tests := []struct{ name, script, want string }{
		{"environment", `tr "\0" "\n" < /proc/$$/environ`, searchPath + "\nLVSHA_A=b c\nLVSHA_D=\n"},
		{"working directory", "readlink /proc/$$/cwd", "/\n"},
		{"descriptors", "ls /proc/$$/fd", "0\n1\n2\n"},
		{"input", "readlink /proc/$$/fd/0", "/dev/null\n"},
		{"session", `cut -d " " -f 5,6 /proc/$$/stat | sed "s/$$/own/g"`, "own own\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, printed(t, s, tt.script)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.script, diff)
			}
		})
	}
}

// TestWithoutRoot has an unprivileged process run programs as itself and as root.
func TestWithoutRoot(t *testing.T) {
	needRoot(t)
	nobody, err := credentialOf("nobody")
	if err != nil {
		t.Skip(err)
	}
	tests := []struct{ name, user, want string }{
		{"itself", "nobody", "<nil>\n"},
		{"another", "root", "run /bin/true: cannot start: operation not permitted (as user root: this process is user " +
			strconv.Itoa(int(nobody.Uid)) + ", and only root may become another)\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := process(t, tt.user, "/bin/true")
			s := Spec{User: "nobody", Env: cmd.Env, Timeout: enough}
			got := printed(t, s, strings.Join(cmd.Args, " "))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestThreadsEnd has no thread with a program's attributes go on to do other work of ours.
func TestThreadsEnd(t *testing.T) {
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	for range 10 {
		if err := Run(t.Context(), shell("exit 0")); err != nil {
			t.Fatal(err)
		}
	}
	detached := func() (threads []string) {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			if task.Name() == strconv.Itoa(os.Getpid()) {
				continue // the main thread cannot end: Go retires it
			}
			status, err := os.ReadFile("/proc/self/task/" + task.Name() + "/status")
			if err == nil && strings.Contains(string(status), "\nUmask:\t0022\n") {
				threads = append(threads, task.Name())
			}
		}
		return threads
	}
	for end := time.Now().Add(enough); len(detached()) > 0; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("threads %v keep a program's umask", detached())
		}
	}
}
