// SPDX-License-Identifier: Apache-2.0

package health

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMonitor(t *testing.T) {
	tests := []struct {
		name       string
		rise, fall int
		results    string // + success, - failure
		verdicts   string // after each result: h healthy, f failed; capital where it changed
	}{
		{"the first success is enough", 3, 3, "+", "H"},
		{"the first failure is enough", 3, 3, "-", "F"},
		{"fall failures in a row", 2, 3, "+---", "HhhF"},
		{"a success between starts the count anew", 2, 3, "+--+---", "HhhhhhF"},
		{"rise successes in a row", 2, 3, "-++", "FfH"},
		{"a failure between starts the count anew", 2, 3, "-+-++", "FfffH"},
		{"more of the same changes nothing", 1, 1, "++--", "HhFf"},
		{"below one counts as one", 0, -1, "+-+", "HFH"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewMonitor(tt.rise, tt.fall)
			verdicts := ""
			for _, result := range tt.results {
				changed := m.Observe(result == '+')
				verdicts += letter(m.Verdict(), changed)
			}
			if diff := cmp.Diff(tt.verdicts, verdicts); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
		})
	}
}

func letter(v Verdict, changed bool) string {
	letters := map[Verdict][2]string{Unknown: {"u", "U"}, Healthy: {"h", "H"}, Failed: {"f", "F"}}
	if changed {
		return letters[v][1]
	}
	return letters[v][0]
}

func TestMonitorAdoptsVerdictWithoutResults(t *testing.T) {
	old := NewMonitor(1, 2)
	old.Observe(true)
	old.Observe(false) // one short of fall

	m := NewMonitor(1, 2)
	m.adopt(old)
	if m.Verdict() != Healthy {
		t.Errorf("adopted verdict %s, want healthy", m.Verdict())
	}
	if m.Observe(false) {
		t.Error("the first failure overturned the adopted verdict: the old results were counted")
	}
	if !m.Observe(false) {
		t.Error("the second failure did not overturn the adopted verdict")
	}
}

// TestMonitorProperty holds the verdict against its definition: that of the
// latest run of equal results that was long enough, or of the first result.
func TestMonitorProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rise := rapid.IntRange(1, 5).Draw(t, "rise")
		fall := rapid.IntRange(1, 5).Draw(t, "fall")
		results := rapid.SliceOfN(rapid.Bool(), 1, 50).Draw(t, "results")

		m := NewMonitor(rise, fall)
		want, previous := Unknown, Unknown
		for i, ok := range results {
			run := 1
			for run <= i && results[i-run] == ok {
				run++
			}
			switch {
			case ok && (i == 0 || run >= rise):
				want = Healthy
			case !ok && (i == 0 || run >= fall):
				want = Failed
			}
			changed := m.Observe(ok)
			if m.Verdict() != want || changed != (want != previous) {
				t.Fatalf("result %d: verdict %s, changed %t; want %s, %t", i, m.Verdict(), changed, want, want != previous)
			}
			previous = want
		}
	})
}

func TestVerdictText(t *testing.T) {
	var got []string
	for _, v := range []Verdict{Unknown, Healthy, Failed} {
		text, err := v.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(text))
	}
	if diff := cmp.Diff([]string{"unknown", "healthy", "failed"}, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}
