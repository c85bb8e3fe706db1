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
	wire      wire
	index     int // of the interface that it is bound to
	opened    time.Time
	done      chan struct{}
	batches   chan *vrrp.Batch // free ones
	outbox    vrrp.Outbox      // to be sent at the end of the turn
	sendError string           // the last failed send, to say it once
}

// batchesPerConn lets the reader fill one while the other is worked on.
const batchesPerConn = 2

// received is what one read brought, or the error that ended the Conn.
type received struct {
	conn    *conn
	packets []vrrp.Packet
	batch   *vrrp.Batch // that the packets are in
	err     error
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
	c := &conn{Conn: opened, wire: w, index: index, opened: now, done: make(chan struct{}), batches: make(chan *vrrp.Batch, batchesPerConn)}
	for range batchesPerConn {
		c.batches <- new(vrrp.Batch)
	}
	s.conns[w] = c
	s.readers.Go(func() { s.read(c) })
	return nil
}

func (s *Speaker) read(c *conn) {
	for {
		var b *vrrp.Batch
		select {
		case b = <-c.batches:
		case <-c.done:
			return
		}
		packets, err := c.ReadPackets(b)
		select {
		case s.packets <- received{c, packets, b, err}:
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
	s.readLinks()
	s.review(now)
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

// send puts one advert of an instance in each of its families into the
// outboxes.
//
// Many packets may each demand one and the same advert in answer: one of them
// leaves in a turn, so that forged packets are not multiplied.
func (s *Speaker) send(now time.Time, i *instance, a vrrp.SendAdvert) {
	if i.sent == (sentAdvert{s.turn, a}) {
		return
	}
	i.sent = sentAdvert{s.turn, a}
	for f, g := range i.groups {
		c := s.conns[wire{i.config.Interface, f}]
		if c == nil {
			continue
		}
		before := len(c.outbox.Messages)
		g.AppendOutgoing(now, a.Priority, a.Interval, &c.outbox)
		if _, unicast := i.config.Unicast[f]; unicast {
			continue
		}
		for n := range c.outbox.Messages[before:] {
			c.outbox.Messages[before+n].HardwareSource = i.virtualMAC[f]
		}
	}
}

// flush sends the adverts of this turn, those of a wire in one go.
func (s *Speaker) flush(now time.Time) {
	for _, c := range s.conns {
		if len(c.outbox.Messages) == 0 {
			continue
		}
		failed := ""
		if err := c.Write(c.outbox.Messages); err != nil && s.links[c.wire.ifname].Up {
			failed = fmt.Sprintf("send adverts on %s: %v", c.wire, err)
		}
		c.outbox.Reset()
		if failed != "" && failed != c.sendError {
			s.emit(Failed{At: now, Error: failed})
		}
		c.sendError = failed
	}
}
