// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// goTestTimeout bounds one package of a layer.
const goTestTimeout = 15 * time.Minute

// tally counts tests, without their subtests.
type tally struct{ passed, failed, skipped int }

func (t *tally) add(o tally) {
	t.passed += o.passed
	t.failed += o.failed
	t.skipped += o.skipped
}

func (t tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.passed, t.failed, t.skipped)
}

// event is a line of go test -json.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// goTest runs go test and prints a line for each package, and the output of
// what failed or was skipped.
func goTest(ctx context.Context, env []string, args ...string) (tally, error) {
	args = append([]string{"test", "-json", "-count=1", "-timeout", goTestTimeout.String()}, args...)
	c := exec.CommandContext(ctx, "go", args...)
	c.Env = append(os.Environ(), env...)
	c.Stderr = os.Stderr
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 30 * time.Second
	out, err := c.StdoutPipe()
	if err != nil {
		return tally{}, err
	}
	if err := c.Start(); err != nil {
		return tally{}, err
	}
	t := follow(out, os.Stdout)
	if err := c.Wait(); err != nil {
		return t, fmt.Errorf("go test: %w", err)
	}
	return t, nil
}

func follow(r io.Reader, w io.Writer) tally {
	f := follower{w: w, output: make(map[string]*strings.Builder), fates: make(map[string]string)}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return f.tally()
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			fmt.Fprintf(w, "%s", line)
			continue
		}
		f.take(e)
	}
}

// follower reads events. Its maps go by package and test.
type follower struct {
	w      io.Writer
	output map[string]*strings.Builder // of what has not ended
	fates  map[string]string           // how tests ended, the last time that they ran
}

func (f *follower) take(e event) {
	key := e.Package + e.ImportPath + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		if f.output[key] == nil {
			f.output[key] = &strings.Builder{}
		}
		f.output[key].WriteString(e.Output)
		return
	case "build-fail", "fail", "skip":
		if b := f.output[key]; b != nil {
			fmt.Fprint(f.w, b)
		}
	case "pass":
		if b := f.output[key]; b != nil {
			fmt.Fprint(f.w, worthSeeing(b.String()))
		}
	default:
		return
	}
	delete(f.output, key)
	if e.Test != "" {
		f.fates[key] = e.Action
		return
	}
	f.cutShort(e.Package)
	if e.Package != "" && e.Action != "skip" {
		fmt.Fprintf(f.w, "%-4s %s %.1fs\n", e.Action, e.Package, e.Elapsed)
	}
}

// cutShort takes the tests of a package that have not ended although the
// package has, because its process died, for failed, and prints what they and
// the dying process said.
func (f *follower) cutShort(pkg string) {
	for _, key := range slices.Sorted(maps.Keys(f.output)) {
		if test, ok := strings.CutPrefix(key, pkg+" "); ok && test != "" {
			fmt.Fprintf(f.w, "%s    %s did not end\n", f.output[key], test)
			delete(f.output, key)
			f.fates[key] = "fail"
		}
	}
}

func (f *follower) tally() tally {
	var t tally
	for key, fate := range f.fates {
		_, test, _ := strings.Cut(key, " ")
		switch {
		case strings.Contains(test, "/"):
		case fate == "pass":
			t.passed++
		case fate == "skip":
			t.skipped++
		default:
			t.failed++
		}
	}
	return t
}

// worthSeeing returns the lines that are to be seen also when a test passes:
// those of a table, which begin with a bar, and what the lab has to say.
func worthSeeing(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		if _, row, ok := strings.Cut(line, "| "); ok && strings.TrimSpace(line[:len(line)-len(row)-2]) == "" {
			b.WriteString(row)
		} else if strings.HasPrefix(line, "lab: ") {
			b.WriteString(line)
		}
	}
	return b.String()
}
