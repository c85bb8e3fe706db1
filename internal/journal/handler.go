// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"log/slog"
)

// Handler is a slog.Handler that sends each record to journald in one datagram.
// An attribute becomes the field of its name in upper case, group names before it
// joined by underscores. The record's own time is left out: journald stamps what
// it receives. A record that journald does not take at once goes to the fallback
// handler instead; Handle never waits for journald. Safe for concurrent use.
type Handler struct {
	scope
	level    slog.Leveler
	socket   *socket
	fallback slog.Handler
}

// NewHandler returns a handler for the journald that listens on the datagram
// socket path; it need not listen yet, and may be restarted. Records below level
// are discarded, those that journald does not take go to fallback.
func NewHandler(path string, level slog.Leveler, fallback slog.Handler) (*Handler, error) {
	s, err := openSocket(path)
	if err != nil {
		return nil, err
	}
	return &Handler{scope: scope{appendAttr: appendAttr}, level: level, socket: s, fallback: fallback}, nil
}

// Close closes the socket that this handler shares with all handlers derived from
// it. Later records go to the fallback.
func (h *Handler) Close() error {
	return h.socket.close()
}

// Enabled reports whether records of level l are kept.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.level.Level()
}

// Handle sends the record, or gives it to the fallback and returns its error.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	b := appendHeader(make([]byte, 0, 512), r)
	b = h.appendAll(b, r)
	if err := h.socket.send(b); err != nil {
		return h.fallback.Handle(ctx, r)
	}
	return nil
}

// WithAttrs returns a handler that adds attrs to each record.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	derived := *h
	derived.scope = h.with(attrs)
	derived.fallback = h.fallback.WithAttrs(attrs)
	return &derived
}

// WithGroup returns a handler that puts name before the keys of later attributes.
func (h *Handler) WithGroup(name string) slog.Handler {
	derived := *h
	derived.scope = h.group(name)
	derived.fallback = h.fallback.WithGroup(name)
	return &derived
}
