// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// listenUDP opens a socket that tells for each datagram to which of the machine's
// addresses it came: the answer must leave from that address, which is a virtual
// one where a director forwards directly.
func listenUDP(address string) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(network, _ string, conn syscall.RawConn) error {
		level, option := unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
		if network == "udp4" {
			level, option = unix.IPPROTO_IP, unix.IP_PKTINFO
		}
		var optionErr error
		err := conn.Control(func(fd uintptr) { optionErr = unix.SetsockoptInt(int(fd), level, option, 1) })
		return errors.Join(err, optionErr)
	}}
	conn, err := config.ListenPacket(context.Background(), "udp", address)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// serveUDP answers datagrams until ctx ends. What is not a request is ignored.
func serveUDP(ctx context.Context, conn *net.UDPConn, name string) error {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	request := make([]byte, MaxMessageLen)
	answer := make([]byte, 0, MaxMessageLen)
	control := make([]byte, 64)
	for {
		n, controlLen, _, client, err := conn.ReadMsgUDPAddrPort(request, control)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receive UDP echo request on %s: %w", conn.LocalAddr(), err)
		}
		seq, err := ParseRequest(request[:n])
		if err != nil {
			continue
		}
		answer = Answer{Server: []byte(name), Seq: seq}.AppendTo(answer[:0])
		anyInterface(control[:controlLen])
		// A client that can't be reached is the client's loss.
		_, _, _ = conn.WriteMsgUDPAddrPort(answer, control[:controlLen], client)
	}
}

// anyInterface turns the packet information that came with a request into that of
// its answer: the same local address, but the interface left to the routing table.
func anyInterface(control []byte) {
	for len(control) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return
		}
		switch {
		case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			clear(data[:4]) // struct in_pktinfo begins with the interface
		case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			clear(data[16:20]) // struct in6_pktinfo ends with it
		}
		control = rest
	}
}
