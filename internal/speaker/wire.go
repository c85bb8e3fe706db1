// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// wire is where adverts travel: a family on an interface.
type wire struct {
	ifname string
	family vrrp.Family
}

func (w wire) String() string { return fmt.Sprintf("%s (%s)", w.ifname, w.family) }

// conn is an open Conn with the goroutine that reads it.
type conn struct {
	Conn
	wire   wire
	index  int // of the interface that it is bound to
	opened time.Time
	done   chan struct{}
}

// received is a packet, or the error that ended the Conn.
type received struct {
	conn   *conn
	packet vrrp.Packet
	err    error
}

// open returns why there can be no Conn on w, or nil.
func (s *Speaker) open(now time.Time, w wire, index int) error {
	if c := s.conns[w]; c != nil {
		if c.index == index {
			return nil
		}
		s.closeConn(c)
	}
	opened, err := s.sys.Listen(w.ifname, w.family)
	if err != nil {
		return err
	}
	c := &conn{Conn: opened, wire: w, index: index, opened: now, done: make(chan struct{})}
	s.conns[w] = c
	s.readers.Go(func() { s.read(c) })
	return nil
}

func (s *Speaker) read(c *conn) {
	for {
		p, err := c.ReadPacket(make([]byte, vrrp.ReadBufferSize))
		select {
		case s.packets <- received{c, p, err}:
		case <-c.done:
			return
		}
		if err != nil {
			return
		}
	}
}

// reopen replaces a Conn that failed, most likely because its interface went
// down. One that fails at once has to wait.
func (s *Speaker) reopen(now time.Time, c *conn, err error) {
	s.closeConn(c)
	if now.Sub(c.opened) < retryInterval {
		s.fail(now, "", fmt.Errorf("receive on %s: %w", c.wire, err))
		return
	}
	s.linksChanged(now)
}

func (s *Speaker) closeConn(c *conn) {
	delete(s.conns, c.wire)
	close(c.done)
	c.Close()
}

func (s *Speaker) closeConns() {
	for _, c := range s.conns {
		s.closeConn(c)
	}
	s.readers.Wait()
}

func (s *Speaker) closeUnusedConns() {
	for w, c := range s.conns {
		used := false
		for _, i := range s.instances {
			used = used || i.config.Interface == w.ifname && i.groups[w.family] != nil
		}
		if !used {
			s.closeConn(c)
		}
	}
}

// send sends one advert of an instance in each of its families.
func (s *Speaker) send(now time.Time, i *instance, a vrrp.SendAdvert) {
	failed := ""
	for _, f := range []vrrp.Family{vrrp.IPv4, vrrp.IPv6} {
		g := i.groups[f]
		if g == nil {
			continue
		}
		c := s.conns[wire{i.config.Interface, f}]
		if c == nil {
			continue
		}
		b := g.Advertisement(a.Priority, a.Interval, nil)
		if err := c.WriteMessage(b, i.local[f]); err != nil && s.links[c.wire.ifname].Up {
			failed = fmt.Sprintf("send advert of %s on %s: %v", i.config.Name, c.wire, err)
		}
	}
	if failed != "" && failed != i.sendError {
		s.emit(Failed{At: now, Instance: i.config.Name, Error: failed})
	}
	i.sendError = failed
}
