// SPDX-License-Identifier: Apache-2.0

package health

import (
	"errors"
	"fmt"
	"strconv"
)

// StatusRange is a range of HTTP status codes, both ends included, within
// 100 to 599 (RFC 9110 section 15).
type StatusRange struct{ Low, High int }

// Contains tells whether status lies in the range.
func (r StatusRange) Contains(status int) bool { return r.Low <= status && status <= r.High }

// String returns "204" or "200-299".
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
