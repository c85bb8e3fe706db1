// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// findTests returns the names of the test functions in files that end in
// suffix, by package path relative to root ("./internal/vrrp").
func findTests(root, suffix string) (map[string][]string, error) {
	found := make(map[string][]string)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("look for tests: %w", err)
		}
		pkg := "./" + filepath.ToSlash(filepath.Dir(path))
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" && fn.Recv == nil {
				found[pkg] = append(found[pkg], fn.Name.Name)
			}
		}
		return nil
	})
	return found, err
}

// pattern is a -run pattern that matches the tests found in the packages.
func pattern(found map[string][]string, packages []string) string {
	var names []string
	for _, p := range packages {
		names = append(names, found[p]...)
	}
	slices.Sort(names)
	return "^(" + strings.Join(slices.Compact(names), "|") + ")$"
}
