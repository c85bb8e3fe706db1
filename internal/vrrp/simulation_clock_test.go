// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"testing"
	"time"
	"unsafe"
)

// clock is a director's. Its wall clock may be stepped, which its monotonic
// reading does not follow.
type clock struct {
	boot time.Time // with a monotonic reading
	step time.Duration
}

// epoch has a monotonic reading. Only differences to it matter.
var epoch = time.Now()

// read is what time.Now returns at d since the begin.
func (c clock) read(d time.Duration) time.Time {
	t := c.boot.Add(d)
	// The layout of a time.Time with monotonic reading: one bit that says so,
	// 33 bits of seconds of the wall clock, 30 bits of nanoseconds.
	wall := (*uint64)(unsafe.Pointer(&t))
	*wall += uint64(c.step/time.Second) << 30
	return t
}

// since is the inverse of read, whatever the steps.
func (c clock) since(t time.Time) time.Duration { return t.Sub(c.boot) }

func TestClock(t *testing.T) {
	c := clock{boot: epoch}
	before := c.read(time.Second)
	c.step = -time.Hour
	after := c.read(3 * time.Second)
	if got := after.Sub(before); got != 2*time.Second {
		t.Errorf("monotonic: %v passed, want 2 s", got)
	}
	if got := after.Round(0).Sub(before.Round(0)); got != 2*time.Second-time.Hour {
		t.Errorf("wall: %v passed, want 2 s less an hour", got)
	}
}
