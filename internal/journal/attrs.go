// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"log/slog"
	"slices"
)

// timeLayout is RFC 3339 with milliseconds: what text lines and time values carry.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// scope is what WithGroup and WithAttrs have gathered for a handler. Groups are
// flattened: an attribute's key is the names of its groups and its own, joined by
// dots. A scope is never changed once made, so handlers may share it.
type scope struct {
	prefix  string // the open groups, each followed by a dot
	encoded []byte // attributes given by WithAttrs
	// appendAttr writes one attribute in the handler's format.
	appendAttr func(b []byte, key string, value slog.Value) []byte
}

// group returns the scope with the group name opened.
func (s scope) group(name string) scope {
	if name != "" {
		s.prefix += name + "."
	}
	return s
}

// with returns the scope with attrs added.
func (s scope) with(attrs []slog.Attr) scope {
	s.encoded = slices.Clip(s.encoded)
	for _, a := range attrs {
		s.encoded = s.append(s.encoded, s.prefix, a)
	}
	return s
}

// appendAll writes the scope's attributes and then the record's.
func (s scope) appendAll(b []byte, r slog.Record) []byte {
	b = append(b, s.encoded...)
	r.Attrs(func(a slog.Attr) bool {
		b = s.append(b, s.prefix, a)
		return true
	})
	return b
}

// append writes an attribute or, if it is a group, every attribute in it.
func (s scope) append(b []byte, prefix string, a slog.Attr) []byte {
	if a.Equal(slog.Attr{}) {
		return b
	}
	value := a.Value.Resolve()
	if value.Kind() != slog.KindGroup {
		return s.appendAttr(b, prefix+a.Key, value)
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, member := range value.Group() {
		b = s.append(b, prefix, member)
	}
	return b
}

// valueText returns a resolved value as the reader of a log wants it.
func valueText(v slog.Value) string {
	if v.Kind() == slog.KindTime {
		return v.Time().Format(timeLayout)
	}
	return v.String()
}
