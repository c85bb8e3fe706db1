// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStateDir(t *testing.T) {
	for text, want := range map[string]string{ // or a part of the error
		"":                                      "/run/lvs-ha",
		"[director]\nname = \"d1\"\n":           "/run/lvs-ha",
		"[director]\nstate_dir = \"/var/x/\"\n": "/var/x",
		"[director]\nnane = 1\non_stop = 2\nstate_dir = \"/var/x\"\n[[vrrp]]\nvrid = 999\n": "/var/x",
		"[director]\nstate_dir = \"x\"\n":  "f.toml:2:13: state_dir is \"x\", expected an absolute path",
		"[director]\nstate_dir = 7\n":      "f.toml:2:13: state_dir is the number 7",
		"director = 7\n":                   "f.toml:1:12: director is the number 7",
		"[director]\nstate_dir = /var/x\n": "f.toml:2:13: not valid TOML",
	} {
		file := filepath.Join(t.TempDir(), "f.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := StateDir(file)
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("StateDir of %q = %q, want %q", text, got, want)
		}
	}
	if _, err := StateDir(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) {
		t.Errorf("StateDir of no file: %v", err)
	}
}
