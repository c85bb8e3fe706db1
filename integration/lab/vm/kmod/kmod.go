// SPDX-License-Identifier: Apache-2.0

// Package kmod finds the order in which kernel modules must be loaded, for a time when modprobe cannot run yet.
package kmod

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Order returns the files to load, in order, for the modules of those names (without ".ko"). The folder is the one of
// a kernel version, with modules.dep and modules.builtin (depmod(8)). What is built into the kernel is left out.
func Order(folder string, names ...string) ([]string, error) {
	builtin, err := readNames(filepath.Join(folder, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	needs, err := readNames(filepath.Join(folder, "modules.dep"))
	if err != nil {
		return nil, err
	}
	var order []string
	for _, name := range names {
		if _, ok := builtin[name]; ok {
			continue
		}
		files, ok := needs[name]
		if !ok {
			return nil, fmt.Errorf("%s has no module %s", folder, name)
		}
		for _, file := range slices.Backward(files) { // the module comes first, then what it needs, the innermost last
			if file = filepath.Join(folder, file); !slices.Contains(order, file) {
				order = append(order, file)
			}
		}
	}
	return order, nil
}

// readNames reads modules.dep or modules.builtin: for each module by name, its file and those that it needs.
func readNames(file string) (map[string][]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read list of modules: %w", err)
	}
	defer f.Close()
	modules := map[string][]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		files := strings.Fields(strings.Replace(lines.Text(), ":", " ", 1))
		if len(files) == 0 {
			continue
		}
		name, _, _ := strings.Cut(path.Base(files[0]), ".ko")
		modules[strings.ReplaceAll(name, "-", "_")] = files
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read list of modules %s: %w", file, err)
	}
	return modules, nil
}
