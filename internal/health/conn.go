// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// dialTCP opens a connection that Close ends with a reset (SO_LINGER with time
// 0, socket(7)). Whoever closes first keeps the connection in TIME-WAIT for a
// minute, which for 10,000 targets each 2 s would be 300,000 of them on the
// director. HAProxy's probes end the same way.
func dialTCP(ctx context.Context, target netip.AddrPort) (net.Conn, error) {
	dialer := net.Dialer{KeepAlive: -1} // a probe ends before the first keep-alive
	conn, err := dialer.DialTCP(ctx, "tcp", netip.AddrPort{}, target)
	if err != nil {
		return nil, err
	}
	if err := conn.SetLinger(0); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("set SO_LINGER on the connection to %s: %w", target, err)
	}
	return conn, nil
}

// interruptAt has conn's reads and writes fail once ctx ends. The caller calls
// release when it is done with conn.
func interruptAt(ctx context.Context, conn net.Conn) (release func() bool) {
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(0, 0)) })
}
