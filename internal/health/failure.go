// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// maxReason bounds a reason in bytes: what a server sent may be part of it.
const maxReason = 200

// failure is a reason in an operator's words, with its cause for errors.Is.
type failure struct {
	reason string
	cause  error
}

func (f *failure) Error() string { return f.reason }
func (f *failure) Unwrap() error { return f.cause }

// explain words an error of the network, TLS or HTTP stack that broke off the
// probe of ctx. tooLate is what to say when time ran out.
func explain(ctx context.Context, err error, tooLate string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("probe stopped: %w", context.Canceled)
	}
	return &failure{reason: clip(reason(err, tooLate)), cause: err}
}

func reason(err error, tooLate string) string {
	var (
		errno       syscall.Errno
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		operation   *net.OpError
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return tooLate
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &certificate):
		return "tls: " + strings.TrimPrefix(certificate.Err.Error(), "x509: ")
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		return "tls: server answers in plain HTTP"
	case errors.As(err, &record):
		return "tls: server does not answer in TLS"
	case errors.As(err, &operation) && operation.Op == "remote error": // crypto/tls for an alert received
		return "tls: server alert: " + strings.TrimPrefix(operation.Err.Error(), "tls: ")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed before the end of the answer"
	}
	return err.Error()
}

// clip shortens s to maxReason bytes without cutting a character.
func clip(s string) string {
	if len(s) <= maxReason {
		return s
	}
	return strings.ToValidUTF8(s[:maxReason], "") + "…"
}
