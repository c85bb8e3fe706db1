// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSplitWords(t *testing.T) {
	tests := []struct {
		line string
		want []string
		err  error
	}{
		{line: ""},
		{line: " \t"},
		{line: "ip  link\tset lo up ", want: []string{"ip", "link", "set", "lo", "up"}},
		{line: `sh -c "echo 'a b' \"c\""`, want: []string{"sh", "-c", `echo 'a b' "c"`}},
		{line: `'a\b' "a\b" a\ b`, want: []string{`a\b`, "ab", "a b"}},
		{line: `a"b c"'d e'f ""`, want: []string{"ab cd ef", ""}},
		{line: `a #b c`, want: []string{"a"}},
		{line: `a#b "#c"`, want: []string{"a#b", "#c"}},
		{line: `"a`, err: errOpenQuote},
		{line: `a'`, err: errOpenQuote},
		{line: `a\`, err: errLoneEscape},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			got, err := splitWords(tt.line)
			if !errors.Is(err, tt.err) {
				t.Errorf("got error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
		})
	}
}

// TestQuotedWordsComeBack checks splitWords and shellQuote against each other.
func TestQuotedWordsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.String()).Draw(t, "words")
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, shellQuote(w))
		}
		got, err := splitWords(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(words, got) {
			t.Errorf("got %q (%v), want %q", got, err, words)
		}
	})
}
