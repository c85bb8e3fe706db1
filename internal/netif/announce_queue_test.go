// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drain sends all that waits, at the times that the backlog allows, and returns the turns and how long they took.
func drain(b *backlog, start time.Time) (turns []turn, took time.Duration) {
	now := start
	for len(b.waiting) > 0 {
		now = latest(now, b.ready)
		batch := b.batch(nil)
		turns = append(turns, batch...)
		b.sent(len(batch), now)
	}
	return turns, now.Sub(start)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

var compareTurns = cmp.Options{prefixes, cmp.AllowUnexported(turn{})}

func TestBacklogOrder(t *testing.T) {
	a, b, c := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::3")
	q := newBacklog(defaultRate)
	for _, vip := range []netip.Addr{a, b, c, a} {
		q.add(vip)
	}
	got, _ := drain(&q, time.Unix(1000, 0))
	want := []turn{{a, 0}, {b, 0}, {c, 0}, {a, 1}, {b, 1}}
	if diff := cmp.Diff(want, got, compareTurns); diff != "" {
		t.Errorf("all first frames, then the second ones (-want +got):\n%s", diff)
	}

	q = newBacklog(100) // one frame a batch
	now := time.Unix(1000, 0)
	q.add(a)
	q.sent(len(q.batch(nil)), now)
	q.add(b)                              // comes when only a's second frame waits
	q.add(a)                              // of which one frame still waits
	q.withdraw(map[netip.Addr]struct{}{}) // nothing
	got, _ = drain(&q, now)
	if diff := cmp.Diff([]turn{{b, 0}, {a, 1}, {b, 1}}, got, compareTurns); diff != "" {
		t.Errorf("an address that comes late (-want +got):\n%s", diff)
	}

	q.add(a)
	q.add(b)
	q.sent(1, now)
	q.withdraw(map[netip.Addr]struct{}{a: {}})
	q.add(c)
	got, _ = drain(&q, now)
	if diff := cmp.Diff([]turn{{b, 0}, {c, 0}, {b, 1}}, got, compareTurns); diff != "" {
		t.Errorf("withdrawn (-want +got):\n%s", diff)
	}
}

func TestBacklogPace(t *testing.T) {
	for _, tt := range []struct {
		rate int
		want time.Duration
	}{
		{defaultRate, 400 * ms}, {1000, 2 * time.Second}, {100_000, 20 * ms}, {1, 2000 * time.Second},
	} {
		q := newBacklog(tt.rate)
		for i := range 1000 {
			q.add(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
		}
		turns, took := drain(&q, time.Unix(1000, 0))
		if len(turns) != 2000 {
			t.Errorf("rate %d: %d frames, want 2000", tt.rate, len(turns))
		}
		slack := time.Duration(2*largestBatch) * time.Second / time.Duration(tt.rate)
		if took > tt.want || took < tt.want-slack {
			t.Errorf("rate %d: took %s, want %s less at most two batches", tt.rate, took, tt.want)
		}
	}
}

// TestBacklogProperty holds a backlog against the plain rules: nothing leaves twice in a round or after it was withdrawn,
// nothing is forgotten, and no second frame leaves while a first waits.
func TestBacklogProperty(t *testing.T) {
	vips := []netip.Addr{netip.MustParseAddr("2001:db8::1")}
	for i := range 5 {
		vips = append(vips, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
	}
	rapid.Check(t, func(t *rapid.T) {
		q := newBacklog(rapid.SampledFrom([]int{1, 300, 10_000}).Draw(t, "rate"))
		now := time.Unix(1000, 0)
		model := make(map[netip.Addr][]int) // the forms that wait
		vip := rapid.SampledFrom(vips)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				v := vip.Draw(t, "vip")
				q.add(v)
				if len(model[v]) == 0 {
					model[v] = []int{0, 1}
					if v.Is6() {
						model[v] = []int{0}
					}
				}
			},
			"withdraw": func(t *rapid.T) {
				v := vip.Draw(t, "vip")
				q.withdraw(map[netip.Addr]struct{}{v: {}})
				delete(model, v)
			},
			"send": func(t *rapid.T) {
				now = latest(now, q.ready)
				batch := q.batch(nil)
				n := rapid.IntRange(0, len(batch)).Draw(t, "sent")
				for _, turn := range batch[:n] {
					forms := model[turn.vip]
					if len(forms) == 0 || forms[0] != turn.form {
						t.Fatalf("%v leaves, want one of %v", turn, model)
					}
					for v, forms := range model {
						if turn.form == 1 && slices.Contains(forms, 0) {
							t.Fatalf("%v leaves before the first frame of %s", turn, v)
						}
					}
					if model[turn.vip] = forms[1:]; len(forms) == 1 {
						delete(model, turn.vip)
					}
				}
				q.sent(n, now)
			},
			"": func(t *rapid.T) {
				if got, want := len(q.waiting), len(model); got != want {
					t.Fatalf("%d addresses wait, want %d", got, want)
				}
				if waits := len(q.batch(nil)) > 0; waits != (len(model) > 0) {
					t.Fatalf("a frame waits: %t, with %v", waits, model)
				}
			},
		})
	})
}
