// SPDX-License-Identifier: Apache-2.0

package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxReply bounds how much of a reply is looked at, in bytes.
const maxReply = 2048

// udpProber sends one datagram and waits for a reply, an ICMP error, or the end
// of its time.
type udpProber struct {
	send    []byte
	expect  []byte // nil: no reply needed
	timeout time.Duration
}

func newUDPProber(c Check) *udpProber {
	p := &udpProber{timeout: c.Timeout}
	if c.UDP != nil {
		p.send, p.expect = c.UDP.Send, c.UDP.Expect
	}
	return p
}

func (p *udpProber) Probe(ctx context.Context, target netip.AddrPort) error {
	tooLate := fmt.Sprintf("no reply within %s", p.timeout)
	dialer := net.Dialer{Control: reportICMP}
	conn, err := dialer.DialUDP(ctx, "udp", netip.AddrPort{}, target)
	if err != nil {
		return explain(ctx, err, tooLate)
	}
	defer func() { _ = conn.Close() }()

	if _, err := conn.Write(p.send); err != nil {
		return explain(ctx, err, tooLate)
	}
	defer interruptAt(ctx, conn)() // only now: a director short of time still asks
	reply := make([]byte, maxReply)
	n, err := conn.Read(reply)
	if err != nil {
		silent := errors.Is(err, os.ErrDeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded)
		if silent && p.expect == nil {
			return nil
		}
		return explain(ctx, err, tooLate)
	}
	if !bytes.Contains(reply[:n], p.expect) {
		return errors.New(clip(fmt.Sprintf("reply does not contain %q: %q", p.expect, reply[:n])))
	}
	return nil
}

// reportICMP has every ICMP error returned by the socket. By default a
// connected UDP socket hears of an unreachable port, but not of an unreachable
// host (IP_RECVERR in ip(7)).
func reportICMP(network, _ string, c syscall.RawConn) error {
	level, option := unix.IPPROTO_IP, unix.IP_RECVERR
	if network == "udp6" {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	var err error
	if controlErr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), level, option, 1)
	}); controlErr != nil {
		return controlErr
	}
	if err != nil {
		return fmt.Errorf("set IP_RECVERR: %w", err)
	}
	return nil
}
