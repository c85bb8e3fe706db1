// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"slices"
	"time"
)

// Spread is a median with the extremes beside it.
type Spread struct {
	Median, Min, Max time.Duration
}

// SpreadOf returns the spread of values, of which there is at least one.
func SpreadOf(values []time.Duration) Spread {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return Spread{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}

// Percentile returns the smallest value that p percent of the values, of which
// there is at least one, do not exceed.
func Percentile(values []time.Duration, p float64) time.Duration {
	s := slices.Sorted(slices.Values(values))
	rank := int(float64(len(s))*p/100+0.9999999) - 1
	return s[min(max(rank, 0), len(s)-1)]
}
