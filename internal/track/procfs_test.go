// SPDX-License-Identifier: Apache-2.0

package track

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fakeProc is a proc file system in a temporary folder.
type fakeProc struct{ procfs }

func newFakeProc(t *testing.T) fakeProc {
	t.Helper()
	return fakeProc{procfs(t.TempDir())}
}

// add has a process appear or become another.
func (f fakeProc) add(t *testing.T, pid int, comm string, state byte, exe string) {
	t.Helper()
	f.remove(t, pid)
	folder := filepath.Join(string(f.procfs), strconv.Itoa(pid))
	must(t, os.Mkdir(folder, 0o755))
	write(t, filepath.Join(folder, "stat"), stat(pid, comm, state))
	if exe != "" {
		must(t, os.Symlink(exe, filepath.Join(folder, "exe")))
	}
}

func (f fakeProc) remove(t *testing.T, pid int) {
	t.Helper()
	must(t, os.RemoveAll(filepath.Join(string(f.procfs), strconv.Itoa(pid))))
}

func stat(pid int, comm string, state byte) string {
	return fmt.Sprintf("%d (%s) %c 1 %d %d 0 -1 4194560 187 0\n", pid, comm, state, pid, pid)
}

func TestScan(t *testing.T) {
	f := newFakeProc(t)
	f.add(t, 1, "init", 'S', "/usr/sbin/init")
	f.add(t, 2, "kthreadd", 'S', "")
	f.add(t, 10, "a) R (b", 'R', "/usr/bin/a b")
	f.add(t, 11, "old", 'S', "/usr/bin/old (deleted)")
	f.add(t, 12, "zombie", 'Z', "")
	f.add(t, 13, "dead", 'X', "")
	must(t, os.Mkdir(filepath.Join(string(f.procfs), "14"), 0o755)) // ended meanwhile
	write(t, filepath.Join(string(f.procfs), "uptime"), "1")
	want := map[int]process{
		1:  {"init", "/usr/sbin/init"},
		2:  {"kthreadd", ""},
		10: {"a) R (b", "/usr/bin/a b"},
		11: {"old", "/usr/bin/old"},
	}
	got := map[int]process{}
	must(t, f.scan(func(pid int, found process) { got[pid] = found }))
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(process{})); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
	if err := procfs("/nonexistent").scan(nil); err == nil {
		t.Error("a missing proc file system is no error")
	}
}

// TestScanFindsThisProcess reads the real thing.
func TestScanFindsThisProcess(t *testing.T) {
	exe, err := os.Executable()
	must(t, err)
	var got process
	must(t, procfs("/proc").scan(func(pid int, found process) {
		if pid == os.Getpid() {
			got = found
		}
	}))
	if want := filepath.Base(exe); got.exe != exe || got.comm != want[:min(len(want), 15)] {
		t.Errorf("this process is %+v, want %s", got, exe)
	}
}

func TestStatRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wantComm := string(rapid.SliceOfN(rapid.Byte(), 0, 15).Draw(t, "comm"))
		wantState := rapid.SampledFrom([]byte("RSDZTtXI")).Draw(t, "state")
		comm, state, err := parseStat([]byte(stat(rapid.IntRange(1, 1<<22).Draw(t, "pid"), wantComm, wantState)))
		if comm != wantComm || state != wantState || err != nil {
			t.Fatalf("parseStat: %q, %c, %v, want %q, %c", comm, state, err, wantComm, wantState)
		}
	})
}

func FuzzParseStat(f *testing.F) {
	for _, seed := range []string{"", "1 (init) S 0", "1 (", ")(", "1 (a) b) R 1", "1 ()", "1 () ", "1 (x)  ", "1 (x) S", "\x00(\x00) \x00 "} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if comm, state, err := parseStat(text); err != nil && (comm != "" || state != 0) {
			t.Errorf("parseStat: %q, %c with error %v", comm, state, err)
		}
	})
}
