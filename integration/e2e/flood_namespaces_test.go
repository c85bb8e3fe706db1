// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/packet"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/topo"
)

const (
	// floodTick is how often floodBurst forged adverts leave: 10,000 a second.
	floodTick  = time.Millisecond
	floodBurst = 10
	floodTime  = 1500 * time.Millisecond
	// floodLines is how many lines about a flood of that length may be logged:
	// for each reason one at once, and one after a second.
	floodLines = 4
)

// TestFloodOfLosingAdverts: adverts that anybody on the segment can forge, each
// well-formed and from another address, with a priority that loses. The adverts
// of the master stay on time, everything that arrives is counted, and neither
// role nor log suffers.
func TestFloodOfLosingAdverts(t *testing.T) {
	requireLayer(t, "namespaces", "test-namespaces")
	t.Cleanup(func() { goleak.VerifyNone(t) })
	const auth = `
auth = { keys = [{ id = 1, key = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" }] }`
	for _, test := range []struct {
		name, keys string
		trailers   []bool // in turn
		discarded  []string
	}{
		{"without authentication", "", []bool{false}, nil},
		{"with it enforced", auth, []bool{false, true}, []string{"unsigned", "hmac"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSegment(t)
			s.d1.configure(atTenth+test.keys, calm)
			s.d2.configure(atTenth+test.keys, calm)
			c := s.captureFrom(s.d1.mac)
			s.begin()
			bestOf3(t, test.name, func(int) string {
				s.settle()
				return strings.Join(s.flooded(c, test.trailers, test.discarded), "; ")
			})
		})
	}
}

// flooded floods d1 and its backup, and returns what should not have been and
// may be a busy machine's doing.
func (s *segment) flooded(c *capture, trailers []bool, discarded []string) (problems []string) {
	before, mark1, mark2 := s.d1.instance(), s.d1.log.mark(), s.d2.log.mark()
	delivered := s.countDelivered(s.d1)
	began := time.Now()
	sent := s.flood(trailers)
	gap := c.longestGap(s.d1, began, time.Now())

	var got, refused uint64
	s.poll("all that was delivered in the counters", func() bool {
		i := s.d1.instance()
		got, refused = i.Received-before.Received, 0
		for _, reason := range discarded {
			refused += i.Discarded[reason] - before.Discarded[reason]
		}
		return got >= delivered()
	})
	want := delivered()
	s.t.Logf("%d forged, %d delivered, longest time between adverts %v, %d adverts", sent, want, gap.Round(time.Millisecond), len(c.adverts(s.d1, began)))
	if got != want || want == 0 {
		s.t.Errorf("%d counted, %d delivered", got, want)
	}
	if discarded != nil && refused != want {
		s.t.Errorf("%d counted as %s, %d delivered", refused, strings.Join(discarded, " or "), want)
	}
	after := s.d1.instance()
	if answers := after.Sent - before.Sent; answers > want {
		s.t.Errorf("%d forged adverts gave rise to %d", want, answers)
	}
	if after.State != "master" || !after.Since.Equal(before.Since) {
		problems = append(problems, fmt.Sprintf("d1 is %s (%s)", after.State, after.Reason))
	}
	problems = append(problems, s.d2.log.since(mark2, "web: backup -> ")...)
	for n, mark := range map[*node]int{s.d1: mark1, s.d2: mark2} {
		if lines := n.log.since(mark, ""); len(lines) > floodLines {
			problems = append(problems, fmt.Sprintf("%d lines in the log of %s", len(lines), n.name))
		}
	}
	if gap > 2*tenth {
		problems = append(problems, fmt.Sprintf("no advert for %v", gap))
	}
	return problems
}

// flood sends forged adverts, with and without a trailer in turn, and returns
// how many.
func (s *segment) flood(trailers []bool) (sent int) {
	s.t.Helper()
	send := s.stranger()
	ctx, cancel := context.WithTimeout(s.t.Context(), floodTime)
	defer cancel()
	tick := time.NewTicker(floodTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return sent
		case now := <-tick.C:
			for range floodBurst {
				source := netip.AddrFrom4([4]byte{192, 0, 2, byte(20 + sent%70)})
				b := forge(50, tenth)
				if trailers[sent%len(trailers)] {
					b = unproven(b, now)
				}
				send(source, b)
				sent++
			}
		}
	}
}

