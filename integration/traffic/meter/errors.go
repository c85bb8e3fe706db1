// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// Texts of errors that are the answer's, not the socket's.
const (
	textMalformed  = "malformed answer"
	textUnasked    = "answer to a request never sent"
	textDuplicate  = "second answer to the same request"
	textSequence   = "answer out of sequence"
	textServer     = "answer from another server than before"
	textSendBuffer = "send buffer full"
)

// errorText returns a text for err that is the same each time: it leaves out
// addresses and port numbers.
func errorText(err error) string {
	operation := ""
	if op, ok := errors.AsType[*net.OpError](err); ok {
		operation = op.Op + ": "
	}
	var timeout interface{ Timeout() bool }
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return operation + errno.Error()
	}
	if errors.As(err, &timeout) && timeout.Timeout() {
		return operation + "timeout"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return operation + "closed by the server"
	}
	return err.Error()
}
