// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"fmt"
	"strconv"
	"time"
)

// instantLayout is RFC 3339 with milliseconds.
const instantLayout = "2006-01-02T15:04:05.000Z07:00"

// Millis is a duration that reads and writes in JSON as milliseconds, to the microsecond.
type Millis time.Duration

// String returns the duration in milliseconds to the tenth, such as "12.3 ms".
func (m Millis) String() string {
	return fmt.Sprintf("%.1f ms", float64(m)/float64(time.Millisecond))
}

// MarshalJSON writes the duration as a number.
func (m Millis) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(m)/float64(time.Millisecond), 'f', 3, 64), nil
}

// UnmarshalJSON reads a number.
func (m *Millis) UnmarshalJSON(b []byte) error {
	ms, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("milliseconds %q: %w", b, err)
	}
	*m = Millis(time.Duration(ms * float64(time.Millisecond)).Round(time.Microsecond))
	return nil
}

// Instant is a point in wall-clock time that reads and writes in JSON as RFC 3339
// with milliseconds.
type Instant struct{ time.Time }

// String returns the time in RFC 3339 with milliseconds.
func (i Instant) String() string {
	return i.Format(instantLayout)
}

// MarshalJSON writes the time as a string.
func (i Instant) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, i.String()), nil
}
