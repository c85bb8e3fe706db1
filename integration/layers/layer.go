// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// layer is one group of tests. Tests of the layers beyond unit stand in files
// whose names end in suffix, and skip themselves unless LVSHA_LAYER names
// their layer.
type layer struct {
	name   string
	suffix string
	// inLab says that the test binaries run in the lab kernel, except those of
	// the package that tests the virtual machine from outside.
	inLab bool
}

const vmPackage = "./integration/lab/vm"

var layers = []layer{
	{name: "unit"},
	{name: "namespaces", suffix: "_namespaces_test.go"},
	{name: "kernel", suffix: "_lab_test.go", inLab: true},
}

func choose(names []string) ([]layer, error) {
	if len(names) == 0 {
		return layers, nil
	}
	var chosen []layer
	for _, name := range names {
		i := slices.IndexFunc(layers, func(l layer) bool { return l.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no layer %q: there are unit, namespaces and kernel", name)
		}
		chosen = append(chosen, layers[i])
	}
	return chosen, nil
}

func needsRoot(chosen []layer) bool {
	return slices.ContainsFunc(chosen, func(l layer) bool { return l.suffix != "" })
}

// buildPrograms builds what the tests start: the daemon, the traffic
// generator, and the lab's command for running test binaries in its kernel.
func buildPrograms(ctx context.Context) error {
	for _, args := range [][]string{
		{"make", "build"},
		{"go", "build", "-o", "build/traffic", "./integration/traffic"},
		{"go", "build", "-o", "build/lab/lab", "./integration/lab"},
	} {
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if err := c.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
		}
	}
	return nil
}

func (l layer) run(ctx context.Context) (tally, error) {
	if l.suffix == "" {
		others, err := testsOfOtherLayers()
		if err != nil {
			return tally{}, err
		}
		return goTest(ctx, nil, "-skip", others, "./...")
	}
	found, err := findTests(".", l.suffix)
	if err != nil {
		return tally{}, err
	}
	var outside, inside []string
	for pkg := range found {
		if l.inLab && pkg != vmPackage {
			inside = append(inside, pkg)
		} else {
			outside = append(outside, pkg)
		}
	}
	env := []string{"LVSHA_LAYER=" + l.name}
	var total tally
	var errs []error
	runIn := func(packages []string, args ...string) {
		if len(packages) == 0 {
			return
		}
		slices.Sort(packages)
		args = append(args, "-run", pattern(found, packages))
		t, err := goTest(ctx, env, append(args, packages...)...)
		total.add(t)
		errs = append(errs, err)
	}
	runIn(outside)
	if len(inside) > 0 {
		wd, err := os.Getwd()
		if err != nil {
			return total, err
		}
		runIn(inside, "-exec", wd+"/build/lab/lab vm")
	}
	return total, errors.Join(errs...)
}

func testsOfOtherLayers() (string, error) {
	all := make(map[string][]string)
	for _, l := range layers {
		if l.suffix == "" {
			continue
		}
		found, err := findTests(".", l.suffix)
		if err != nil {
			return "", err
		}
		for pkg, names := range found {
			all[pkg] = append(all[pkg], names...)
		}
	}
	return pattern(all, slices.Collect(maps.Keys(all))), nil
}

// judge says why a layer whose tests all passed still did not do its work. What
// the layers beyond unit need is installed by now: nothing is left to skip for.
func (l layer) judge(t tally) error {
	switch {
	case t.passed == 0:
		return errors.New("no test ran")
	case l.suffix != "" && t.skipped > 0:
		return fmt.Errorf("%d tests were skipped", t.skipped)
	}
	return nil
}
