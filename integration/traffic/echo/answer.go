// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// MaxNameLen is the longest name of a server, in bytes.
const MaxNameLen = 64

// MaxMessageLen is the longest request or answer, in bytes, its newline included:
// a name, a blank, a 64-bit number, a newline.
const MaxMessageLen = MaxNameLen + 1 + 20 + 1

// ErrMalformed says that bytes are not a request or answer of this protocol.
var ErrMalformed = errors.New("malformed echo message")

// Answer is what a server answers to one request.
type Answer struct {
	// Server is the server's name; it may point into what was parsed.
	Server []byte
	// Seq is the number of the request.
	Seq uint64
}

// ParseAnswer parses "NAME SEQ", with or without a newline at the end.
func ParseAnswer(b []byte) (Answer, error) {
	server, number, found := bytes.Cut(trimNewline(b), []byte(" "))
	if !found || !validName(server) {
		return Answer{}, fmt.Errorf("%w: answer %q", ErrMalformed, clip(b))
	}
	seq, err := parseNumber(number)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: answer %q", ErrMalformed, clip(b))
	}
	return Answer{Server: server, Seq: seq}, nil
}

// AppendTo writes the answer without a newline.
func (a Answer) AppendTo(b []byte) []byte {
	b = append(b, a.Server...)
	b = append(b, ' ')
	return AppendRequest(b, a.Seq)
}

// ParseRequest parses "SEQ", with or without a newline at the end.
func ParseRequest(b []byte) (uint64, error) {
	seq, err := parseNumber(trimNewline(b))
	if err != nil {
		return 0, fmt.Errorf("%w: request %q", ErrMalformed, clip(b))
	}
	return seq, nil
}

// AppendRequest writes the request with number seq without a newline.
func AppendRequest(b []byte, seq uint64) []byte {
	return strconv.AppendUint(b, seq, 10)
}

// parseNumber parses a decimal number in the one form that AppendRequest writes.
func parseNumber(b []byte) (uint64, error) {
	if len(b) == 0 || (b[0] == '0' && len(b) > 1) || b[0] == '+' {
		return 0, ErrMalformed
	}
	return strconv.ParseUint(string(b), 10, 64)
}

// validName reports whether b can be a server's name: 1 to MaxNameLen printable
// ASCII characters without blanks.
func validName(b []byte) bool {
	return len(b) > 0 && len(b) <= MaxNameLen && !bytes.ContainsFunc(b, func(r rune) bool { return r <= ' ' || r > '~' })
}

func trimNewline(b []byte) []byte {
	return bytes.TrimSuffix(b, []byte("\n"))
}

// clip returns as much of b as an error should quote.
func clip(b []byte) []byte {
	return b[:min(len(b), MaxMessageLen)]
}
