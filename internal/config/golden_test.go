// SPDX-License-Identifier: Apache-2.0

package config

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("config.update", false, "rewrite testdata/bad/*.want with what is reported now")

// machine is a Host with these interfaces.
type machine map[string][]netip.Prefix

func (m machine) InterfaceAddresses(name string) ([]netip.Prefix, bool) {
	addresses, ok := m[name]
	return addresses, ok
}

func (m machine) UserExists(name string) bool { return name == "nobody" || name == "operator" }

func (machine) IPVSFault() string { return "" }

// testMachine is the Host of all golden files.
var testMachine = machine{
	"eth0": {netip.MustParsePrefix("192.0.2.1/24")},
	"eth1": {netip.MustParsePrefix("10.0.2.9/24")},
}

// TestBadFiles holds the problems of each testdata/bad/NAME.toml against the lines of NAME.want.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, problems := Parse(file, data, testMachine)
			if c != nil {
				t.Error("Load returned a Config")
			}
			var got strings.Builder
			for _, p := range problems {
				got.WriteString(strings.ReplaceAll(p.String(), filepath.Dir(file)+"/", "") + "\n")
			}
			want := strings.TrimSuffix(file, ".toml") + ".want"
			if *update {
				if err := os.WriteFile(want, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			wanted, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(wanted), got.String()); diff != "" {
				t.Errorf("problems differ (-want +got):\n%s", diff)
			}
		})
	}
}
