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
	var t tally
	output := make(map[string]*strings.Builder) // of what has not ended, by package and test
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return t
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			fmt.Fprintf(w, "%s", line)
			continue
		}
		t.take(e, output, w)
	}
}

func (t *tally) take(e event, output map[string]*strings.Builder, w io.Writer) {
	key := e.Package + e.ImportPath + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		if output[key] == nil {
			output[key] = &strings.Builder{}
		}
		output[key].WriteString(e.Output)
		return
	case "build-fail", "fail", "skip":
		if b := output[key]; b != nil {
			fmt.Fprint(w, b)
		}
	case "pass":
		if b := output[key]; b != nil {
			fmt.Fprint(w, tableOf(b.String()))
		}
	default:
		return
	}
	delete(output, key)
	switch {
	case e.Test == "":
		t.cutShort(e.Package, output, w)
		if e.Package != "" && e.Action != "skip" {
			fmt.Fprintf(w, "%-4s %s %.1fs\n", e.Action, e.Package, e.Elapsed)
		}
	case strings.Contains(e.Test, "/"):
	case e.Action == "pass":
		t.passed++
	case e.Action == "skip":
		t.skipped++
	default:
		t.failed++
	}
}

// cutShort counts the tests of a package that have not ended although the
// package has, because its process died, and prints what they and the dying
// process said.
func (t *tally) cutShort(pkg string, output map[string]*strings.Builder, w io.Writer) {
	for _, key := range slices.Sorted(maps.Keys(output)) {
		test, ok := strings.CutPrefix(key, pkg+" ")
		if !ok || test == "" {
			continue
		}
		fmt.Fprintf(w, "%s    %s did not end\n", output[key], test)
		delete(output, key)
		if !strings.Contains(test, "/") {
			t.failed++
		}
	}
}

// tableOf returns the lines that a test wants to be seen also when it passes:
// those of a table, which begin with a bar.
func tableOf(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		if _, row, ok := strings.Cut(line, "| "); ok && strings.TrimSpace(line[:len(line)-len(row)-2]) == "" {
			b.WriteString(row)
		}
	}
	return b.String()
}
