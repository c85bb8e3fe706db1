// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"slices"
)

// Problem is one thing that is wrong with a configuration file.
type Problem struct {
	File    string
	Line    int // from 1; 0 if the problem is with the file as a whole
	Column  int // in characters from 1, a tab counts as one; 0 if the problem is with the file as a whole
	Message string
	Warning bool   // the file is usable all the same
	Lacking bool   // a Warning of what this machine lacks: the file is not to run here as long as it does
	Source  string // the line at Line, without its line end
}

// String returns "file:line:column: message", with "warning: " before the message of a warning, and without line and
// column where they are unknown.
func (p Problem) String() string {
	message := p.Message
	if p.Warning {
		message = "warning: " + message
	}
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, message)
}

// sortProblems orders by position. Problems of one position keep the order in which they were found.
func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// hasError tells whether any of the problems is more than a warning.
func hasError(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}
