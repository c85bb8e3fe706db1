// SPDX-License-Identifier: Apache-2.0

package deb

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeTools puts shell scripts in place of the package tools: dpkg-query knows "present", apt-get writes what it was
// asked to a file and fails its first fails install runs.
func fakeTools(t *testing.T, withApt bool, fails string) (calls string) {
	t.Helper()
	dir := t.TempDir()
	calls = filepath.Join(dir, "calls")
	script := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script("dpkg-query", `for p; do :; done; [ "$p" = present ] && printf installed`)
	if withApt {
		script("apt-get", `shift 3; echo "$*" >>`+calls+`; echo "apt says $1"
case $1 in install) n=$(/bin/grep -c ^install `+calls+`); [ "$n" -gt `+fails+` ];; esac`)
	}
	t.Setenv("PATH", dir)
	return calls
}

func TestInstall(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("Install refuses to run apt-get unless it is root")
	}
	install := "install --yes --no-install-recommends absent"
	tests := []struct {
		name     string
		packages []string
		noApt    bool
		fails    string
		calls    []string
		wantErr  string
	}{
		{name: "nothing missing", packages: []string{"present"}, noApt: true},
		{name: "one missing", packages: []string{"present", "absent"}, fails: "0", calls: []string{install}},
		{name: "lists out of date", packages: []string{"absent"}, fails: "1", calls: []string{install, "update", install}},
		{name: "not to be had", packages: []string{"absent"}, fails: "9", calls: []string{install, "update", install},
			wantErr: "exit status 1\napt says install"},
		{name: "no apt-get", packages: []string{"absent"}, noApt: true,
			wantErr: `install Debian packages absent: exec: "apt-get": executable file not found in $PATH: install what they hold by hand`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := fakeTools(t, !tt.noApt, tt.fails)
			var log bytes.Buffer
			err := Install(t.Context(), &log, tt.packages...)
			switch {
			case tt.wantErr == "" && err != nil:
				t.Errorf("Install: %v\n%s", err, &log)
			case tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)):
				t.Errorf("Install: got error %v, want %q", err, tt.wantErr)
			}
			text, _ := os.ReadFile(file)
			if diff := cmp.Diff(strings.Join(tt.calls, "\n"), strings.TrimSpace(string(text))); diff != "" {
				t.Errorf("apt-get calls (-want +got):\n%s", diff)
			}
			if want := len(tt.calls); strings.Count(log.String(), "apt says") != want {
				t.Errorf("log has not the output of %d calls:\n%s", want, &log)
			}
		})
	}
}

func TestDependency(t *testing.T) {
	const depends = `linux-image-amd64
  Depends: linux-base
  Recommends: linux-image-other
  Depends: linux-image-6.1.0-56-amd64
    linux-image-6.1.0-56-amd64-unsigned
`
	for prefix, want := range map[string]string{"linux-image-": "linux-image-6.1.0-56-amd64", "none": ""} {
		if got := dependency(depends, prefix); got != want {
			t.Errorf("dependency %s*: got %q, want %q", prefix, got, want)
		}
	}
}
