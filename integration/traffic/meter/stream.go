// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"maps"
	"time"
)

// maxErrorTexts is how many different error texts a report tells apart.
const maxErrorTexts = 20

// otherErrors is the text under which the rest is counted.
const otherErrors = "other errors"

// stream accounts the requests of one kind. It is pure: the caller tells the time.
type stream struct {
	sent, answered uint64
	errors         map[string]uint64
	byServer       map[string]uint64
	firstError     time.Time
	lastError      time.Time
	silences       silences
}

// newStream returns an empty stream that lists silences of at least threshold.
func newStream(threshold time.Duration) *stream {
	return &stream{
		errors:   make(map[string]uint64),
		byServer: make(map[string]uint64),
		silences: silences{threshold: threshold},
	}
}

// request counts a request sent.
func (s *stream) request() {
	s.sent++
}

// failure counts an error.
func (s *stream) failure(now time.Time, text string) {
	if s.firstError.IsZero() {
		s.firstError = now
	}
	s.lastError = now
	if _, known := s.errors[text]; !known && len(s.errors) >= maxErrorTexts {
		text = otherErrors
	}
	s.errors[text]++
}

// open begins a lane: answers of which each ends the silence before it.
func (s *stream) open(now time.Time) *lane {
	return &lane{stream: s, last: now}
}

// report returns the account so far.
func (s *stream) report() StreamReport {
	return StreamReport{
		Sent:                s.sent,
		Answered:            s.answered,
		Lost:                s.sent - s.answered,
		ByServer:            maps.Clone(s.byServer),
		Errors:              maps.Clone(s.errors),
		FirstError:          Instant{s.firstError},
		LastError:           Instant{s.lastError},
		LongestSilence:      s.silences.longest.Length,
		LongestSilenceStart: s.silences.longest.Start,
		SilenceCount:        s.silences.count,
		Silences:            s.silences.list(),
	}
}

// lane is one line of answers in a stream: all of them where requests are
// independent, those of one connection where a connection can fall silent alone.
type lane struct {
	stream *stream
	last   time.Time
	closed bool
}

// answer counts an answer from server.
func (l *lane) answer(now time.Time, server []byte) {
	l.stream.answered++
	l.stream.byServer[string(server)]++
	l.heard(now)
}

// close ends the lane: what has been silent until now counts, what is answered
// later is no longer timed.
func (l *lane) close(now time.Time) {
	l.heard(now)
	l.closed = true
}

// heard ends a silence.
func (l *lane) heard(now time.Time) {
	if l.closed || now.Before(l.last) {
		return
	}
	l.stream.silences.add(l.last, now)
	l.last = now
}
