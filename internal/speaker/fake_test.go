// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// segment is the Ethernets that carry VRRP between fake hosts, one for each name
// of an interface, and the ledger of who held which VIP when.
type segment struct {
	mu     sync.Mutex
	conns  []*fakeConn
	ledger []entry
}

// entry says that a host got a VIP, or lost it.
type entry struct {
	at   time.Time
	vip  netip.Prefix
	held bool
}

// custody returns the longest time since from that nobody held a VIP, and the
// longest that more than one host did.
func (s *segment) custody(vip string, from time.Time) (none, many time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	holders, at := 0, from
	var noneFor, manyFor time.Duration
	until := func(t time.Time) {
		if !t.After(at) {
			return
		}
		pass := func(run, longest *time.Duration, counts bool) {
			if !counts {
				*run = 0
				return
			}
			*run += t.Sub(at)
			*longest = max(*longest, *run)
		}
		pass(&noneFor, &none, holders == 0)
		pass(&manyFor, &many, holders > 1)
		at = t
	}
	for _, e := range s.ledger {
		if e.vip.String() != vip {
			continue
		}
		until(e.at)
		holders--
		if e.held {
			holders += 2
		}
	}
	until(time.Now())
	return none, many
}

// wantCustody checks that a VIP was held all the time, and by two hosts for no
// longer than many.
func wantCustody(t *testing.T, s *segment, from time.Time, many time.Duration, vips ...string) {
	t.Helper()
	for _, vip := range vips {
		none, both := s.custody(vip, from)
		if none > 0 || both > many {
			t.Errorf("VIP %s: nobody held it for %v, more than one for %v; want 0 and at most %v", vip, none, both, many)
		}
	}
}

type fakeConn struct {
	host    *host
	ifname  string
	family  vrrp.Family
	packets chan vrrp.Packet
	closed  chan struct{}
	once    sync.Once
}

func (s *segment) listen(h *host, ifname string, f vrrp.Family) *fakeConn {
	c := &fakeConn{host: h, ifname: ifname, family: f, packets: make(chan vrrp.Packet, 10000), closed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
	return c
}

// inject delivers a packet to every Conn of the family.
func (s *segment) inject(f vrrp.Family, p vrrp.Packet) { s.deliver(nil, "", f, p) }

// deliver delivers what from sends to all that hear it, except from.
func (s *segment) deliver(from *host, ifname string, f vrrp.Family, p vrrp.Packet) {
	s.mu.Lock()
	conns := slices.Clone(s.conns)
	s.mu.Unlock() // a host that is asked may be waiting for the segment
	for _, c := range conns {
		if from == nil && c.family == f || c.host != from && c.ifname == ifname && c.family == f && c.host.hears(ifname, p.Destination) {
			c.packets <- p
		}
	}
}

func (s *segment) connCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (c *fakeConn) ReadPackets(*vrrp.Batch) ([]vrrp.Packet, error) {
	select {
	case p := <-c.packets:
		return []vrrp.Packet{p}, nil
	case <-c.closed:
		return nil, net.ErrClosed
	}
}

func (c *fakeConn) Write(messages []vrrp.Outgoing) error {
	for _, m := range messages {
		m.Payload = slices.Clone(m.Payload)
		if c.host.sends(c.ifname, m) {
			c.host.segment.deliver(c.host, c.ifname, c.family, vrrp.Packet{Payload: m.Payload, Source: m.Source, Destination: m.Destination, TTL: m.TTL})
		}
	}
	return nil
}

func (c *fakeConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.host.segment.mu.Lock()
		defer c.host.segment.mu.Unlock()
		c.host.segment.conns = slices.DeleteFunc(c.host.segment.conns, func(o *fakeConn) bool { return o == c })
	})
	return nil
}

// advertFrom is an advert of another router of instance c, over multicast, as
// address a sends it.
func advertFrom(a string, c Instance, priority uint8) vrrp.Packet {
	f := vrrp.FamilyOf(c.Addresses[0].Prefix.Addr())
	g := vrrp.NewGroup(c.groupConfig(f))
	g.SetLocal(netip.MustParseAddr(a))
	return vrrp.Packet{Payload: g.Advertisement(time.Now(), priority, c.AdvertInterval, nil), Source: netip.MustParseAddr(a), Destination: f.Group(), TTL: vrrp.TTL}
}
