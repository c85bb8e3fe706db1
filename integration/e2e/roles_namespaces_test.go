// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/lvs-ha/lvs-ha/internal/control"
)

// brisk is an interval that keeps tests short and that a busy machine keeps.
const brisk = `advert_interval = "300ms"`

// TestRoles plays what moves an instance, and what does not.
func TestRoles(t *testing.T) {
	playAll(t, []scenario{
		{"the interface comes later", interfaceComesLater},
		{"a sync group moves together", groupMovesTogether},
		{"an address owner", ownerInsists},
		{"tracked objects", trackedObjects},
		{"a healed partition", partitionHeals},
		{"reloads disturb nothing", reloadsDisturbNothing},
	})
}

// pollInstance waits until an instance of the director is as wanted, and returns
// it.
func (n *node) pollInstance(name, what string, wanted func(control.Instance) bool) (i control.Instance) {
	n.t.Helper()
	n.poll(fmt.Sprintf("%s of %s: %s", name, n.name, what), func() bool {
		s, err := n.status()
		k := slices.IndexFunc(s.Instances, func(i control.Instance) bool { return i.Name == name })
		if err != nil || k < 0 {
			return false
		}
		i = s.Instances[k]
		return wanted(i)
	})
	return i
}

func inState(state string) func(control.Instance) bool {
	return func(i control.Instance) bool { return i.State == state }
}

// interfaceComesLater starts a director without its interface, brings that, and
// takes it away and brings it again.
func interfaceComesLater(s *segment) {
	s.d1.configure(brisk, calm)
	s.d2.configure(brisk, calm)
	s.unplug(s.d1)
	s.d1.start()
	s.d2.start()
	s.waitHeld(false, true)
	for _, what := range []string{"came", "came again"} {
		if i := s.d1.pollInstance("web", "a fault", inState("fault")); !strings.Contains(i.Reason, segmentIf) {
			s.t.Errorf("reason without an interface = %q, want %s in it", i.Reason, segmentIf)
		}
		from := time.Now()
		s.plug(s.d1)
		s.settle()
		if len(s.wire.heard(s.d1, from)) == 0 {
			s.t.Errorf("the interface %s: no advert of d1", what)
		}
		s.wantHeld(s.d1, []netip.Addr{netip.MustParseAddr(virtual)})
		s.unplug(s.d1)
		s.waitHeld(false, true)
	}
}

// groupMovesTogether pulls the cable of each of two interfaces in turn.
func groupMovesTogether(s *segment) {
	const inner, innerIf, innerVIP = "br1", "eth1", "198.51.100.100"
	s.addBridge(inner, "198.51.100.9")
	for n, address := range map[*node]string{s.d1: "198.51.100.1", s.d2: "198.51.100.2"} {
		s.connect(n, inner, n.name+"-in", innerIf, address, nil)
		n.configure(brisk, fmt.Sprintf(`
[[vrrp]]
name = "inner"
interface = %q
vrid = 52
priority = %d
%s
addresses = ["%s/24"]

[[sync_group]]
name = "edge"
members = ["web", "inner"]
%s`, innerIf, n.priority, brisk, innerVIP, calm))
	}
	vips := []netip.Addr{netip.MustParseAddr(virtual), netip.MustParseAddr(innerVIP)}
	on1, on2 := s.d1.follow(), s.d2.follow()
	follows := func(i control.Instance) bool { return i.State == "backup" && i.Peer != "" }
	settled := func() {
		s.t.Helper()
		on1.wait("as master", vips, true)
		on2.wait("as backup", vips, false)
		s.d2.pollInstance("web", "following", follows)
		s.d2.pollInstance("inner", "following", follows)
	}
	s.d1.start()
	s.d1.pollInstance("inner", "listening", inState("backup"))
	s.d2.start()
	settled()

	client := handle(s.t, s.client)
	for _, cable := range []struct{ port, faulty, sound string }{
		{"d1-in", "inner", "web"},
		{"d1", "web", "inner"},
	} {
		s.must(client.LinkSetDown(s.port(client, cable.port)))
		on2.wait("as master, "+cable.port+" down", vips, true)
		on1.wait("as backup, "+cable.port+" down", vips, false)
		s.d1.pollInstance(cable.faulty, "a fault", inState("fault"))
		if i := s.d1.pollInstance(cable.sound, "no master", func(i control.Instance) bool { return i.State != "master" }); i.SyncGroup != "edge" {
			s.t.Errorf("sync group of %s = %q", cable.sound, i.SyncGroup)
		}
		s.must(client.LinkSetUp(s.port(client, cable.port)))
		settled()
	}
}

// ownerInsists gives d1's interface the address for good, and the instance the
// owner's priority.
func ownerInsists(s *segment) {
	d1 := handle(s.t, s.d1.ns)
	s.must(d1.AddrAdd(s.port(d1, segmentIf), &netlink.Addr{IPNet: netlink.NewIPNet(net.ParseIP(virtual))}))
	s.d1.configure(brisk+"\npriority = 255", calm)
	s.d2.configure(brisk, calm)
	c := s.captureFrom(s.d1.mac)
	s.d2.start()
	s.d2.pollInstance("web", "master", inState("master"))

	s.d1.start()
	s.ownerReturned(0)

	// A rival that loses by one, and another one that resigns.
	send := s.stranger()
	for _, priority := range []byte{254, 0} {
		mark, from := s.d1.log.mark(), time.Now()
		send(netip.MustParseAddr("192.0.2.250"), forge(priority, 300*time.Millisecond))
		s.poll("three adverts of the owner", func() bool { return len(c.adverts(s.d1, from)) >= 3 })
		if got := s.d1.log.since(mark, "web: master -> "); len(got) > 0 {
			s.t.Errorf("the owner gave way to priority %d: %q", priority, got)
		}
	}
	for _, a := range c.adverts(s.d1, time.Time{}) {
		if a.priority != 255 {
			s.t.Errorf("the owner advertises priority %d", a.priority)
		}
	}

	// It dies with its machine's cable, and returns.
	s.d1.signal(syscall.SIGSTOP, s.d1.processes()...)
	client := handle(s.t, s.client)
	s.must(client.LinkSetDown(s.port(client, "d1")))
	s.d1.fail()
	s.waitHeld(true, true)
	s.must(client.LinkSetUp(s.port(client, "d1")))
	mark := s.d1.log.mark()
	s.d1.start()
	s.ownerReturned(mark)
}

// ownerReturned waits until d1 has taken over, and expects that it did so without
// listening first.
func (s *segment) ownerReturned(mark int) {
	s.t.Helper()
	s.d1.waitLog(mark, "web: initialize -> master (")
	s.waitHeld(true, false)
	s.d2.pollInstance("web", "following d1", func(i control.Instance) bool { return i.State == "backup" && i.Peer == s.d1.address })
	if got := s.d1.log.since(mark, "-> backup"); len(got) > 0 {
		s.t.Errorf("the owner listened first: %q", got)
	}
}
