// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// startKeepalived runs keepalived in the segment's high namespace with one
// instance of the given priority; stop ends it gracefully.
func startKeepalived(t *testing.T, s segment, f Family, priority uint8) (stop func()) {
	t.Helper()
	program, err := exec.LookPath("keepalived")
	if err != nil {
		t.Skip("keepalived is not installed")
	}
	vips := vips4
	if f == IPv6 {
		vips = vips6
	}
	conf := fmt.Sprintf(`
global_defs {
	vrrp_version 3
}
vrrp_instance vtst {
	state BACKUP
	interface v0
	virtual_router_id 51
	priority %d
	advert_int 0.1
	virtual_ipaddress {
		%s
		%s
	}
}
`, priority, vips[0], vips[1])
	dir := t.TempDir()
	file := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", s.high, program, "--vrrp", "-n", "-l", "-f", file,
		"-p", filepath.Join(dir, "pid"), "-r", filepath.Join(dir, "vrrp.pid"))
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("stop keepalived: %v", err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("keepalived: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// router is the smallest shell around a machine: one family on a real link.
type router struct {
	*testing.T
	machine *Machine
	group   *Group
	conn    *Conn
	packets <-chan Packet
	own     Parameters
	source  netip.Addr
}

func newRouter(t *testing.T, s segment, f Family, priority uint8) *router {
	r := &router{
		T:      t,
		conn:   listenIn(t, s.low, f),
		group:  NewGroup(51, f, vips4),
		source: low4,
		own: Parameters{
			Priority:       priority,
			AdvertInterval: 100 * time.Millisecond,
			Preempt:        true,
			Families:       Families{IPv4: f == IPv4, IPv6: f == IPv6},
		},
	}
	if f == IPv6 {
		r.group, r.source = NewGroup(51, f, vips6), low6
	}
	r.group.SetLocal(r.source)
	r.machine = NewMachine(r.own)
	r.machine.SetLocal(f, r.source)
	r.packets = reading(t, r.conn)
	return r
}

// until performs actions and runs the machine until done says so.
func (r *router) until(what string, actions []Action, done func() bool) {
	r.Helper()
	limit := time.After(readTimeout)
	for {
		for _, action := range actions {
			r.perform(action)
		}
		if done() {
			return
		}
		var timer <-chan time.Time
		if next, ok := r.machine.Next(); ok {
			timer = time.After(time.Until(next))
		}
		select {
		case p := <-r.packets:
			a, err := r.group.Receive(p, r.own)
			if err != nil {
				r.Fatalf("keepalived's packet %x from %s: %v", p.Payload, p.Source, err)
			}
			actions = r.machine.Receive(time.Now(), FamilyOf(p.Source), a, p.Source)
		case <-timer:
			actions = r.machine.Expire(time.Now())
		case <-limit:
			r.Fatalf("not reached in %v: %s", readTimeout, what)
		}
	}
}

func (r *router) perform(action Action) {
	switch action := action.(type) {
	case SendAdvert:
		message := r.group.Advertisement(action.Priority, action.Interval, nil)
		if err := r.conn.WriteMessage(message, r.source); err != nil {
			r.Error(err)
		}
	case Transition:
		r.Logf("%v -> %v: %v", action.From, action.To, action.Reason)
	}
}

// TestKeepalivedPair lets keepalived be first our master, then our backup, then
// our successor.
func TestKeepalivedPair(t *testing.T) {
	for _, f := range []Family{IPv4, IPv6} {
		t.Run(f.String(), func(t *testing.T) {
			s := newSegment(t)
			holds := func() bool { return holdsAddress(t, s.high, f) }

			stop := startKeepalived(t, s, f, 150)
			r := newRouter(t, s, f, 100)
			r.until("keepalived is followed", r.machine.Startup(time.Now()), func() bool {
				return holds() && r.machine.State() == Backup && r.group.Counters().Received > 3
			})

			r.own.Priority = 200
			r.until("we preempt keepalived", r.machine.Update(time.Now(), r.own), func() bool {
				return !holds() && r.machine.State() == Master
			})

			r.until("keepalived succeeds us", r.machine.Shutdown(time.Now()), func() bool {
				return r.machine.State() == Initialize
			})
			if !holds() {
				t.Error("keepalived has no address although we handed over")
			}

			r.own.Priority = 100
			r.machine.Update(time.Now(), r.own)
			heard := r.group.Counters().Received
			r.until("keepalived is followed again", r.machine.Startup(time.Now()), func() bool {
				return r.group.Counters().Received > heard+2
			})
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				stop()
			}()
			r.until("we succeed keepalived", nil, func() bool { return r.machine.State() == Master })
			<-stopped

			c := r.group.Counters()
			if c.AddressMismatch != 0 || c.IntervalMismatch != 0 {
				t.Errorf("disagreement with keepalived: %+v", c)
			}
		})
	}
}

// holdsAddress reports whether the last virtual address of the family is on v0
// of the namespace.
func holdsAddress(t *testing.T, ns string, f Family) bool {
	t.Helper()
	want, family := vips4[1], netlink.FAMILY_V4
	if f == IPv6 {
		want, family = vips6[1], netlink.FAMILY_V6
	}
	found := false
	in(t, ns, func() {
		link, err := netlink.LinkByName("v0")
		if err != nil {
			t.Fatal(err)
		}
		addresses, err := netlink.AddrList(link, family)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addresses {
			if got, _ := netip.AddrFromSlice(a.IP); got.Unmap() == want {
				found = true
			}
		}
	})
	return found
}
