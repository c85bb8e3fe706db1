// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"pgregory.net/rapid"
)

func TestTextLine(t *testing.T) {
	at := time.Date(2026, 11, 24, 6, 12, 38, 123456789, time.FixedZone("CET", 3600))
	for _, tt := range []struct {
		name    string
		level   slog.Level
		message string
		attrs   []slog.Attr
		want    string
	}{
		{
			"transition", slog.LevelInfo, "web: backup -> master (master down timer)",
			[]slog.Attr{slog.String(KeyInstance, "web"), slog.String(KeyReason, "master down timer"), slog.String(KeyMessageID, strings.Repeat("0", 32))},
			`INFO  web: backup -> master (master down timer)`,
		},
		{
			"group", slog.LevelWarn, "probe failed",
			[]slog.Attr{slog.Group("probe", slog.Duration("took", 1500*time.Millisecond), slog.String("error", ""))},
			`WARN  probe failed probe.took=1.5s probe.error=""`,
		},
		{
			"forged second line", slog.LevelError, "bad answer\n2026 INFO all is well",
			[]slog.Attr{slog.String("body", "a\nb=c")},
			`ERROR "bad answer\n2026 INFO all is well" body="a\nb=c"`,
		},
		{"in between levels", slog.LevelInfo + 1, "notice", nil, `INFO+1 notice`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			record := slog.NewRecord(at, tt.level, tt.message, 0)
			record.AddAttrs(tt.attrs...)
			if err := NewTextHandler(&out, slog.LevelInfo).Handle(context.Background(), record); err != nil {
				t.Fatal(err)
			}
			if want := "2026-11-24T06:12:38.123+01:00 " + tt.want + "\n"; out.String() != want {
				t.Errorf("line:\n got %q\nwant %q", out.String(), want)
			}
		})
	}
}

func TestTextHandlerObeysSlog(t *testing.T) {
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return NewTextHandler(&out, slog.LevelInfo)
	}, func(*testing.T) map[string]any {
		result := make(map[string]any)
		words := strings.Fields(strings.TrimSuffix(out.String(), "\n"))
		if _, err := time.Parse(timeLayout, words[0]); err == nil {
			result[slog.TimeKey] = words[0]
			words = words[1:]
		}
		result[slog.LevelKey], result[slog.MessageKey] = words[0], words[1]
		for _, word := range words[2:] {
			key, value, _ := strings.Cut(word, "=")
			insert(result, strings.Split(key, "."), value)
		}
		return result
	})
}

func TestTextRecordIsOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var out bytes.Buffer
		slog.New(NewTextHandler(&out, slog.LevelInfo)).Info(rapid.String().Draw(t, "message"),
			rapid.String().Draw(t, "key"), rapid.String().Draw(t, "value"))
		if line, rest, found := strings.Cut(out.String(), "\n"); !found || rest != "" {
			t.Errorf("not one line: %q then %q", line, rest)
		}
	})
}

func TestTextHandlerReportsFailedWrite(t *testing.T) {
	broken := errors.New("no space left on device")
	err := NewTextHandler(failingWriter{broken}, slog.LevelInfo).
		Handle(context.Background(), slog.NewRecord(time.Now(), slog.LevelInfo, "hello", 0))
	if !errors.Is(err, broken) {
		t.Errorf("Handle: %v, want %v", err, broken)
	}
}

// failingWriter fails each write with err.
type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
