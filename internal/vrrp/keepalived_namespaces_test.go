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

// pair is a way for keepalived and us to be one virtual router.
type pair struct {
	name       string
	ours       GroupConfig
	interval   time.Duration
	keepalived string // what its instance has more
}

var pairs = []pair{
	{"ipv4", config4, 100 * time.Millisecond, "version 3"},
	{"ipv6", config6, 100 * time.Millisecond, "version 3"},
	{"ipv4 unicast", config4.with(func(c *GroupConfig) { c.Unicast = &Unicast{Peers: []netip.Addr{high4}} }), 100 * time.Millisecond, `
		version 3
		unicast_src_ip 192.0.2.3
		unicast_peer {
			192.0.2.1
		}`},
	{"ipv4 unicast old checksum", config4.with(func(c *GroupConfig) {
		c.Unicast, c.ChecksumCompat = &Unicast{Peers: []netip.Addr{high4}}, true
	}), 100 * time.Millisecond, `
		version 3
		old_unicast_checksum
		unicast_src_ip 192.0.2.3
		unicast_peer {
			192.0.2.1
		}`},
	{"ipv6 unicast", config6.with(func(c *GroupConfig) {
		c.Unicast = &Unicast{Peers: []netip.Addr{high6}, MinTTL: 64} // keepalived sends with 64
	}), 100 * time.Millisecond, `
		version 3
		unicast_src_ip fe80::3
		unicast_peer {
			fe80::1
		}`},
	{"version 2 password", config2.with(func(c *GroupConfig) { c.Password = "secret" }), time.Second, `
		version 2
		authentication {
			auth_type PASS
			auth_pass secret
		}`},
}

// startKeepalived runs keepalived in the segment's high namespace with one
// instance of the given priority; stop ends it gracefully.
func startKeepalived(t *testing.T, s segment, p pair, priority uint8) (stop func()) {
	t.Helper()
	program, err := exec.LookPath("keepalived")
	if err != nil {
		t.Skip("keepalived is not installed")
	}
	vips := p.ours.Addresses
	conf := fmt.Sprintf(`
vrrp_instance vtst {
	state BACKUP
	interface v0
	virtual_router_id 51
	priority %d
	advert_int %v
	virtual_ipaddress {
		%s
		%s
	}
	%s
}
`, priority, p.interval.Seconds(), vips[0], vips[1], p.keepalived)
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
	outbox  Outbox
}

func newRouter(t *testing.T, s segment, p pair, priority uint8) *router {
	f := p.ours.Family
	r := &router{
		T:      t,
		conn:   listenIn(t, s.low, f),
		group:  NewGroup(p.ours),
		source: low4,
		own: Parameters{
			Priority:       priority,
			AdvertInterval: p.interval,
			Preempt:        true,
			Families:       Families{IPv4: f == IPv4, IPv6: f == IPv6},
		},
	}
	if f == IPv6 {
		r.source = low6
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
			a, err := r.group.Receive(time.Now(), p, r.own)
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
		r.outbox.Reset()
		r.group.AppendOutgoing(time.Now(), action.Priority, action.Interval, &r.outbox)
		if err := r.conn.Write(r.outbox.Messages); err != nil {
			r.Error(err)
		}
	case Transition:
		r.Logf("%v -> %v: %v", action.From, action.To, action.Reason)
	}
}

// TestKeepalivedPair lets keepalived be first our master, then our backup, then
// our successor.
func TestKeepalivedPair(t *testing.T) {
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			s, f := newSegment(t), p.ours.Family
			holds := func() bool { return holdsAddress(t, s.high, f) }

			stop := startKeepalived(t, s, p, 150)
			r := newRouter(t, s, p, 100)
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
