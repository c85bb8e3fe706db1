// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// segment is an Ethernet that carries VRRP between fake hosts.
type segment struct {
	mu    sync.Mutex
	conns []*fakeConn
}

type fakeConn struct {
	segment *segment
	family  vrrp.Family
	packets chan vrrp.Packet
	closed  chan struct{}
	once    sync.Once
}

func (s *segment) listen(f vrrp.Family) *fakeConn {
	c := &fakeConn{segment: s, family: f, packets: make(chan vrrp.Packet, 1000), closed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
	return c
}

// inject delivers a packet to every Conn of the family but from.
func (s *segment) inject(from *fakeConn, f vrrp.Family, p vrrp.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if c != from && c.family == f {
			c.packets <- p
		}
	}
}

func (c *fakeConn) ReadPacket([]byte) (vrrp.Packet, error) {
	select {
	case p := <-c.packets:
		return p, nil
	case <-c.closed:
		return vrrp.Packet{}, net.ErrClosed
	}
}

func (c *fakeConn) WriteMessage(b []byte, source netip.Addr) error {
	c.segment.inject(c, c.family, vrrp.Packet{Payload: slices.Clone(b), Source: source, Destination: c.family.Group(), TTL: 255})
	return nil
}

func (c *fakeConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.segment.mu.Lock()
		defer c.segment.mu.Unlock()
		c.segment.conns = slices.DeleteFunc(c.segment.conns, func(o *fakeConn) bool { return o == c })
	})
	return nil
}

// host is a fake machine: one interface eth0, and the VIPs on it.
type host struct {
	segment *segment
	changed chan struct{}

	mu        sync.Mutex
	link      netif.Interface
	gone      bool
	back      netif.Interface // a second interface, when it has a name
	foreign   map[netif.Address]bool
	vips      map[netif.Address]time.Duration // lease
	holds     []time.Time
	announced []time.Time
	holdErr   error
	listens   int
}

func newHost(s *segment, primary string) *host {
	return &host{
		segment: s, changed: make(chan struct{}, 1), vips: make(map[netif.Address]time.Duration),
		link: netif.Interface{Name: "eth0", Index: 2, Up: true, Primary4: netip.MustParseAddr(primary), LinkLocal6: netip.MustParseAddr("fe80::" + primary[len(primary)-1:])},
	}
}

func (h *host) Hold(want []netif.Lease) (netif.Changes, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.holdErr != nil {
		return netif.Changes{}, h.holdErr
	}
	h.holds = append(h.holds, time.Now())
	var c netif.Changes
	wanted := make(map[netif.Address]time.Duration)
	for _, l := range want {
		if h.foreign[l.Address] {
			c.Foreign = append(c.Foreign, l.Address)
			continue
		}
		wanted[l.Address] = l.Valid
		if _, ok := h.vips[l.Address]; !ok {
			c.Added = append(c.Added, l.Address)
		}
	}
	for a := range h.vips {
		if _, ok := wanted[a]; !ok {
			c.Removed = append(c.Removed, a)
		}
	}
	h.vips = wanted
	return c, nil
}

func (h *host) Interfaces() (map[string]netif.Interface, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone {
		return nil, nil
	}
	link := h.link
	for a := range h.vips {
		link.Addresses = append(link.Addresses, a.Prefix)
	}
	links := map[string]netif.Interface{"eth0": link}
	if h.back.Name != "" {
		links[h.back.Name] = h.back
	}
	return links, nil
}

func (h *host) Announce([]netif.Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.announced = append(h.announced, time.Now())
	return nil
}

// change alters the machine and tells its watcher.
func (h *host) change(fn func()) {
	h.mu.Lock()
	fn()
	h.mu.Unlock()
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

func (h *host) vipCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.vips)
}

func (h *host) count(times *[]time.Time) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(*times)
}

func (h *host) listenCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.listens
}

func (s *segment) connCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// running is a Speaker at work on a fake host.
type running struct {
	*host
	t        *testing.T
	commands chan Command
	events   []Event // taken so far
	mu       sync.Mutex
	done     chan error
	cancel   context.CancelFunc
}

func start(t *testing.T, h *host) *running {
	t.Helper()
	events := make(chan Event)
	r := &running{host: h, t: t, commands: make(chan Command), done: make(chan error, 1)}
	s := New(System{
		Keeper: h, Announcer: h, Changed: h.changed,
		Listen: func(_ string, f vrrp.Family) (Conn, error) {
			h.mu.Lock()
			h.listens++
			h.mu.Unlock()
			return h.segment.listen(f), nil
		},
	}, r.commands, events)
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() {
		r.done <- s.Run(ctx)
		close(events)
	}()
	go func() {
		for e := range events {
			r.mu.Lock()
			r.events = append(r.events, e)
			r.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-r.done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return r
}

// seen returns the events of one type so far.
func seen[E Event](r *running) []E {
	r.mu.Lock()
	defer r.mu.Unlock()
	var of []E
	for _, e := range r.events {
		if e, ok := e.(E); ok {
			of = append(of, e)
		}
	}
	return of
}

func instanceOf(priority uint8, addresses ...string) Instance {
	i := Instance{Name: "web", Interface: "eth0", VRID: 51, Priority: priority, AdvertInterval: time.Second, Preempt: true, Lease: 6 * time.Second}
	for _, a := range addresses {
		i.Addresses = append(i.Addresses, netif.Address{Interface: "eth0", Prefix: netip.MustParsePrefix(a)})
	}
	return i
}
