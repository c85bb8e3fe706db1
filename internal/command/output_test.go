// SPDX-License-Identifier: Apache-2.0

package command

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestLastLine(t *testing.T) {
	tests := []struct{ name, output, want string }{
		{"empty", "", ""},
		{"only spaces", " \n\t\n", ""},
		{"no line end", "a\nb", "b"},
		{"carriage return", "a\r\nb\r\n", "b"},
		{"control characters", "\x1b[31mred\x1b[0m\n", "[31mred [0m"},
		{"long", strings.Repeat("x", maxLine+1), strings.Repeat("x", maxLine) + "…"},
		{"cut in a character", strings.Repeat("x", maxLine-1) + "é", strings.Repeat("x", maxLine-1) + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, lastLine(tt.output)); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzLastLine(f *testing.F) {
	for _, seed := range []string{"", "a\nb\n", "\x1b[0m", "\xff\n\xfe", strings.Repeat("é", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, output string) {
		line := lastLine(strings.ToValidUTF8(output, ""))
		if !utf8.ValidString(line) || len(line) > maxLine+len("…") || strings.ContainsAny(line, "\n\r\x00\x1b") {
			t.Errorf("line %q", line)
		}
	})
}

func TestTailProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got tail
		var want []byte
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 2*maxOutput), 0, 8).Draw(t, "writes") {
			p := make([]byte, n)
			for i := range p {
				p[i] = 'a' + byte((len(want)+i)%26)
			}
			if written, err := got.Write(p); written != n || err != nil {
				t.Fatalf("Write: %d, %v", written, err)
			}
			want = append(want, p...)
		}
		if diff := cmp.Diff(string(want[max(len(want)-maxOutput, 0):]), got.String()); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
	})
}
