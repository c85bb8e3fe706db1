// SPDX-License-Identifier: Apache-2.0

package health

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseStatusRange(t *testing.T) {
	const (
		notAStatus = `expected a status from 100 to 599, or a range of them such as "200-299"`
		reversed   = "the low end is above the high end"
	)
	tests := []struct {
		text  string
		want  StatusRange
		error string
	}{
		{text: "204", want: StatusRange{204, 204}},
		{text: "200-299", want: StatusRange{200, 299}},
		{text: "100-599", want: StatusRange{100, 599}},
		{text: "", error: notAStatus},
		{text: "ok", error: notAStatus},
		{text: "99", error: notAStatus},
		{text: "600", error: notAStatus},
		{text: "200-", error: notAStatus},
		{text: "-299", error: notAStatus},
		{text: "200-299-399", error: notAStatus},
		{text: " 200", error: notAStatus},
		{text: "+20", error: notAStatus},
		{text: "0204", error: notAStatus},
		{text: "299-200", error: reversed},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := ParseStatusRange(tt.text)
			text := ""
			if err != nil {
				text = err.Error()
			}
			want := tt.error
			if want != "" {
				want = `status range "` + tt.text + `": ` + want
			}
			if diff := cmp.Diff(want, text); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("range (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatusRangeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.IntRange(100, 599).Draw(t, "low")
		want := StatusRange{Low: low, High: rapid.IntRange(low, 599).Draw(t, "high")}
		got, err := ParseStatusRange(want.String())
		if err != nil || got != want {
			t.Fatalf("ParseStatusRange(%q) = %v, %v", want.String(), got, err)
		}
	})
}

func FuzzParseStatusRange(f *testing.F) {
	for _, text := range []string{"204", "200-299", "299-200", "-", "2e2", "٢٠٠"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseStatusRange(text)
		if err != nil {
			return
		}
		if again, err := ParseStatusRange(r.String()); err != nil || again != r {
			t.Fatalf("%q is %v, but %q is %v, %v", text, r, r.String(), again, err)
		}
	})
}
