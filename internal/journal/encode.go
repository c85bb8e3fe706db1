// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"log/slog"
	"strings"
)

// maxFieldName is the longest field name that journald takes
// (systemd's journal_field_valid).
const maxFieldName = 64

// Fields that every record carries.
const (
	fieldMessage    = "MESSAGE"
	fieldPriority   = "PRIORITY"
	fieldIdentifier = "SYSLOG_IDENTIFIER"
)

// appendHeader writes the fields that every record carries.
func appendHeader(b []byte, r slog.Record) []byte {
	b = appendField(b, fieldPriority, priority(r.Level))
	b = appendField(b, fieldIdentifier, Identifier)
	return appendField(b, fieldMessage, r.Message)
}

// appendAttr writes one attribute as a field.
func appendAttr(b []byte, key string, value slog.Value) []byte {
	return appendField(b, fieldName(key), valueText(value))
}

// appendField writes NAME=value and a newline or, for a value that has a newline
// itself, the binary form: the name, a newline, the value's length in 64 bits
// little-endian, the value, a newline.
func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	if strings.Contains(value, "\n") {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	} else {
		b = append(b, '=')
	}
	b = append(b, value...)
	return append(b, '\n')
}

// fieldName turns an attribute key into a name that journald accepts: at most 64
// characters from A-Z, 0-9 and underscore, the first of them a letter, since a
// leading underscore marks the fields that journald adds itself. A key that would
// give no such name, or that of a field every record carries, gets the prefix FIELD_.
func fieldName(key string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, key)
	name = strings.TrimLeft(name, "_")
	switch {
	case name == "":
		return "FIELD"
	case name[0] >= '0' && name[0] <= '9', name == fieldMessage, name == fieldPriority, name == fieldIdentifier:
		name = "FIELD_" + name
	}
	return name[:min(len(name), maxFieldName)]
}

// priority returns the syslog priority (RFC 5424 section 6.2.1) of a level.
func priority(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "7"
	case l < slog.LevelWarn:
		return "6"
	case l < slog.LevelError:
		return "4"
	default:
		return "3"
	}
}
