// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseAnswer(t *testing.T) {
	for _, tt := range []struct {
		text   string
		server string
		seq    uint64
		ok     bool
	}{
		{"rs1 0", "rs1", 0, true},
		{"rs1 42\n", "rs1", 42, true},
		{"10.0.1.11:80 18446744073709551615", "10.0.1.11:80", math.MaxUint64, true},
		{strings.Repeat("n", MaxNameLen) + " 1", strings.Repeat("n", MaxNameLen), 1, true},
		{"", "", 0, false},
		{"rs1", "", 0, false},
		{"rs1 ", "", 0, false},
		{" 1", "", 0, false},
		{"rs1  1", "", 0, false},
		{"rs1 -1", "", 0, false},
		{"rs1 +1", "", 0, false},
		{"rs1 01", "", 0, false},
		{"rs1 1\r\n", "", 0, false},
		{"rs1 1\n\n", "", 0, false},
		{"rs1 18446744073709551616", "", 0, false},
		{"r\x00s 1", "", 0, false},
		{strings.Repeat("n", MaxNameLen+1) + " 1", "", 0, false},
	} {
		got, err := ParseAnswer([]byte(tt.text))
		if (err == nil) != tt.ok || (err != nil && !errors.Is(err, ErrMalformed)) {
			t.Errorf("ParseAnswer(%q): error %v", tt.text, err)
		}
		if string(got.Server) != tt.server || got.Seq != tt.seq {
			t.Errorf("ParseAnswer(%q) = %q, %d, want %q, %d", tt.text, got.Server, got.Seq, tt.server, tt.seq)
		}
	}
}

func TestAnswerRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Answer{
			Server: []byte(rapid.StringMatching(`[!-~]{1,64}`).Draw(t, "server")),
			Seq:    rapid.Uint64().Draw(t, "seq"),
		}
		b := want.AppendTo(nil)
		if len(b)+1 > MaxMessageLen {
			t.Fatalf("answer of %d bytes, more than MaxMessageLen", len(b)+1)
		}
		got, err := ParseAnswer(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("answer (-want +got):\n%s", diff)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	for _, seed := range []string{"rs1 42\n", "rs1 0", "rs1 01", " 1", "a b c", "\n", "rs1 18446744073709551616"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAnswer(b)
		if err != nil {
			return
		}
		if again := string(a.AppendTo(nil)); again != strings.TrimSuffix(string(b), "\n") {
			t.Errorf("%q parses as %q", b, again)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{"42\n", "0", "00", "-1", "+1", "", "\n", "18446744073709551616"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		seq, err := ParseRequest(b)
		if err != nil {
			return
		}
		if again := string(AppendRequest(nil, seq)); again != strings.TrimSuffix(string(b), "\n") {
			t.Errorf("%q parses as %q", b, again)
		}
	})
}
