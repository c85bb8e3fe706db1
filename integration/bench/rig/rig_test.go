// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Unix(1_700_000_000, 0)

// at returns points in time, in milliseconds since epoch.
func at(ms ...int) []time.Time {
	var times []time.Time
	for _, m := range ms {
		times = append(times, epoch.Add(time.Duration(m)*time.Millisecond))
	}
	return times
}

// each returns every interval-th millisecond from first to last.
func each(interval, first, last int) []int {
	var ms []int
	for m := first; m <= last; m += interval {
		ms = append(ms, m)
	}
	return ms
}

func TestLongestSilence(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name           string
		pulse, answers []time.Time
		want           Silence
	}{
		{"every probe answered", at(each(10, 0, 100)...), at(each(10, 0, 100)...), Silence{at(0)[0], 10 * ms, 0}},
		{"an outage", at(each(10, 0, 100)...), at(0, 10, 20, 70, 80, 90, 100), Silence{at(20)[0], 50 * ms, 0}},
		{"answers end early", at(each(10, 0, 100)...), at(0, 10, 20, 30), Silence{at(30)[0], 70 * ms, 0}},
		{"no answer", at(each(10, 0, 100)...), nil, Silence{at(0)[0], 100 * ms, 0}},
		{"the machine paused", at(0, 10, 60, 70, 80, 90, 100), at(0, 10, 60, 70, 80, 90, 100), Silence{at(0)[0], 10 * ms, 0}},
		{"the machine paused in an outage", at(0, 10, 50, 60, 70, 80, 90, 100), at(0, 10, 90, 100), Silence{at(10)[0], 50 * ms, 30 * ms}},
		{"the machine paused amid an outage", at(0, 10, 20, 30, 60, 70, 80, 90, 100), at(0, 10, 90, 100), Silence{at(10)[0], 80 * ms, 0}},
		{"the machine paused at the end of an outage", at(0, 10, 20, 30, 40, 50, 90, 100), at(0, 10, 90, 100), Silence{at(10)[0], 50 * ms, 30 * ms}},
		{"an outage beside a longer pause", at(0, 10, 60, 70, 80, 90, 100), at(0, 10, 60, 90, 100), Silence{at(60)[0], 30 * ms, 0}},
		{"a delay of less than an interval is none", at(0, 10, 29, 40, 50, 60, 70, 80, 90, 100), at(0, 10, 29, 40, 50, 60, 70, 80, 90, 100), Silence{at(10)[0], 19 * ms, 0}},
		{"answers outside the window", at(each(10, 0, 200)...), append(at(-50, 0), at(110, 120)...), Silence{at(0)[0], 100 * ms, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := LongestSilence(tt.pulse, tt.answers, 10*ms, epoch, epoch.Add(100*ms))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestBothHeld(t *testing.T) {
	change := func(ms int, node string, held bool) Change {
		return Change{At: at(ms)[0], Node: node, Address: "10.0.0.100", Held: held}
	}
	handOver := []Change{change(0, D1, true), change(100, D2, true), change(130, D1, false)}
	tests := []struct {
		name     string
		changes  []Change
		from, to int
		want     int // ms
	}{
		{"one after the other", []Change{change(0, D1, true), change(100, D1, false), change(130, D2, true)}, 0, 200, 0},
		{"a hand-over", handOver, 0, 200, 30},
		{"the window begins in it", handOver, 120, 200, 10},
		{"the window ends in it", handOver, 0, 110, 10},
		{"to the end", []Change{change(0, D1, true), change(100, D2, true)}, 0, 200, 100},
		{"twice", append(handOver, change(150, D1, true), change(155, D2, false)), 0, 200, 35},
		{"another address", []Change{change(0, D1, true), {at(100)[0], D2, "10.0.0.101", true}}, 0, 200, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := BothHeld(tt.changes, "10.0.0.100", at(tt.from)[0], at(tt.to)[0])
			if want := time.Duration(tt.want) * time.Millisecond; got != want {
				t.Errorf("both held for %s, want %s", got, want)
			}
		})
	}
}

func TestHeldAt(t *testing.T) {
	changes := []Change{{at(10)[0], D1, "10.0.0.100", true}, {at(50)[0], D1, "10.0.0.100", false}}
	for ms, want := range map[int]bool{5: false, 10: true, 49: true, 50: false, 90: false} {
		if got := HeldAt(changes, D1, "10.0.0.100", at(ms)[0]); got != want {
			t.Errorf("held at %d ms: %t, want %t", ms, got, want)
		}
	}
}

func TestHeldWithin(t *testing.T) {
	changes := []Change{{at(10)[0], D1, "10.0.0.100", true}, {at(50)[0], D1, "10.0.0.100", false}}
	for _, tt := range []struct {
		node, address string
		from, to      int
		want          bool
	}{
		{D1, "10.0.0.100", 0, 9, false},
		{D1, "10.0.0.100", 0, 10, true},
		{D1, "10.0.0.100", 20, 30, true},
		{D1, "10.0.0.100", 49, 90, true},
		{D1, "10.0.0.100", 50, 90, false},
		{D2, "10.0.0.100", 0, 90, false},
		{D1, "10.0.0.101", 0, 90, false},
	} {
		if got := HeldWithin(changes, tt.node, tt.address, at(tt.from)[0], at(tt.to)[0]); got != tt.want {
			t.Errorf("%s of %s held from %d to %d ms: %t, want %t", tt.address, tt.node, tt.from, tt.to, got, tt.want)
		}
	}
}

func TestFindKeepalived(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("PATH", dir)
	if err := os.WriteFile("keepalived", []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{InPath, "./keepalived", filepath.Join(dir, "keepalived")} {
		got, err := findKeepalived(t.Context(), name)
		if err != nil || got != filepath.Join(dir, "keepalived") {
			t.Errorf("%s: found %q, error %v", name, got, err)
		}
	}
	if _, err := findKeepalived(t.Context(), "./keepalived-2.4"); err == nil {
		t.Error("no error for a keepalived that is not there")
	}
}

func TestSpreadAndPercentile(t *testing.T) {
	values := []time.Duration{5, 1, 4, 2, 3, 10}
	if diff := cmp.Diff(Spread{Median: 3, Min: 1, Max: 10}, SpreadOf(values)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for p, want := range map[float64]time.Duration{0: 1, 50: 3, 99: 10, 100: 10} {
		if got := Percentile(values, p); got != want {
			t.Errorf("percentile %g: %d, want %d", p, got, want)
		}
	}
}

func TestJitterOf(t *testing.T) {
	d1, d2 := MAC{1}, MAC{2}
	var heard []Advert
	for i, ms := range []int{0, 10, 20, 33, 40} {
		heard = append(heard, Advert{At: at(ms)[0], Sender: d1, Priority: 150}, Advert{At: at(ms + 1)[0], Sender: d2, Priority: uint8(i % 2)})
	}
	const ms = time.Millisecond
	tests := []struct {
		name     string
		adverts  []Advert
		from, to int
		want     Jitter
	}{
		{"all of the window", heard, -5, 45, Jitter{Adverts: 5, P50: 0, P99: 3 * ms, Max: 3 * ms}},
		{"the last one is long ago", heard, -5, 140, Jitter{Adverts: 5, P50: 3 * ms, P99: 90 * ms, Max: 90 * ms}},
		{"the first one comes late", heard, -30, 45, Jitter{Adverts: 5, P50: 3 * ms, P99: 20 * ms, Max: 20 * ms}},
		{"none", nil, 0, 100, Jitter{P50: 90 * ms, P99: 90 * ms, Max: 90 * ms}},
	}
	for _, tt := range tests {
		got := JitterOf(tt.adverts, d1, 10*ms, at(tt.from)[0], at(tt.to)[0])
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
	}
	if got := CountFrom(heard, d2); got != 2 {
		t.Errorf("%d adverts of a master from d2, want 2: a resignation is none", got)
	}
}

func TestCPUTime(t *testing.T) {
	got, err := cpuTime("42 (a b) c) S 1 42 42 0 -1 4194304 100 0 0 0 150 25 7 8 20 0 1 0 100 0 0")
	if err != nil || got != 1750*time.Millisecond {
		t.Errorf("processor time %s, error %v, want 1.75s", got, err)
	}
	if _, err := cpuTime("42 (a) S 1"); err == nil {
		t.Error("no error for a line that is cut short")
	}
}

func TestSkew(t *testing.T) {
	if got, want := (Setup{Interval: time.Second}).Skew(), 609375*time.Microsecond; got != want {
		t.Errorf("skew time %s, want %s", got, want)
	}
	if got, want := (Setup{Interval: time.Second}).DownInterval(), 3609375*time.Microsecond; got != want {
		t.Errorf("master-down interval %s, want %s", got, want)
	}
}

// TestForgeries: the frames have an IPv4 header that the kernel takes; what is
// wrong is only what is said to be.
func TestForgeries(t *testing.T) {
	for _, f := range Forgeries("10.0.0.100") {
		b := f.frame(MAC{2})
		ip := b[ethernetLen : ethernetLen+20]
		if sum := Checksum(ip); sum != 0 {
			t.Errorf("%s: IPv4 header checksum is off by %#x", f.What, sum)
		}
		if got := int(ip[2])<<8 | int(ip[3]); got != len(b)-ethernetLen {
			t.Errorf("%s: IPv4 total length %d, want %d", f.What, got, len(b)-ethernetLen)
		}
	}
}

func TestRawDrops(t *testing.T) {
	const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
    1: 00000000:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 77 2 0000000000000000 500
  112: 00000000:0070 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 78 2 0000000000000000 17
  112: 120000E0:0070 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 79 2 0000000000000000 4
`
	if got, err := rawDrops(strings.NewReader(text)); got != 21 || err != nil {
		t.Errorf("rawDrops = %d, %v, want 21", got, err)
	}
	if _, err := rawDrops(strings.NewReader("112: 00000000:0070 00000000:0000 x\n")); err == nil {
		t.Error("no error for drops that are no number")
	}
}

func TestQuota(t *testing.T) {
	start := time.Unix(0, 0)
	q := quota{rate: 100_000, last: start}
	at := func(d time.Duration) time.Time { return start.Add(d) }
	for _, step := range []struct {
		at   time.Time
		want int
	}{
		{at(0), 0},
		{at(time.Millisecond), 100},
		{at(time.Millisecond + 15*time.Microsecond), 1},
		{at(time.Millisecond + 20*time.Microsecond), 1}, // what is half due is not lost
		{at(10 * time.Millisecond), 898},
		{at(time.Second), int(maxBacklog / (10 * time.Microsecond))},
	} {
		if got := q.take(step.at); got != step.want {
			t.Errorf("due at %v = %d, want %d", step.at.Sub(start), got, step.want)
		}
	}
}