// stranger returns a function that sends what follows the IPv4 header of an
// advert, as a router with that source address would, until the test ends.
func (s *segment) stranger() (send func(source netip.Addr, b []byte)) {
	s.t.Helper()
	var conn *packet.Conn
	s.must(topo.Within(s.client, func() error {
		ifi, err := net.InterfaceByName(bridge)
		if err == nil {
			conn, err = packet.Listen(ifi, packet.Datagram, unix.ETH_P_IP, nil)
		}
		return err
	}))
	s.t.Cleanup(func() { conn.Close() })
	group := &packet.Addr{HardwareAddr: net.HardwareAddr{0x01, 0, 0x5e, 0, 0, 18}} // RFC 1112 section 6.4
	return func(source netip.Addr, b []byte) {
		s.t.Helper()
		ip := []byte{0x45, 0xc0, 0, byte(20 + len(b)), 0, 0, 0, 0, 255, vrrpProtocol, 0, 0}
		ip = append(append(ip, source.AsSlice()...), 224, 0, 0, 18)
		binary.BigEndian.PutUint16(ip[10:], internetChecksum(ip))
		_, err := conn.WriteTo(append(ip, b...), group)
		s.must(err)
	}
}

// forge returns what a peer of that priority and interval would send (RFC 9568
// section 5.2).
func forge(priority byte, interval time.Duration) []byte {
	b := []byte{0x31, 51, priority, 1, 0, byte(interval / (10 * time.Millisecond)), 0, 0}
	b = append(b, netip.MustParseAddr(virtual).AsSlice()...)
	binary.BigEndian.PutUint16(b[6:], internetChecksum(b))
	return b
}

// unproven appends a trailer in which all but the HMAC is right
// (draft-cassen-vrrp-auth-hmac): type, key, time, HMAC.
func unproven(b []byte, now time.Time) []byte {
	b = append(b, 1, 1, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(now.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(now.Nanosecond()))
	return append(b, make([]byte, 16)...)
}

// internetChecksum is that of RFC 1071 over an even number of octets.
func internetChecksum(b []byte) uint16 {
	sum := uint32(0)
	for ; len(b) > 0; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum>>16 + sum)
}

// countDelivered makes the kernel count, from now on, the VRRP packets that it
// delivers to the sockets of a director.
func (s *segment) countDelivered(n *node) (delivered func() uint64) {
	s.t.Helper()
	c, err := nftables.New(nftables.WithNetNSFd(int(n.ns)))
	s.must(err)
	table := &nftables.Table{Name: "count", Family: nftables.TableFamilyIPv4}
	c.AddTable(table)
	c.DelTable(table) // of an earlier try
	c.AddTable(table)
	chain := c.AddChain(&nftables.Chain{
		Table: table, Name: "input", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter,
	})
	c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{vrrpProtocol}},
		&expr.Counter{},
	}})
	s.must(c.Flush())
	dropped := s.droppedOn(n)
	return func() uint64 {
		s.t.Helper()
		rules, err := c.GetRules(table, chain)
		s.must(err)
		counter, ok := rules[0].Exprs[2].(*expr.Counter)
		if !ok {
			s.t.Fatalf("no counter in %v", rules[0].Exprs)
		}
		return counter.Packets - (s.droppedOn(n) - dropped)
	}
}

// droppedOn returns how many packets did not fit into a director's VRRP sockets.
func (s *segment) droppedOn(n *node) (dropped uint64) {
	s.t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/net/raw", n.director()))
	s.must(err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		var protocol, drops uint64
		if got, _ := fmt.Sscanf(fields[1], "00000000:%X", &protocol); got == 1 && protocol == vrrpProtocol {
			_, err := fmt.Sscan(fields[len(fields)-1], &drops)
			s.must(err)
			dropped += drops
		}
	}
	return dropped
}
