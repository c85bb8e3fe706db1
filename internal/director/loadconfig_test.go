// SPDX-License-Identifier: Apache-2.0

package director

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLoadConfig runs with advice, and not without what the machine lacks.
func TestLoadConfig(t *testing.T) {
	const advice = "speaker.hold_time = \"1m\" # no effect\n"
	tests := map[string]string{ // the file, and what its error says
		advice + exampleConfig: "",
		exampleConfig + "\n[[notify]]\ncommand = [\"/nowhere/program\"]\n": `program "/nowhere/program" cannot be run`,
		exampleConfig + "\n[[notify]]\ncomand = [\"/bin/sh\"]\n":           `did you mean "command"?`,
	}
	for text, want := range tests {
		file := filepath.Join(t.TempDir(), "lvs-ha.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _, err := LoadConfig(file, &oneInterface{})
		switch {
		case want == "" && (c == nil || err != nil):
			t.Errorf("LoadConfig() = %v, want a configuration from\n%s", err, text)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("LoadConfig() = %v, want %q", err, want)
		}
	}
}
