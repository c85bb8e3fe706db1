// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-ha/lvs-ha/internal/notify"
)

// operatorOrders gives all orders, to a director with a peer and to one without.
func operatorOrders(s *segment) {
	s.plain()
	s.begin()
	s.ping()
	s.failoverWithin(0, "standby and resume", func() {
		s.d1.mustOrder("standby", "web")
		if i := s.d1.instance(); i.State != "backup" || !i.Standby {
			s.t.Errorf("after standby: %s, standby %t", i.State, i.Standby)
		}
	}, func() { s.d1.mustOrder("resume") })
	s.failover("standby, a restart, and resume", func() { s.d1.mustOrder("standby", "web") }, func() {
		s.d1.stop()
		s.d1.start()
		s.poll("standby after a restart", func() bool {
			status, err := s.d1.status()
			return err == nil && len(status.Instances) == 1 && status.Instances[0].Standby
		})
		s.d1.mustOrder("resume")
	})
	s.failover("priority 50 and back", func() {
		s.d1.mustOrder("priority", "web", "50")
		if i := s.d1.instance(); i.PriorityBase != 50 || !i.PriorityOrdered {
			s.t.Errorf("after priority 50: base %d, ordered %t", i.PriorityBase, i.PriorityOrdered)
		}
	}, func() { s.d1.mustOrder("priority", "web", "default") })
	if out, err := s.d1.order("standby", "wbe"); err == nil || out != `lvs-ha: standby: no VRRP instance "wbe": there are web` {
		s.t.Errorf("standby of an unknown instance: %v: %s", err, out)
	}

	s.d2.fail()
	alone := time.Now()
	out, err := s.d1.order("standby", "web")
	if err == nil || !strings.HasPrefix(out, "lvs-ha: standby: web stays master: ") || strings.Contains(out, "\n") {
		s.t.Errorf("standby without a peer: %v: %s", err, out)
	}
	if i := s.d1.instance(); i.State != "master" || i.Standby || i.HandingOver {
		s.t.Errorf("after a refused standby: %s, standby %t, handing over %t", i.State, i.Standby, i.HandingOver)
	}
	if got := s.watch.since(alone); len(got) > 0 {
		s.t.Errorf("the VIP moved: %v", got)
	}
}

// commandsAreTold follows notifications through transitions that a tracked file
// and a tracked command cause.
func commandsAreTold(s *segment) {
	began := time.Now()
	told, drain, broken := s.path("told"), s.path("drain"), s.path("broken")
	s.must(os.WriteFile(told, nil, 0o666))
	s.must(os.Chmod(told, 0o666)) // whatever the umask
	s.d1.configure(`track = [{ name = "drain", weight = -100 }, { name = "script", weight = 0 }]`, fmt.Sprintf(`
[[notify]]
command = ["/bin/sh", "-c", "{ id -un; cat; } >> %s"]

[[track]]
name = "drain"
type = "file"
file = %q

[[track]]
name = "script"
type = "command"
command = ["/bin/sh", "-c", "! test -e %s"]
interval = "1s"
timeout = "1s"
fall = 1
rise = 1
`, told, drain, broken))
	s.d2.configure("", "")
	s.begin()

	// The file lowers the priority from 150 to 50: d2 preempts.
	mark := s.d1.log.mark()
	s.must(os.WriteFile(drain, []byte("1\n"), 0o644))
	s.d1.waitLog(mark, "web: priority 150 -> 50 (base 150, -100 drain (value 1))")
	s.waitHeld(false, true)
	s.must(os.Remove(drain))
	s.settle()

	// The command takes d1 out of the election: it hands over.
	s.must(os.WriteFile(broken, nil, 0o644))
	s.waitHeld(false, true)
	s.poll("a fault", func() bool { return s.d1.instance().State == "fault" })
	s.must(os.Remove(broken))
	s.settle()
	s.d1.stop()

	reached := func(event, from, to, reason string, priority uint8, peer string) notify.Event {
		return notify.Event{Event: event, Instance: "web", From: from, To: to, Reason: reason, Priority: priority, Peer: peer}
	}
	want := []notify.Event{
		reached("backup", "initialize", "backup", "startup", 150, ""),
		reached("master", "backup", "master", "master down timer", 150, ""),
		reached("backup", "master", "backup", "higher priority heard", 50, s.d2.address),
		reached("master", "backup", "master", "preempts the master", 150, s.d2.address),
		reached("fault", "master", "fault", "track script: ", 150, ""),
		reached("backup", "initialize", "backup", "recovered", 150, ""),
		reached("master", "backup", "master", "preempts the master", 150, s.d2.address),
		reached("stop", "master", "initialize", "handed over", 150, s.d2.address),
	}
	b, err := os.ReadFile(told)
	s.must(err)
	var got []notify.Event
	var last time.Time
	for pair := range bytes.SplitAfterSeq(b, []byte("}\n")) {
		user, event, _ := bytes.Cut(pair, []byte("\n"))
		if len(pair) == 0 {
			break
		}
		var e notify.Event
		if err := json.Unmarshal(event, &e); err != nil || string(user) != "nobody" {
			s.t.Fatalf("told as %s: %s: %v", user, event, err)
		}
		if e.At.Before(last) || e.At.Before(began) {
			s.t.Errorf("told out of order, after %v: %s", last, event)
		}
		last, e.At = e.At, time.Time{}
		if strings.HasPrefix(e.Reason, "track script: ") {
			e.Reason = "track script: "
		}
		got = append(got, e)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("told (-want +got):\n%s", diff)
	}
}
