// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// successor runs a new director on the host of one that is gone, whose speaker
// holds its roles.
func (f *family) successor(t *testing.T) *parent {
	old := f.a.child()
	old.conn.Close()
	wait(0)
	heir := parentOf(t, f.a.host, func(p *parent) { p.children = []*fakeChild{old} })
	heir.tell(Configure{Instances: []Instance{instanceOf(150, vip4)}, Settings: heartbeat})
	return heir
}

var holding = Settings{Heartbeat: time.Second, Hold: time.Hour}

// TestSpeakerOfAnotherVersionHandsOver: what cannot be adopted is not asked
// again and again.
func TestSpeakerOfAnotherVersionHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, holding)
		f.a.child().garble = func(hello []byte) []byte {
			other := bytes.Replace(hello, fmt.Appendf(nil, `"Version":%d`, protocolVersion), []byte(`"Version":9`), 1)
			if bytes.Equal(hello, other) {
				t.Errorf("hello %q has no version", hello)
			}
			return other
		}
		heir := f.successor(t)
		wait(4 * settleTime)
		lost := seen[Lost](heir)
		if len(lost) != 1 || !strings.HasPrefix(lost[0].Reason, "the other process speaks version 9 of the protocol, this one speaks") {
			t.Errorf("lost = %+v", lost)
		}
		if heir.finds > 3 {
			t.Errorf("looked for a speaker %d times", heir.finds)
		}
		if diff := cmp.Diff([]bool{true}, heir.starts()); diff != "" {
			t.Errorf("processes started cautiously (want -, got +):\n%s", diff)
		}
		wantMaster(t, heir.as(), f.peer, "web")
		wantCustody(t, f.net, f.from, briefly, vip4)
	})
}

// TestUnfitSpeakerIsReplaced: it is killed, and its successor listens first.
func TestUnfitSpeakerIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, holding)
		f.a.child().unfit = "process 7 shows no sign of life"
		heir := f.successor(t)
		wait(4 * settleTime)
		if lost := seen[Lost](heir); len(lost) != 1 || lost[0].Reason != "process 7 shows no sign of life, killed" || len(lost[0].Masters) > 0 {
			t.Errorf("lost = %+v", lost)
		}
		if diff := cmp.Diff([]bool{true}, heir.starts()); diff != "" {
			t.Errorf("processes started cautiously (want -, got +):\n%s", diff)
		}
		wantMaster(t, heir.as(), f.peer, "web")
	})
}

// TestConnectionThatBreaksAgainAndAgain: each time it is said, and more and
// more time passes.
func TestConnectionThatBreaksAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, holding)
		f.a.child().garble = func(hello []byte) []byte { return append(hello, 0xff, 0xff, 0xff, 0xff) }
		old := f.a.child()
		old.conn.Close()
		wait(0)
		heir := parentOf(t, f.a.host, func(p *parent) { p.children = []*fakeChild{old} })
		heir.tell(Configure{Instances: []Instance{instanceOf(150, vip4)}, Settings: holding})
		wait(10 * time.Minute)
		failed := seen[Failed](heir)
		if n := len(failed); n < 10 || n > 40 {
			t.Fatalf("%d failures in ten minutes", n)
		}
		if !strings.HasPrefix(failed[0].Error, "connection to the speaker was lost (garbled message") {
			t.Errorf("failure = %q", failed[0].Error)
		}
		wantCustody(t, f.net, f.from, 0, vip4)
	})
}

// TestStatusWithoutASpeaker: the instances are listed, with why they do not run.
func TestStatusWithoutASpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, heartbeat)
		f.a.child().die()
		status := func(after time.Duration) InstanceStatus {
			t.Helper()
			wait(after)
			f.a.tell(Query{})
			synctest.Wait()
			all := seen[Status](f.a)
			s := all[len(all)-1]
			if len(s.Instances) != 1 || s.Instances[0].Config.Name != "web" {
				t.Fatalf("status = %+v", s)
			}
			if here := s.Instances[0].State != vrrp.Initialize && !s.Instances[0].HandingOver; here == s.Absent {
				t.Errorf("absent = %t of %+v", s.Absent, s.Instances[0])
			}
			return s.Instances[0]
		}
		if got := status(partingTime / 2); got.State != vrrp.Master || !got.HandingOver {
			t.Errorf("while it is handed over for: %+v", got)
		}
		if got := status(time.Second); got.Fault != "no speaker: its process was lost (its process has ended)" {
			t.Errorf("afterwards: %+v", got)
		}
		if got := status(time.Second); got.State != vrrp.Backup || got.Fault != "" {
			t.Errorf("in the end: %+v", got)
		}
	})
}
