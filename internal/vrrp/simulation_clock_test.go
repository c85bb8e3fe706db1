// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"testing"
	"time"
	"unsafe"
)

// clock is a director's. Its wall clock may be stepped, which its monotonic
// reading does not follow. Those of different directors have nothing in common
// but the wall clock's time.
type clock struct {
	boot time.Time     // with a monotonic reading
	step time.Duration // from the true time to the wall clock's
}

// epoch has a monotonic reading, and begins a second. Only differences to it
// matter.
var epoch = beginOfSecond(time.Now())

func beginOfSecond(t time.Time) time.Time { return t.Add(-time.Duration(t.Nanosecond())) }

// read is what time.Now returns at d since the begin.
func (c clock) read(d time.Duration) time.Time {
	t := c.boot.Add(d)
	// The layout of a time.Time with monotonic reading: one bit that says so,
	// 33 bits of seconds of the wall clock, 30 bits of nanoseconds.
	const secondsAt, second = 30, int64(time.Second)
	wall := (*uint64)(unsafe.Pointer(&t))
	nanoseconds := int64(t.Nanosecond()) + int64(c.step-c.boot.Sub(epoch))
	seconds := nanoseconds / second
	if nanoseconds %= second; nanoseconds < 0 {
		nanoseconds += second
		seconds--
	}
	*wall = (*wall>>secondsAt+uint64(seconds))<<secondsAt | uint64(nanoseconds)
	return t
}

// since is the inverse of read, whatever the steps.
func (c clock) since(t time.Time) time.Duration { return t.Sub(c.boot) }

func TestClock(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, -300 * time.Millisecond, 700 * time.Millisecond, 24 * time.Hour} {
		c := clock{boot: epoch.Add(7 * time.Hour)}
		before := c.read(1500 * time.Millisecond)
		if got, want := before.Round(0), epoch.Round(0).Add(1500*time.Millisecond); !got.Equal(want) {
			t.Errorf("wall: got %v, want %v", got, want)
		}
		c.step = step
		after := c.read(3 * time.Second)
		if got, want := after.Sub(before), 1500*time.Millisecond; got != want {
			t.Errorf("step %v, monotonic: %v passed, want %v", step, got, want)
		}
		if got, want := after.Round(0).Sub(before.Round(0)), 1500*time.Millisecond+step; got != want {
			t.Errorf("step %v, wall: %v passed, want %v", step, got, want)
		}
		if got := c.since(after); got != 3*time.Second {
			t.Errorf("step %v: since %v, want 3 s", step, got)
		}
	}
}
