// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// maxMessage is more than the longest VRRP message: 8 bytes and 255 IPv6
// addresses.
const maxMessage = 8 + 255*16 + 1

// wire is where adverts travel: a family on an interface.
type wire struct {
	ifname string
	family vrrp.Family
}

func (w wire) String() string { return fmt.Sprintf("%s (%s)", w.ifname, w.family) }

// conn is an open Conn with the goroutine that reads it.
type conn struct {
	Conn
	wire  wire
	index int // of the interface that it is bound to
	done  chan struct{}
}

// received is a packet, or the error that ended the Conn.
type received struct {
	conn   *conn
	packet vrrp.Packet
	err    error
}

// open returns why there can be no Conn on w, or nil.
func (s *Speaker) open(w wire, index int) error {
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
	c := &conn{Conn: opened, wire: w, index: index, done: make(chan struct{})}
	s.conns[w] = c
	s.readers.Go(func() { s.read(c) })
	return nil
}

func (s *Speaker) read(c *conn) {
	for {
		p, err := c.ReadPacket(make([]byte, maxMessage))
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
		if err := c.WriteMessage(b, i.local[f]); err != nil {
			failed = fmt.Sprintf("send advert of %s on %s: %v", i.config.Name, c.wire, err)
		}
	}
	if failed != "" && failed != i.sendError {
		s.emit(Failed{At: now, Instance: i.config.Name, Error: failed})
	}
	i.sendError = failed
}
