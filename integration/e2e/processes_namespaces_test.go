// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// skew is the skew time of d2, with priority 100 and an interval of a second
// (RFC 9568 section 6.1).
const skew = time.Second * (256 - 100) / 256

const (
	// maxBoth is how long both directors may have the VIP where one of d1's two
	// processes is left to hand over.
	maxBoth = skew + 500*time.Millisecond
	// maxLoss is how many pings in a row, one each millisecond, may be lost
	// where the successor takes over first.
	maxLoss = 20
)

// scenario is what happens on a segment.
type scenario struct {
	name string
	play func(*segment)
}

// playAll plays all scenarios at once, each on a segment of its own: most of
// their time they wait.
func playAll(t *testing.T, scenarios []scenario) {
	t.Helper()
	requireLayer(t, "namespaces", "test-namespaces")
	defer goleak.VerifyNone(t)
	var all sync.WaitGroup
	for _, s := range scenarios {
		all.Go(func() {
			t.Run(s.name, func(t *testing.T) { s.play(newSegment(t)) })
		})
	}
	all.Wait()
}

// TestProcesses plays what can happen to the two processes of a daemon.
func TestProcesses(t *testing.T) {
	playAll(t, []scenario{
		{"one is killed", oneIsKilled},
		{"one is stopped", oneIsStopped},
		{"both are paused", bothArePaused},
		{"both are killed", bothAreKilled},
		{"held roles are adopted", rolesAreAdopted},
		{"a frozen speaker is replaced", frozenIsReplaced},
		{"the operator orders", operatorOrders},
		{"commands are told", commandsAreTold},
	})
}

// begin starts both directors and waits until d1 is master and d2 backup.
func (s *segment) begin() {
	s.t.Helper()
	s.d1.start()
	s.poll("d1 waiting", func() bool {
		status, err := s.d1.status()
		return err == nil && len(status.Instances) == 1 && status.Instances[0].State == "backup"
	})
	s.d2.start() // later than d1, so that its timer cannot run out first
	s.settle()
}

// settle waits until d1 alone has the VIP and d2 has heard it.
func (s *segment) settle() {
	s.t.Helper()
	s.waitHeld(true, false)
	s.poll("d2 following d1", func() bool {
		status, err := s.d2.status()
		return err == nil && len(status.Instances) == 1 && status.Instances[0].State == "backup" && status.Instances[0].Peer == s.d1.address
	})
}

func (s *segment) plain() {
	s.t.Helper()
	s.d1.configure("", "")
	s.d2.configure("", "")
}

// failover strikes d1, the master, of which a part is left that hands over, and
// waits until d2 has taken over. comeBack makes d1 the master again.
func (s *segment) failover(what string, strike, comeBack func()) {
	s.t.Helper()
	s.failoverWithin(maxLoss, what, strike, comeBack)
}

// failoverWithin is the same with a limit to the pings that may be lost in a row.
func (s *segment) failoverWithin(limit int, what string, strike, comeBack func()) {
	s.t.Helper()
	bestOf3(s.t, what, func(int) string {
		from := time.Now()
		strike()
		s.waitHeld(false, true)
		taken := time.Since(from)
		comeBack()
		s.settle()
		s.t.Logf("%s: taken over in %v, both had the VIP for %v, %d pings lost in a row",
			what, taken.Round(time.Millisecond), s.watch.bothHeld(from).Round(time.Millisecond), s.longestLoss(from))
		return cmp.Or(s.lossSince(from, limit), s.bothSince(from))
	})
}

// lossSince says whether more pings in a row were lost than may be.
func (s *segment) lossSince(from time.Time, limit int) (problem string) {
	s.t.Helper()
	if loss := s.longestLoss(from); loss > limit {
		problem = fmt.Sprintf("%d pings in a row, one each millisecond, were lost", loss)
	}
	return problem
}

// oneIsKilled leaves the other process to hand over.
func oneIsKilled(s *segment) {
	s.plain()
	s.begin()
	s.ping()
	s.failover("SIGKILL of the director", func() {
		s.d1.signal(syscall.SIGKILL, s.d1.director())
	}, func() {
		s.d1.gone() // the speaker ends when it has handed over
		s.d1.start()
	})
	s.failover("SIGKILL of the speaker", func() {
		s.d1.signal(syscall.SIGKILL, s.d1.speaker())
	}, func() {})
	s.d1.waitLog(0, "speaker is lost (its process has ended")
	s.failover("SIGKILL of the director, and a new one at once", func() {
		s.d1.signal(syscall.SIGKILL, s.d1.director())
		<-s.d1.ended
		s.d1.start()
	}, func() {})
}

