// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// TextHandler is a slog.Handler that writes one line for each record: time, level,
// message, then key=value for each attribute other than the fields of events,
// group names before the key joined by dots. A value that has blanks, quotes or unprintable characters is quoted as in
// Go, so that a record can't look like two. Safe for concurrent use.
type TextHandler struct {
	scope
	level slog.Leveler
	out   *lineWriter
}

// lineWriter writes one line at a time; handlers derived from one another share it.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// NewTextHandler returns a handler that writes to w, with one Write a record.
// Records below level are discarded.
func NewTextHandler(w io.Writer, level slog.Leveler) *TextHandler {
	return &TextHandler{scope: scope{appendAttr: appendTextAttr}, level: level, out: &lineWriter{w: w}}
}

// Enabled reports whether records of level l are kept.
func (h *TextHandler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.level.Level()
}

// Handle writes the record.
func (h *TextHandler) Handle(_ context.Context, r slog.Record) error {
	b := make([]byte, 0, 256)
	if !r.Time.IsZero() {
		b = r.Time.AppendFormat(b, timeLayout)
		b = append(b, ' ')
	}
	b = fmt.Appendf(b, "%-5s ", r.Level)
	b = appendMessage(b, r.Message)
	b = h.appendAll(b, r)
	b = append(b, '\n')

	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	if _, err := h.out.w.Write(b); err != nil {
		return fmt.Errorf("write log line: %w", err)
	}
	return nil
}

// WithAttrs returns a handler that adds attrs to each record.
func (h *TextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	derived := *h
	derived.scope = h.with(attrs)
	return &derived
}

// WithGroup returns a handler that puts name before the keys of later attributes.
func (h *TextHandler) WithGroup(name string) slog.Handler {
	derived := *h
	derived.scope = h.group(name)
	return &derived
}

// appendTextAttr writes " key=value". The fields of events are for programs and
// left out: an event's message says the same in words.
func appendTextAttr(b []byte, key string, value slog.Value) []byte {
	switch key {
	case KeyInstance, KeyVirtualServer, KeyRealServer, KeyFrom, KeyTo, KeyReason, KeyMessageID:
		return b
	}
	b = append(b, ' ')
	b = appendWord(b, key)
	b = append(b, '=')
	return appendWord(b, valueText(value))
}

// appendWord writes s, quoted if it would not read as one word.
func appendWord(b []byte, s string) []byte {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool {
		return r == ' ' || r == '"' || r == '=' || !unicode.IsPrint(r)
	}) {
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}

// appendMessage writes the message, quoted only if it is not one printable line.
func appendMessage(b []byte, s string) []byte {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}
