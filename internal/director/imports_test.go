// SPDX-License-Identifier: Apache-2.0

package director

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestLeavesDoNotKnowEachOther holds the imports against docs/ARCHITECTURE.md.
func TestLeavesDoNotKnowEachOther(t *testing.T) {
	const internal = "github.com/lvs-ha/lvs-ha/internal/"
	leaves := []string{"config", "control", "health", "ipvs", "journal", "netif", "notify", "syncd", "track", "vrrp"}
	files, err := filepath.Glob("../*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source files found: %v", err)
	}
	for _, file := range files {
		pkg := filepath.Base(filepath.Dir(file))
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			other, ours := strings.CutPrefix(path, internal)
			switch {
			case !ours, other == pkg:
			case (pkg == "command" || slices.Contains(leaves, pkg)) && slices.Contains(leaves, other):
				t.Errorf("%s: leaf %s imports leaf %s", file, pkg, other)
			case pkg == "speaker" && other != "vrrp" && other != "netif":
				t.Errorf("%s: speaker imports %s", file, other)
			}
		}
	}
}
