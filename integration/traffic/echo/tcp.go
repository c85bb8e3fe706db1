// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
)

// serveTCP accepts echo connections until ctx ends, and ends them then.
func serveTCP(ctx context.Context, l net.Listener, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	var connections sync.WaitGroup
	defer connections.Wait()
	defer cancel()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept TCP echo connection on %s: %w", l.Addr(), err)
		}
		connections.Go(func() { echoLines(ctx, conn, name) })
	}
}

// echoLines answers the requests of one connection until the client closes it or
// sends something else, or ctx ends.
func echoLines(ctx context.Context, conn net.Conn, name string) {
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	requests := bufio.NewReaderSize(conn, MaxMessageLen)
	answer := make([]byte, 0, MaxMessageLen)
	for {
		line, err := requests.ReadSlice('\n')
		if err != nil {
			return
		}
		seq, err := ParseRequest(line)
		if err != nil {
			return
		}
		answer = append(Answer{Server: []byte(name), Seq: seq}.AppendTo(answer[:0]), '\n')
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}
