// SPDX-License-Identifier: Apache-2.0

package config

import (
	"testing"
	"time"
)

func TestNearest(t *testing.T) {
	keys := []string{"name", "interface", "vrid", "priority", "advert_interval", "preempt", "lease", "addresses"}
	tests := []struct {
		word  string
		words []string
		want  string // empty: none
	}{
		{"adresses", keys, "addresses"},
		{"address", keys, "addresses"},
		{"prioirty", keys, "priority"}, // neighbours swapped
		{"Preempt", keys, "preempt"},
		{"nmae", keys, "name"},
		{"vrd", keys, "vrid"},
		{"virtual_router_id", keys, "vrid"}, // keepalived
		{"advert_int", keys, "advert_interval"},
		{"state", keys, ""},
		{"x", keys, ""},
		{"", keys, ""},
		{"wcl", schedulers, "wlc"},
		{"WRR", schedulers, "wrr"},
		{"DR", []string{"masquerade", "direct", "tunnel"}, "direct"}, // ipvsadm and keepalived
		{"nat", []string{"masquerade", "direct", "tunnel"}, "masquerade"},
		{"rx", []string{"ry", "rz"}, "ry"}, // of equals the first
		{"büro", []string{"buro"}, "buro"},
	}
	for _, test := range tests {
		if got, ok := nearest(test.word, test.words); got != test.want || ok != (test.want != "") {
			t.Errorf("nearest(%q) = %q, %v, want %q", test.word, got, ok, test.want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ab", 1}, {"abc", "acb", 1},
		{"ca", "abc", 3}, // no letter is edited twice
		{"kitten", "sitting", 3},
	}
	for _, test := range tests {
		for _, pair := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
			if got := editDistance(pair[0], pair[1]); got != test.want {
				t.Errorf("editDistance(%q, %q) = %d, want %d", pair[0], pair[1], got, test.want)
			}
		}
	}
}

func TestShow(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "10ms": 10 * time.Millisecond, "40.95s": maxAdvertInterval, "1m": time.Minute, "1h": time.Hour,
		"1h0m1s": time.Hour + time.Second, "1m30s": 90 * time.Second, "10m": 10 * time.Minute, "1h10m": 70 * time.Minute,
	} {
		if got := show(d); got != want {
			t.Errorf("show(%v) = %q, want %q", d, got, want)
		}
	}
}
