// SPDX-License-Identifier: Apache-2.0

package health

// Verdict is what the probes of a target have shown so far.
type Verdict uint8

// The verdicts.
const (
	Unknown Verdict = iota // no result yet
	Healthy
	Failed
)

// String returns "unknown", "healthy" or "failed".
func (v Verdict) String() string {
	switch v {
	case Healthy:
		return "healthy"
	case Failed:
		return "failed"
	default:
		return "unknown"
	}
}

// MarshalText returns String's text; it never fails.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Monitor derives a verdict from a target's results: the first result gives
// the first verdict, later it takes rise successes or fall failures in a row to
// overturn it. The zero Monitor has a rise and fall of 1.
type Monitor struct {
	rise, fall int
	verdict    Verdict
	against    int // latest results in a row that contradict the verdict
}

// NewMonitor returns a monitor without a verdict. A rise or fall below 1 counts
// as 1.
func NewMonitor(rise, fall int) Monitor { return Monitor{rise: rise, fall: fall} }

// Observe takes in one result and tells whether the verdict changed by it.
func (m *Monitor) Observe(ok bool) (changed bool) {
	observed, needed := Failed, m.fall
	if ok {
		observed, needed = Healthy, m.rise
	}
	if m.verdict == observed {
		m.against = 0
		return false
	}
	m.against++
	if m.verdict != Unknown && m.against < needed {
		return false
	}
	m.verdict, m.against = observed, 0
	return true
}

// Verdict returns the verdict after the results so far.
func (m *Monitor) Verdict() Verdict { return m.verdict }

// adopt takes over the verdict of a monitor of the same address, not its
// results: those answered another question.
func (m *Monitor) adopt(previous Monitor) { m.verdict, m.against = previous.verdict, 0 }
