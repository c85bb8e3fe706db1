// SPDX-License-Identifier: Apache-2.0

package meter

import "time"

// requests accounts independent requests, numbered 0, 1, 2 and so on, that are sent
// whether or not those before them were answered. It is pure, as stream is. It keeps
// 9 bytes for each request, about 32 MB for an hour of one each millisecond.
type requests struct {
	*stream
	lane         *lane
	start        time.Time
	sentAt       []time.Duration // since start, by number
	done         []bool          // answered, by number
	longestPause time.Duration
	closedAt     time.Time
}

// newRequests returns an account that begins at start and lists silences of at
// least threshold.
func newRequests(threshold time.Duration, start time.Time) *requests {
	s := newStream(threshold)
	return &requests{stream: s, lane: s.open(start), start: start}
}

// request counts a request sent and returns its number.
func (r *requests) request(now time.Time) uint64 {
	at := now.Sub(r.start)
	if n := len(r.sentAt); n > 0 {
		r.longestPause = max(r.longestPause, at-r.sentAt[n-1])
	}
	seq := uint64(len(r.sentAt))
	r.sentAt = append(r.sentAt, at)
	r.done = append(r.done, false)
	r.stream.request()
	return seq
}

// answer counts an answer from server to the request with number seq, and reports
// whether it is the first of all. One that answers no request, or an answered one,
// is a failure.
func (r *requests) answer(now time.Time, seq uint64, server []byte) (first bool) {
	switch {
	case seq >= uint64(len(r.done)):
		r.failure(now, textUnasked)
	case r.done[seq]:
		r.failure(now, textDuplicate)
	default:
		r.done[seq] = true
		r.lane.answer(now, server)
		return r.answered == 1
	}
	return false
}

// close ends the sending. Answers may still come.
func (r *requests) close(now time.Time) {
	r.lane.close(now)
	r.closedAt = now
}

// settled reports whether sending has ended and nothing is to be waited for.
func (r *requests) settled() bool {
	return !r.closedAt.IsZero() && r.answered == r.sent
}

// report returns the account so far.
func (r *requests) report() StreamReport {
	report := r.stream.report()
	report.LongestPause = Millis(r.longestPause)
	outage := r.longestOutage()
	report.LongestOutage, report.LongestOutageStart = outage.Length, outage.Start
	return report
}

// longestOutage returns the longest time in which every request was lost: from the
// first lost one to the next that was answered, or to the end of sending.
func (r *requests) longestOutage() Silence {
	var longest Silence
	first := -1 // the first lost request of the outage, if there is one
	end := func(at time.Duration) {
		if first < 0 {
			return
		}
		if length := Millis(at - r.sentAt[first]); length > longest.Length {
			longest = Silence{Instant{r.start.Add(r.sentAt[first])}, length}
		}
		first = -1
	}
	for seq, answered := range r.done {
		if answered {
			end(r.sentAt[seq])
		} else if first < 0 {
			first = seq
		}
	}
	end(r.closedAt.Sub(r.start))
	return longest
}
