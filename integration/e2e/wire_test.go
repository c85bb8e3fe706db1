// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/topo"
)

// holding is a director that got the VIP, or lost it.
type holding struct {
	at   time.Time
	node *node
	held bool
}

// watch follows the VIP on both directors by the kernels' notifications.
type watch struct {
	mu      sync.Mutex
	changes []holding
	held    map[*node]bool
	others  map[*node][]string // further VIPs that came
	more    chan struct{}      // closed and replaced at each change
}

func (s *segment) watchVIP() *watch {
	s.t.Helper()
	w := &watch{held: make(map[*node]bool), others: make(map[*node][]string), more: make(chan struct{})}
	stop := make(chan struct{})
	var followers sync.WaitGroup
	for _, n := range []*node{s.d1, s.d2} {
		updates := make(chan netlink.AddrUpdate, 64)
		s.must(netlink.AddrSubscribeWithOptions(updates, stop, netlink.AddrSubscribeOptions{Namespace: &n.ns}))
		followers.Go(func() {
			for u := range updates {
				w.take(n, u, time.Now())
			}
		})
	}
	s.t.Cleanup(func() {
		close(stop)
		followers.Wait()
	})
	return w
}

func (w *watch) take(n *node, u netlink.AddrUpdate, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch address := u.LinkAddress.IP.String(); {
	case address != virtual && u.NewAddr:
		w.others[n] = append(w.others[n], address)
	case address != virtual, w.held[n] == u.NewAddr:
		return
	default:
		w.held[n] = u.NewAddr
		w.changes = append(w.changes, holding{now, n, u.NewAddr})
	}
	close(w.more)
	w.more = make(chan struct{})
}

// waitHeld waits until the directors have the VIP, or not, as said.
func (s *segment) waitHeld(d1, d2 bool) {
	s.t.Helper()
	late := time.After(patience)
	for {
		s.watch.mu.Lock()
		holds, more := s.watch.held[s.d1] == d1 && s.watch.held[s.d2] == d2, s.watch.more
		s.watch.mu.Unlock()
		if holds {
			return
		}
		select {
		case <-more:
		case <-late:
			s.t.Fatalf("VIP not as wanted: on d1 %t, on d2 %t", d1, d2)
		}
	}
}

// since returns what happened after a time.
func (w *watch) since(from time.Time) []holding {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.changes), func(h holding) bool { return h.at.Before(from) })
}

// bothHeld returns the longest time since from in which both directors had the
// VIP.
func (w *watch) bothHeld(from time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var longest time.Duration
	holders, since := make(map[*node]bool), time.Time{}
	for _, c := range append(slices.Clone(w.changes), holding{at: time.Now()}) {
		if len(holders) == 2 && c.at.After(from) {
			longest = max(longest, c.at.Sub(since))
		}
		since = c.at
		if c.held {
			holders[c.node] = true
		} else {
			delete(holders, c.node)
		}
	}
	return longest
}

// advert is an advertisement on the segment.
type advert struct {
	at       time.Time
	sender   string // hardware address
	priority uint8
}

// wire is what the client sees: adverts, and answers to its pings.
type wire struct {
	conn *packet.Conn

	mu      sync.Mutex
	adverts []advert
	sent    []time.Time // pings, by sequence number
	lost    []bool      // those without an answer
	more    chan struct{}
}

const pingID = 0x4c48

func (s *segment) listen() *wire {
	s.t.Helper()
	w := &wire{more: make(chan struct{})}
	s.must(topo.Within(s.client, func() error {
		ifi, err := net.InterfaceByName(bridge)
		if err != nil {
			return err
		}
		w.conn, err = packet.Listen(ifi, packet.Datagram, unix.ETH_P_IP, nil)
		return err
	}))
	// A busy machine must not lose what was answered.
	raw, err := w.conn.SyscallConn()
	s.must(err)
	var refused error
	err = raw.Control(func(fd uintptr) {
		refused = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
	})
	s.must(errors.Join(err, refused))
	var listening sync.WaitGroup
	listening.Go(func() {
		b := make([]byte, 1500)
		for {
			n, from, err := w.conn.ReadFrom(b)
			if err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					s.t.Error(err)
				}
				return
			}
			w.take(b[:n], from.(*packet.Addr).HardwareAddr, time.Now())
		}
	})
	s.t.Cleanup(func() {
		_ = w.conn.SetReadDeadline(time.Now())
		listening.Wait()
		w.conn.Close()
	})
	return w
}

func (w *wire) take(b []byte, sender net.HardwareAddr, now time.Time) {
	header := int(b[0]&0xf) * 4
	if len(b) < header+12 { // an advert of one address
		return
	}
	protocol, payload := b[9], b[header:]
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case protocol == 112:
		w.adverts = append(w.adverts, advert{now, sender.String(), payload[2]})
	case protocol == unix.IPPROTO_ICMP && payload[0] == byte(ipv4.ICMPTypeEchoReply) && binary.BigEndian.Uint16(payload[4:]) == pingID:
		w.lost[binary.BigEndian.Uint32(payload[8:])] = false
	default:
		return
	}
	close(w.more)
	w.more = make(chan struct{})
}

// ping asks the VIP every millisecond until the test ends.
func (s *segment) ping() {
	s.t.Helper()
	var conn *icmp.PacketConn
	s.must(topo.Within(s.client, func() (err error) {
		conn, err = icmp.ListenPacket("ip4:icmp", "192.0.2.9")
		return err
	}))
	stop := make(chan struct{})
	var pinging sync.WaitGroup
	pinging.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				s.wire.ask(conn)
			}
		}
	})
	s.t.Cleanup(func() {
		close(stop)
		pinging.Wait()
		conn.Close()
	})
}

func (w *wire) ask(conn *icmp.PacketConn) {
	w.mu.Lock()
	body := binary.BigEndian.AppendUint32(nil, uint32(len(w.sent)))
	w.sent, w.lost = append(w.sent, time.Now()), append(w.lost, true)
	w.mu.Unlock()
	b, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: pingID, Data: bytes.Join([][]byte{body, body}, nil)}}).Marshal(nil)
	if err == nil {
		_, _ = conn.WriteTo(b, &net.IPAddr{IP: net.ParseIP(virtual)}) // what is not sent is lost
	}
}

// longestLoss returns how many pings in a row, sent since from, got no answer:
// about as many milliseconds. It waits until a later one was answered.
func (s *segment) longestLoss(from time.Time) int {
	s.t.Helper()
	w, now, late := s.wire, time.Now(), time.After(patience)
	for {
		w.mu.Lock()
		first, _ := slices.BinarySearchFunc(w.sent, from, time.Time.Compare)
		last, _ := slices.BinarySearchFunc(w.sent, now, time.Time.Compare)
		answered, more := slices.Contains(w.lost[last:], false), w.more
		lost := slices.Clone(w.lost[first:last])
		w.mu.Unlock()
		if answered {
			return longestRun(lost)
		}
		select {
		case <-more:
		case <-late:
			s.t.Fatal("nobody answers on the VIP")
		}
	}
}

func longestRun(lost []bool) int {
	longest, run := 0, 0
	for _, l := range lost {
		if run++; !l {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// heard returns a director's adverts since from.
func (w *wire) heard(n *node, from time.Time) []advert {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []advert
	for _, a := range w.adverts {
		if a.sender == n.mac.String() && !a.at.Before(from) {
			all = append(all, a)
		}
	}
	return all
}
