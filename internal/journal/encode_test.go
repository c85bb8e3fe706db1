// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// field is one decoded field of a record.
type field struct{ Name, Value string }

// decode reads a record in the native protocol, as journald does.
func decode(b []byte) ([]field, error) {
	var fields []field
	for len(b) > 0 {
		line, rest, found := bytes.Cut(b, []byte("\n"))
		if !found {
			return nil, fmt.Errorf("no newline after %q", b)
		}
		if name, value, text := bytes.Cut(line, []byte("=")); text {
			fields = append(fields, field{string(name), string(value)})
			b = rest
			continue
		}
		if len(rest) < 8 {
			return nil, fmt.Errorf("field %q: length cut short", line)
		}
		length := binary.LittleEndian.Uint64(rest)
		rest = rest[8:]
		if length >= uint64(len(rest)) || rest[length] != '\n' {
			return nil, errors.New("binary value does not end in a newline")
		}
		fields = append(fields, field{string(line), string(rest[:length])})
		b = rest[length+1:]
	}
	return fields, nil
}

// validName is systemd's journal_field_valid, with protected names refused.
var validName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

func TestFieldName(t *testing.T) {
	for _, tt := range []struct{ key, want string }{
		{KeyInstance, "INSTANCE"},
		{KeyVirtualServer, "VIRTUAL_SERVER"},
		{KeyRealServer, "REAL_SERVER"},
		{KeyFrom, "FROM"},
		{KeyTo, "TO"},
		{KeyReason, "REASON"},
		{KeyMessageID, "MESSAGE_ID"},
		{"probe.http.status-code", "PROBE_HTTP_STATUS_CODE"},
		{"Größe", "GR__E"},
		{"_pid", "PID"},
		{"2nd", "FIELD_2ND"},
		{"message", "FIELD_MESSAGE"},
		{"priority", "FIELD_PRIORITY"},
		{"syslog.identifier", "FIELD_SYSLOG_IDENTIFIER"},
		{"", "FIELD"},
		{"=\n", "FIELD"},
		{strings.Repeat("x", 70), strings.Repeat("X", 64)},
		{strings.Repeat("7", 70), "FIELD_" + strings.Repeat("7", 58)},
	} {
		if got := fieldName(tt.key); got != tt.want {
			t.Errorf("fieldName(%q) = %q, want %q", tt.key, got, tt.want)
		}
	}
}

func TestPriority(t *testing.T) {
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: "7", slog.LevelInfo: "6", slog.LevelInfo + 2: "6", slog.LevelWarn: "4",
		slog.LevelError: "3", slog.LevelError + 4: "3",
	} {
		if got := priority(level); got != want {
			t.Errorf("priority(%v) = %s, want %s", level, got, want)
		}
	}
}

func TestAppendFieldForms(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"REASON", "timeout", "REASON=timeout\n"},
		{"REASON", "", "REASON=\n"},
		{"REASON", "a=b", "REASON=a=b\n"},
		{"REASON", "two\nlines", "REASON\n\x09\x00\x00\x00\x00\x00\x00\x00two\nlines\n"},
	} {
		if got := string(appendField(nil, tt.name, tt.value)); got != tt.want {
			t.Errorf("appendField(%q, %q) = %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

func TestAttributeValues(t *testing.T) {
	server := netip.MustParseAddrPort("[2001:db8::1]:80")
	at := time.Date(2026, 11, 24, 6, 12, 38, 5e6, time.UTC)
	for _, tt := range []struct {
		value any
		want  string
	}{
		{server, "[2001:db8::1]:80"},
		{1500 * time.Millisecond, "1.5s"},
		{at, "2026-11-24T06:12:38.005Z"},
		{errors.New("connection refused"), "connection refused"},
		{uint64(7), "7"},
		{true, "true"},
		{nil, "<nil>"},
		{(*failing)(nil), "<nil>"},
	} {
		if got := valueText(slog.AnyValue(tt.value).Resolve()); got != tt.want {
			t.Errorf("valueText(%#v) = %q, want %q", tt.value, got, tt.want)
		}
	}
}

// failing is an error whose method can't stand a nil receiver.
type failing struct{ text string }

func (f *failing) Error() string { return f.text }

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pairs := rapid.SliceOf(rapid.Custom(func(t *rapid.T) field {
			return field{
				rapid.StringMatching(`[a-zA-Z0-9_.=\n -]{0,80}`).Draw(t, "key"),
				rapid.OneOf(rapid.String(), rapid.StringMatching(`[a\n=]{0,9}`)).Draw(t, "value"),
			}
		})).Draw(t, "attributes")
		message := rapid.String().Draw(t, "message")

		record := slog.NewRecord(time.Time{}, slog.LevelInfo, message, 0)
		want := []field{{"PRIORITY", "6"}, {"SYSLOG_IDENTIFIER", "lvs-ha"}, {"MESSAGE", message}}
		for _, p := range pairs {
			if p.Name == "" && p.Value == "" {
				p.Value = "not the empty attribute"
			}
			record.AddAttrs(slog.String(p.Name, p.Value))
			want = append(want, field{fieldName(p.Name), p.Value})
		}
		b := scope{appendAttr: appendAttr}.appendAll(appendHeader(nil, record), record)
		got, err := decode(b)
		if err != nil {
			t.Fatalf("decode(%q): %v", b, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("fields (-want +got):\n%s", diff)
		}
	})
}

func FuzzAppendField(f *testing.F) {
	f.Add("reason", "timeout")
	f.Add("probe.error", "line one\nline two")
	f.Add("_hostname", "=")
	f.Add("9", "\n")
	f.Add("\xff\x00", "\x00")
	f.Fuzz(func(t *testing.T, key, value string) {
		name := fieldName(key)
		if !validName.MatchString(name) {
			t.Errorf("fieldName(%q) = %q, which journald drops", key, name)
		}
		next := field{"NEXT", "record goes on"}
		got, err := decode(appendField(appendField(nil, name, value), next.Name, next.Value))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]field{{name, value}, next}, got); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
	})
}
