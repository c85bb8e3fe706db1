// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseMemory(t *testing.T) {
	tests := []struct {
		memory  string
		want    uint64
		wantErr string
	}{
		{memory: "512M", want: 512 << 20},
		{memory: "2G", want: 2 << 30},
		{memory: "512", wantErr: `memory "512": want a number with M or G`},
		{memory: "", wantErr: `memory "": want a number with M or G`},
		{memory: "0M", wantErr: `memory "0M": out of range`},
		{memory: "99999999999G", wantErr: `memory "99999999999G": out of range`},
		{memory: "-1M", wantErr: `memory "-1M": strconv.ParseUint: parsing "-1": invalid syntax`},
	}
	for _, tt := range tests {
		t.Run(tt.memory, func(t *testing.T) {
			got, err := parseMemory(tt.memory)
			if err == nil {
				err = errors.New("")
			}
			if got != tt.want || err.Error() != tt.wantErr {
				t.Errorf("got %d, error %q; want %d, error %q", got, err, tt.want, tt.wantErr)
			}
		})
	}
}

func TestReserveCPU(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var log strings.Builder
	taken := map[int]bool{}
	for {
		c := reserveCPU(&log)
		defer c.release()
		if c.lock == nil { // all are taken: it shares one
			if !taken[c.number] || !strings.Contains(log.String(), "sharing CPU") {
				t.Errorf("shares CPU %d, taken are %v, log %q", c.number, taken, &log)
			}
			break
		}
		if taken[c.number] {
			t.Fatalf("CPU %d was reserved twice", c.number)
		}
		taken[c.number] = true
	}
	for n := range taken { // the reserved CPU is where a command runs
		cmd := exec.Command("grep", "Cpus_allowed_list", "/proc/self/status")
		var out strings.Builder
		cmd.Stdout = &out
		if err := (cpu{number: n}).run(cmd.Start); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		_, list, _ := strings.Cut(out.String(), ":\t")
		if diff := cmp.Diff(strings.TrimSpace(list), strconv.Itoa(n)); diff != "" {
			t.Errorf("CPUs of the command (-got +want):\n%s", diff)
		}
	}
}

func TestCompileOnce(t *testing.T) {
	dir := t.TempDir()
	calls := 0
	compile := func() (string, error) {
		return compileOnce(dir, "x", []string{"shim/umlshim.c"}, func(out string) *exec.Cmd {
			calls++
			return exec.Command("sh", "-c", "echo compiled >"+out)
		})
	}
	first, err := compile()
	if err != nil {
		t.Fatal(err)
	}
	second, err := compile()
	if err != nil {
		t.Fatal(err)
	}
	if first != second || calls != 1 {
		t.Errorf("got %s, then %s, in %d compilations", first, second, calls)
	}
	_, err = compileOnce(dir, "y", []string{"shim/umlshim.c"}, func(string) *exec.Cmd {
		return exec.Command("sh", "-c", "echo no good; exit 1")
	})
	if err == nil || !strings.Contains(err.Error(), "exit status 1\nno good") {
		t.Errorf("failed compilation: got error %v", err)
	}
	left, err := filepath.Glob(dir + "/*")
	if err != nil || len(left) != 1 {
		t.Errorf("folder holds %v (%v), want only %s", left, err, first)
	}
}

func TestModuleRoot(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "integration/lab/vm/init/main.go")); err != nil {
		t.Errorf("found %s: %v", root, err)
	}
	t.Chdir(t.TempDir())
	if root, err := moduleRoot(); err == nil {
		t.Errorf("outside the repository: got %s, want an error", root)
	}
}