// oneIsStopped is silent, which its heartbeat tells. The director may go on later.
func oneIsStopped(s *segment) {
	s.plain()
	s.begin()
	s.ping()
	var speaker int
	s.failover("SIGSTOP of the speaker", func() {
		speaker = s.d1.speaker()
		s.d1.signal(syscall.SIGSTOP, speaker)
	}, func() {})
	if slices.Contains(s.d1.processes(), speaker) {
		s.t.Errorf("the silent speaker, process %d, was left alone", speaker)
	}
	s.failover("SIGSTOP of the director, and SIGCONT", func() {
		s.d1.signal(syscall.SIGSTOP, s.d1.director())
	}, func() {
		s.d1.signal(syscall.SIGCONT, s.d1.director())
	})
}

// maxLease is how long d1 may have the VIP when nothing of it runs: the lease,
// what the kernel takes longer, and a second for a busy machine.
const maxLease = lease + kernelSlack + time.Second

// goneByLease says whether d1, struck at that time, had its VIP for too long.
func (s *segment) goneByLease(struck time.Time) (problem string) {
	for _, c := range s.watch.since(struck) {
		if c.node == s.d1 && !c.held {
			if after := c.at.Sub(struck); after > maxLease {
				problem = fmt.Sprintf("d1 had the VIP for %v after it was struck", after)
			}
			return problem
		}
	}
	return "d1 has the VIP still"
}

// bothArePaused is a machine that stands still for longer than its peer waits.
func bothArePaused(s *segment) {
	s.plain()
	s.begin()
	bestOf3(s.t, "both processes paused", func(int) string {
		pids := []int{s.d1.director(), s.d1.speaker()}
		struck := time.Now()
		s.d1.signal(syscall.SIGSTOP, pids...)
		s.waitHeld(false, true)
		problem := s.goneByLease(struck)

		mark, woke := s.d1.log.mark(), time.Now()
		s.d1.signal(syscall.SIGCONT, pids...)
		s.settle()
		for _, c := range s.watch.since(woke) {
			if after := c.at.Sub(woke); c.node == s.d1 && c.held && after < 3*time.Second {
				s.t.Errorf("d1 has the VIP %v after it woke, before it can have listened", after)
			}
		}
		for _, a := range s.wire.heard(s.d1, woke) {
			if after := a.at.Sub(woke); after < 3*time.Second {
				s.t.Errorf("d1 advertises priority %d %v after it woke, before it can have listened", a.priority, after)
			}
		}
		if got := s.d1.log.since(mark, "this machine stood still for"); len(got) != 1 {
			s.t.Errorf("the pause in the log: %q, want one line", got)
		}
		return cmp.Or(problem, s.bothSince(woke))
	})
}

// bothSince says whether both directors had the VIP for too long.
func (s *segment) bothSince(from time.Time) (problem string) {
	if both := s.watch.bothHeld(from); both > maxBoth {
		problem = fmt.Sprintf("both directors had the VIP for %v", both)
	}
	return problem
}

// bothAreKilled leaves the VIP to its lease, or to the next start if that comes
// first.
func bothAreKilled(s *segment) {
	s.plain()
	s.begin()
	bestOf3(s.t, "both processes killed", func(int) string {
		struck := time.Now()
		s.d1.fail()
		s.waitHeld(false, true)
		problem := s.goneByLease(struck)
		s.d1.start()
		s.settle()
		return problem
	})
	bestOf3(s.t, "both processes killed, and a start at once", func(int) string {
		mark, struck := s.d1.log.mark(), time.Now()
		s.d1.fail()
		s.d1.start()
		s.d1.waitLog(mark, "web: initialize -> backup (startup)")
		changes, adverts := s.watch.since(struck), s.wire.heard(s.d1, struck)
		if len(changes) != 1 || changes[0].node != s.d1 || changes[0].held {
			s.t.Errorf("until d1 listens again: VIP %v, want it removed from d1", changes)
		}
		if len(adverts) > 0 {
			s.t.Errorf("d1 advertises before it listens again: %v", adverts)
		}
		s.settle()
		return s.bothSince(struck)
	})
}
