// SPDX-License-Identifier: Apache-2.0

package track

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestParseNumber(t *testing.T) {
	tests := []struct {
		text  string
		want  int
		error string
	}{
		{"0", 0, ""},
		{"17\n", 17, ""},
		{" -253\t\r\n", -253, ""},
		{"+5", 5, ""},
		{"007", 7, ""},
		{"1000000", 1000000, ""},
		{"1000001", 1000000, ""},
		{"-1000001", -1000000, ""},
		{"99999999999999999999", 1000000, ""},
		{"-99999999999999999999", -1000000, ""},
		{"", 0, "empty, expected a number"},
		{" \n", 0, "empty, expected a number"},
		{"up", 0, `holds "up", expected a number`},
		{"1 2", 0, `holds "1 2", expected a number`},
		{"1.5", 0, `holds "1.5", expected a number`},
		{"0x10", 0, `holds "0x10", expected a number`},
		{"1_0", 0, `holds "1_0", expected a number`},
		{"- 1", 0, `holds "- 1", expected a number`},
		{"5\x00", 0, `holds "5\x00", expected a number`},
		{strings.Repeat(" ", maxFile-1) + "1", 1, ""},
		{strings.Repeat(" ", maxFile) + "1", 0, "longer than 64 bytes, expected a number"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q", tt.text), func(t *testing.T) {
			got, err := parseNumber([]byte(tt.text))
			text := ""
			if err != nil {
				text = err.Error()
			}
			if got != tt.want || text != tt.error {
				t.Errorf("parseNumber: %d, %q, want %d, %q", got, text, tt.want, tt.error)
			}
		})
	}
}

func TestNumberRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.IntRange(-maxNumber, maxNumber).Draw(t, "number")
		space := rapid.StringMatching(`[ \t\r\n]{0,10}`)
		text := space.Draw(t, "before") + fmt.Sprint(want) + space.Draw(t, "after")
		if got, err := parseNumber([]byte(text)); got != want || err != nil {
			t.Fatalf("parseNumber: %d, %v, want %d", got, err, want)
		}
	})
}

func FuzzParseNumber(f *testing.F) {
	for _, seed := range []string{"", "0", "-253\n", "+1", "99999999999999999999", "1e3", "１", "\xff", strings.Repeat("1", 100)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseNumber(text)
		if got < -maxNumber || got > maxNumber || err != nil && got != 0 {
			t.Errorf("parseNumber: %d, %v", got, err)
		}
	})
}

func TestReadNumberRefuses(t *testing.T) {
	dir := t.TempDir()
	fifo, long := filepath.Join(dir, "fifo"), filepath.Join(dir, "long")
	must(t, unix.Mkfifo(fifo, 0o600))
	must(t, os.WriteFile(long, make([]byte, 1<<20), 0o600))
	tests := []struct{ name, path, want string }{
		{"missing", dir + "/missing", "open " + dir + "/missing: no such file or directory"},
		{"directory", dir, "read " + dir + ": not a regular file"},
		{"FIFO without writer", fifo, "read " + fifo + ": not a regular file"},
		{"device", "/dev/zero", "read /dev/zero: not a regular file"},
		{"long", long, "read " + long + ": longer than 64 bytes, expected a number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := readNumber(tt.path); got != 0 || err == nil || err.Error() != tt.want {
				t.Errorf("readNumber: %d, %v, want %s", got, err, tt.want)
			}
		})
	}
}
