// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// expire does everything whose time has come.
func (s *Speaker) expire(now time.Time) {
	for _, i := range s.instances {
		s.do(now, i, func() []vrrp.Action { return i.expire(now) })
		if due(i.claimDue, now) {
			s.answerClaim(now, i)
		}
		if due(i.linger, now) {
			i.linger = time.Time{}
			s.dirty = true
		}
	}
	if due(s.retryAt, now) {
		s.retryAt = time.Time{}
		s.readLinks()
		s.review(now)
		s.dirty = true
	}
	if due(s.renewAt, now) {
		s.dirty = true
	}
	for _, d := range s.noise.flush(now) {
		s.emit(d.event())
	}
}

// untilNext says when the loop has to turn again. Instances wait a moment, so
// that those whose times are close together are done in one turn and their
// adverts leave in one system call.
func (s *Speaker) untilNext(now time.Time) time.Duration {
	next := now.Add(time.Hour)
	earlier := func(t time.Time, ok bool) {
		if ok && t.Before(next) {
			next = t
		}
	}
	for _, i := range s.instances {
		at, ok := i.next()
		earlier(at.Add(i.slack()), ok)
		earlier(i.rounds.Next())
		earlier(i.linger, !i.linger.IsZero())
		earlier(i.claimDue, !i.claimDue.IsZero())
	}
	if !s.keeper.busy {
		earlier(s.renewAt, !s.renewAt.IsZero())
	}
	earlier(s.retryAt, !s.retryAt.IsZero())
	earlier(s.stopBy, !s.stopBy.IsZero() && !s.stopped)
	earlier(s.noise.next())
	return max(next.Sub(now), 0)
}

// beat shows that the loop turns.
func (s *Speaker) beat() {
	if s.sys.Beat != nil {
		s.sys.Beat()
	}
}

// pace sets how often.
func (s *Speaker) pace(interval time.Duration) {
	if interval != s.beatInterval {
		s.beatInterval = interval
		s.beats.Reset(interval)
	}
}

func (s System) ticker(pace time.Duration) Ticker {
	if s.Ticker == nil {
		return newGoTicker(pace)
	}
	return s.Ticker(pace)
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }
