// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScriptsOfRoot runs what only root can take rights away for.
func TestScriptsOfRoot(t *testing.T) {
	if os.Getenv("LVSHA_LAYER") != "namespaces" {
		t.Skip("namespaces layer: run `make test-namespaces`")
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/namespaces"})
}
