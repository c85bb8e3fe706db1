// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"errors"
	"strings"
)

var (
	errOpenQuote  = errors.New("a quote is not closed")
	errLoneEscape = errors.New("nothing follows the last backslash")
)

// splitWords splits a command line into words by the rules containerlab applies to exec and cmd (those of its shlex
// library): blanks separate words, '…' keeps everything, "…" keeps everything but a backslash, a backslash keeps the
// next character, and a word that would begin with # ends the line. There is no expansion of any kind.
func splitWords(line string) ([]string, error) {
	var (
		words  []string
		word   strings.Builder
		inWord bool
		quote  rune // the quote we are in, 0 outside
		escape bool // the last character was a backslash
	)
	for _, c := range line {
		switch {
		case escape:
			word.WriteRune(c)
			escape = false
		case c == '\\' && quote != '\'':
			escape, inWord = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case c == '#' && !inWord:
			return words, nil
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	switch {
	case escape:
		return nil, errLoneEscape
	case quote != 0:
		return nil, errOpenQuote
	case inWord:
		words = append(words, word.String())
	}
	return words, nil
}
