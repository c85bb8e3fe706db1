// SPDX-License-Identifier: Apache-2.0

package command

import "strings"

// maxOutput is how much of a program's output is kept, in bytes.
const maxOutput = 4096

// tail keeps the last maxOutput bytes written to it. It is not safe for concurrent use: os/exec writes from one goroutine
// when standard output and standard error are the same.
type tail struct{ kept []byte }

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[max(len(p)-maxOutput, 0):]...)
	if excess := len(t.kept) - maxOutput; excess > 0 {
		t.kept = t.kept[:copy(t.kept, t.kept[excess:])]
	}
	return len(p), nil
}

// String returns what was kept; bytes that are no UTF-8 are left out.
func (t *tail) String() string { return strings.ToValidUTF8(string(t.kept), "") }
