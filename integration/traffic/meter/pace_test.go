// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFollowing(t *testing.T) {
	const interval = 10 * time.Millisecond
	for _, tt := range []struct {
		name           string
		due, now, want int // milliseconds
	}{
		{"in time", 0, 0, 10},
		{"late within the interval", 0, 7, 10},
		{"one request missed is caught up", 0, 17, 10},
		{"ten missed are caught up", 0, 110, 10},
		{"more are left out", 0, 111, 111},
	} {
		if got := following(at(tt.due).Time, at(tt.now).Time, interval); !got.Equal(at(tt.want).Time) {
			t.Errorf("%s: next is due at %v, want %v", tt.name, got.Sub(epoch), at(tt.want).Sub(epoch))
		}
	}
}

func TestPaceEndsWithContext(t *testing.T) {
	for range 100 {
		ctx, cancel := context.WithCancel(context.Background())
		sent := 0
		pace(ctx, 1, func(time.Time) {
			sent++
			cancel()
		})
		if sent != 1 {
			t.Fatalf("sent %d times, want no more once the context has ended", sent)
		}
	}
}

func TestPaceKeepsRateAfterDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 55*time.Millisecond)
		defer cancel()
		start := time.Now()
		var sent []time.Duration
		pace(ctx, 10*time.Millisecond, func(now time.Time) {
			sent = append(sent, now.Sub(start)/time.Millisecond)
			if len(sent) == 2 {
				time.Sleep(25 * time.Millisecond)
			}
		})
		if diff := cmp.Diff([]time.Duration{0, 10, 35, 35, 40, 50}, sent); diff != "" {
			t.Errorf("sent at ms (-want +got):\n%s", diff)
		}
	})
}
