// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"context"
	"time"
)

// maxBehind is by how many intervals sending may lag and still catch up.
const maxBehind = 10

// pace calls send each interval until ctx ends, the first time at once.
func pace(ctx context.Context, interval time.Duration, send func(now time.Time)) {
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if ctx.Err() != nil { // both were ready
			return
		}
		send(time.Now())
		next = following(next, time.Now(), interval)
		timer.Reset(time.Until(next))
	}
}

// following returns when to send after the request that was due at due. Small
// delays are caught up, so that the rate is kept; after a long one, requests that
// were due meanwhile are left out instead of sent in a burst.
func following(due, now time.Time, interval time.Duration) time.Time {
	next := due.Add(interval)
	if now.Sub(next) > maxBehind*interval {
		return now
	}
	return next
}
