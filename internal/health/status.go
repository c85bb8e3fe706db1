// SPDX-License-Identifier: Apache-2.0

package health

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// StatusRange is a range of HTTP status codes, both ends included, within
// 100 to 599 (RFC 9110 section 15).
type StatusRange struct{ Low, High int }

// ParseStatusRange reads "204" or "200-299".
func ParseStatusRange(s string) (StatusRange, error) {
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	r := StatusRange{Low: parseStatus(low), High: parseStatus(high)}
	if err := r.validate(); err != nil {
		return StatusRange{}, fmt.Errorf("status range %q: %w", s, err)
	}
	return r, nil
}

// parseStatus returns 0, which no range allows, for what is not three digits.
func parseStatus(s string) int {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || len(s) != 3 {
		return 0
	}
	return int(n)
}

// Contains tells whether status lies in the range.
func (r StatusRange) Contains(status int) bool { return r.Low <= status && status <= r.High }

// String returns the form that ParseStatusRange reads.
func (r StatusRange) String() string {
	if r.Low == r.High {
		return strconv.Itoa(r.Low)
	}
	return fmt.Sprintf("%d-%d", r.Low, r.High)
}

func (r StatusRange) validate() error {
	all := StatusRange{Low: 100, High: 599}
	if !all.Contains(r.Low) || !all.Contains(r.High) {
		return errors.New(`expected a status from 100 to 599, or a range of them such as "200-299"`)
	}
	if r.Low > r.High {
		return errors.New("the low end is above the high end")
	}
	return nil
}
