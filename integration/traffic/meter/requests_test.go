// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// epoch is when the runs of these tests begin.
var epoch = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)

// at returns the instant ms milliseconds after epoch.
func at(ms int) Instant { return Instant{epoch.Add(time.Duration(ms) * time.Millisecond)} }

// millis returns a length of ms milliseconds.
func millis(ms int) Millis { return Millis(ms) * Millis(time.Millisecond) }

// event is what happens in a run, at a millisecond after epoch: request number seq
// is sent, answered by server, or an error is met.
type event struct {
	at     int
	kind   string // send, answer, error, close
	seq    uint64
	server string
}

// account plays events into a fresh account that lists silences of 20 ms.
func account(events []event) *requests {
	r := newRequests(20*time.Millisecond, epoch)
	for _, e := range events {
		now := at(e.at).Time
		switch e.kind {
		case "send":
			r.request(now)
		case "answer":
			r.answer(now, e.seq, []byte(e.server))
		case "error":
			r.failure(now, e.server)
		case "close":
			r.close(now)
		}
	}
	return r
}

func TestRequestsReport(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []event
		want   StreamReport
	}{
		{
			"every request answered",
			[]event{
				{at: 0, kind: "send"}, {at: 1, kind: "answer", seq: 0, server: "rs1"},
				{at: 10, kind: "send"}, {at: 11, kind: "answer", seq: 1, server: "rs2"},
				{at: 20, kind: "close"},
			},
			StreamReport{
				Sent: 2, Answered: 2, ByServer: map[string]uint64{"rs1": 1, "rs2": 1},
				LongestSilence: millis(10), LongestSilenceStart: at(1), LongestPause: millis(10),
			},
		},
		{
			"never answered: one silence and one outage from start to end",
			[]event{{at: 5, kind: "send"}, {at: 15, kind: "send"}, {at: 30, kind: "close"}},
			StreamReport{
				Sent: 2, Lost: 2,
				LongestSilence: millis(30), LongestSilenceStart: at(0),
				LongestOutage: millis(25), LongestOutageStart: at(5), LongestPause: millis(10),
				SilenceCount: 1, Silences: []Silence{{at(0), millis(30)}},
			},
		},
		{
			"failover: requests 1 and 2 lost",
			[]event{
				{at: 0, kind: "send"}, {at: 1, kind: "answer", seq: 0, server: "rs1"},
				{at: 10, kind: "send"}, {at: 12, kind: "error", server: "connection refused"}, {at: 20, kind: "send"},
				{at: 22, kind: "error", server: "connection refused"},
				{at: 30, kind: "send"}, {at: 31, kind: "answer", seq: 3, server: "rs2"}, {at: 35, kind: "close"},
			},
			StreamReport{
				Sent: 4, Answered: 2, Lost: 2, ByServer: map[string]uint64{"rs1": 1, "rs2": 1},
				Errors: map[string]uint64{"connection refused": 2}, FirstError: at(12), LastError: at(22),
				LongestSilence: millis(30), LongestSilenceStart: at(1),
				LongestOutage: millis(20), LongestOutageStart: at(10), LongestPause: millis(10),
				SilenceCount: 1, Silences: []Silence{{at(1), millis(30)}},
			},
		},
		{
			"delayed, not lost: a silence and no outage",
			[]event{
				{at: 0, kind: "send"}, {at: 1, kind: "answer", seq: 0, server: "rs1"},
				{at: 10, kind: "send"}, {at: 20, kind: "send"},
				{at: 50, kind: "answer", seq: 2, server: "rs1"}, {at: 50, kind: "answer", seq: 1, server: "rs1"},
				{at: 50, kind: "close"},
			},
			StreamReport{
				Sent: 3, Answered: 3, ByServer: map[string]uint64{"rs1": 3},
				LongestSilence: millis(49), LongestSilenceStart: at(1), LongestPause: millis(10),
				SilenceCount: 1, Silences: []Silence{{at(1), millis(49)}},
			},
		},
		{
			"answer after the end is counted but not timed",
			[]event{{at: 0, kind: "send"}, {at: 10, kind: "close"}, {at: 400, kind: "answer", seq: 0, server: "rs1"}},
			StreamReport{
				Sent: 1, Answered: 1, ByServer: map[string]uint64{"rs1": 1},
				LongestSilence: millis(10), LongestSilenceStart: at(0),
			},
		},
		{
			"answers that nobody waits for",
			[]event{
				{at: 0, kind: "answer", seq: 0, server: "rs1"}, {at: 1, kind: "send"},
				{at: 2, kind: "answer", seq: 0, server: "rs1"}, {at: 3, kind: "answer", seq: 0, server: "rs2"},
				{at: 4, kind: "answer", seq: 1 << 60, server: "rs1"}, {at: 5, kind: "close"},
			},
			StreamReport{
				Sent: 1, Answered: 1, ByServer: map[string]uint64{"rs1": 1},
				Errors: map[string]uint64{textUnasked: 2, textDuplicate: 1}, FirstError: at(0), LastError: at(4),
				LongestSilence: millis(3), LongestSilenceStart: at(2),
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, m := range []*map[string]uint64{&tt.want.ByServer, &tt.want.Errors} {
				if *m == nil {
					*m = map[string]uint64{}
				}
			}
			if tt.want.Silences == nil {
				tt.want.Silences = []Silence{}
			}
			if diff := gocmp.Diff(tt.want, account(tt.events).report()); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRequestsAgainstModel compares the account of random runs with one that is
// computed afterwards from all events.
func TestRequestsAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events, end := drawRun(t)
		got := account(append(slices.Clone(events), event{at: end, kind: "close"})).report()

		heard, sent := []int{0}, []int{}
		answered := map[uint64]bool{}
		for _, e := range events {
			switch e.kind {
			case "send":
				sent = append(sent, e.at)
			case "answer":
				heard = append(heard, e.at)
				answered[e.seq] = true
			}
		}
		heard = append(heard, end)
		var lengths []int
		for i := range heard[1:] {
			lengths = append(lengths, heard[i+1]-heard[i])
		}
		outage := 0
		for first := range sent {
			next := first
			for next < len(sent) && !answered[uint64(next)] {
				next++
			}
			if next > first {
				outage = max(outage, append(sent, end)[next]-sent[first])
			}
		}

		equal(t, "sent", got.Sent, uint64(len(sent)))
		equal(t, "answered", got.Answered, uint64(len(answered)))
		equal(t, "lost", got.Lost, got.Sent-got.Answered)
		equal(t, "by server, summed", sum(got.ByServer), got.Answered)
		equal(t, "errors, summed", sum(got.Errors), 0)
		equal(t, "longest silence", got.LongestSilence, millis(slices.Max(lengths)))
		equal(t, "longest outage", got.LongestOutage, millis(outage))

		slices.SortFunc(lengths, func(a, b int) int { return cmp.Compare(b, a) })
		listed := []int{}
		for _, length := range lengths {
			if length >= 20 {
				listed = append(listed, length)
			}
		}
		equal(t, "silence count", got.SilenceCount, len(listed))
		gotLengths := []int{}
		for _, s := range got.Silences {
			gotLengths = append(gotLengths, int(time.Duration(s.Length)/time.Millisecond))
		}
		slices.SortFunc(gotLengths, func(a, b int) int { return cmp.Compare(b, a) })
		if diff := gocmp.Diff(listed[:min(len(listed), maxSilences)], gotLengths); diff != "" {
			t.Errorf("listed silences (-want +got):\n%s", diff)
		}
		if !slices.IsSortedFunc(got.Silences, func(a, b Silence) int { return a.Start.Compare(b.Start.Time) }) {
			t.Errorf("silences are not in the order of time: %v", got.Silences)
		}
	})
}

