// SPDX-License-Identifier: Apache-2.0

package health

import "time"

const (
	maxSpread = time.Second           // the last of many first probes starts before this
	maxGap    = 20 * time.Millisecond // between two first probes, where there are few
	jitter    = 0.05                  // of an interval, to either side
)

// firstDelay is how long the i-th of n targets that start together waits for
// its first probe: the first not at all, each further one a little longer.
func firstDelay(i, n int) time.Duration {
	return time.Duration(i) * min(maxGap, maxSpread/time.Duration(max(n, 1)))
}

// nextDelay is how long to wait for the next probe when the last one started
// elapsed ago. Its random number, from 0 up to 1, puts the distance of the two
// starts anywhere within interval ± jitter, so that targets don't stay in step.
func nextDelay(interval, elapsed time.Duration, random float64) time.Duration {
	distance := time.Duration(float64(interval) * (1 - jitter + 2*jitter*random))
	return max(distance-elapsed, 0)
}
