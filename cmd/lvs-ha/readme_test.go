// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/lvs-ha/lvs-ha/internal/config"
)

// TestReadmeExampleIsValid loads the configuration that the README shows.
func TestReadmeExampleIsValid(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```toml\n")
	example, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("README.md shows no TOML")
	}
	c, problems := config.Parse("README.md", []byte(example), nil)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	if len(c.Instances) != 1 || len(c.VirtualServers) != 1 || len(c.VirtualServers[0].RealServers) != 2 {
		t.Errorf("config = %+v", c)
	}
}