// drawRun draws a run in which each request is answered once or never, and when
// sending ends.
func drawRun(t *rapid.T) (events []event, end int) {
	now := 0
	var open []uint64
	var next uint64
	for range rapid.IntRange(0, 400).Draw(t, "events") {
		now += rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 60)).Draw(t, "passed")
		if len(open) == 0 || rapid.Bool().Draw(t, "send") {
			events = append(events, event{at: now, kind: "send"})
			open = append(open, next)
			next++
			continue
		}
		i := rapid.IntRange(0, len(open)-1).Draw(t, "answered")
		server := fmt.Sprintf("rs%d", rapid.IntRange(1, 3).Draw(t, "server"))
		events = append(events, event{at: now, kind: "answer", seq: open[i], server: server})
		open = slices.Delete(open, i, i+1)
		for len(open) > 0 && rapid.IntRange(0, 9).Draw(t, "lose") == 0 {
			open = open[1:]
		}
	}
	return events, now + rapid.IntRange(0, 60).Draw(t, "end")
}

func equal[T comparable](t *rapid.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func sum(counts map[string]uint64) (total uint64) {
	for _, n := range counts {
		total += n
	}
	return total
}

func TestLanesFallSilentAlone(t *testing.T) {
	s := newStream(20 * time.Millisecond)
	silent, talking := s.open(at(0).Time), s.open(at(0).Time)
	silent.answer(at(5).Time, []byte("rs1"))
	for ms := 10; ms <= 100; ms += 10 {
		talking.answer(at(ms).Time, []byte("rs2"))
	}
	silent.close(at(100).Time)
	talking.close(at(100).Time)
	silent.close(at(200).Time)

	got := s.report()
	if diff := gocmp.Diff([]Silence{{at(5), millis(95)}}, got.Silences); diff != "" {
		t.Errorf("silences (-want +got):\n%s", diff)
	}
}

func TestErrorTextsAreBounded(t *testing.T) {
	s := newStream(0)
	for i := range 100 {
		s.failure(at(i).Time, fmt.Sprintf("error %d", i))
	}
	got := s.report()
	if len(got.Errors) != maxErrorTexts+1 || sum(got.Errors) != 100 {
		t.Errorf("%d texts for %d errors, want %d for 100", len(got.Errors), sum(got.Errors), maxErrorTexts+1)
	}
}
