// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

const (
	// lateness is how late a timer may be before it is distrusted.
	lateness = 20 * time.Millisecond
	// lateListen is how long an instance then listens: enough for its sockets
	// to be read.
	lateListen = 20 * time.Millisecond
	// stallFloor is the shortest pause that costs a mastership. After a shorter
	// one, which only short intervals can notice, to listen for a moment and to
	// assert the role is the smaller evil.
	stallFloor = 250 * time.Millisecond
)

// wake returns the time, once it was looked whether this process stood still:
// what has come meanwhile must not reach an instance that takes itself for what
// it was before.
func (s *Speaker) wake() time.Time {
	now := time.Now()
	s.notePause(now)
	return now
}

// notePause looks whether this process stood still for so long that peers may
// have taken its roles: the instances concerned then listen first, as after a
// start.
func (s *Speaker) notePause(now time.Time) {
	slept := s.sleep()
	suspended := slept - s.slept
	if suspended < stallFloor {
		suspended = 0 // the two clocks are not read at the same moment
	} else {
		s.slept = slept
	}
	var longest time.Duration
	for _, i := range s.instances {
		at, ok := i.machine.Next()
		pause := now.Sub(at) + suspended
		if !ok || pause < stallFloor || !i.machine.Paused(now.Add(suspended)) {
			continue
		}
		longest = max(longest, pause)
		s.do(now, i, func() []vrrp.Action { return i.machine.Stalled(now) })
	}
	if longest > 0 {
		s.emit(Stalled{At: now, Pause: longest})
	}
}

func (s *Speaker) sleep() time.Duration {
	if s.sys.Slept == nil {
		return 0
	}
	return s.sys.Slept()
}

// expire lets the machine act on its timer. One that comes much too late,
// since this machine was starved or paused, listens first: adverts of a live
// master may wait in the sockets.
func (i *instance) expire(now time.Time) []vrrp.Action {
	at, ok := i.next()
	if !ok || at.After(now) {
		return nil
	}
	late := i.machine.Paused(now) || i.machine.State() == vrrp.Backup && now.Sub(at) > lateness
	if late && !at.Equal(i.lateTill) {
		i.lateFor, i.lateTill = at, now.Add(lateListen)
		return nil
	}
	return i.machine.Expire(now)
}

// slack is how late the instance's timer may be acted on: too little for
// anybody to notice, enough to find others due at the same time. A backup's
// is the end of a silence that clients notice.
func (i *instance) slack() time.Duration {
	if i.machine.State() == vrrp.Backup {
		return 0
	}
	return min(i.config.AdvertInterval/500, 2*time.Millisecond)
}

// next says when expire has to be called.
func (i *instance) next() (time.Time, bool) {
	next, ok := i.machine.Next()
	if ok && next.Equal(i.lateFor) {
		return i.lateTill, true
	}
	return next, ok
}
