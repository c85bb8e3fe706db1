// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse holds that any bytes give either a Config or an error, problems stand in order inside the file, and the
// scanner agrees with the TOML decoder about what the file contains.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, completeFile, "../../conf/lvs-ha.toml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a.b = [{c = '''x''''}, [1], \"\\\"\"] # d\n[[e]]\n[e.\"f g\"]\n[[e]]\r\nh=1979-05-27 07:32:00\n"))
	f.Add([]byte("\xef\xbb\xbfvrrp = [\n{ name = \"\"\"a\"\"\"\",\n} ]"))
	f.Add([]byte("\xff\xfea = 1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, problems := Parse("fuzz.toml", data, testMachine)
		if (c == nil) != hasError(problems) {
			t.Errorf("Config is nil: %v, problems %v", c == nil, problems)
		}
		lines := strings.Split(strings.TrimPrefix(string(data), byteOrderMark), "\n")
		for _, p := range problems {
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 {
				t.Errorf("outside the file: %v", p)
			} else if p.Source != strings.TrimSuffix(lines[p.Line-1], "\r") && !strings.Contains(p.Source, "…") {
				t.Errorf("source %q, want line %q", p.Source, lines[p.Line-1])
			}
			if p.Message == "" || strings.Contains(p.Message, "%!") && !bytes.ContainsAny(data, `%\`) {
				t.Errorf("message: %q", p.Message)
			}
		}
		sorted := slices.Clone(problems)
		sortProblems(sorted)
		if !slices.Equal(sorted, problems) {
			t.Errorf("not sorted: %v", problems)
		}
		if utf8.Valid(data) { // the decoder alone takes other bytes after a UTF-16 byte order mark
			sameShape(t, strings.TrimPrefix(string(data), byteOrderMark))
		}
		scan(string(data)) // of what is not TOML: ends, without a panic
	})
}
