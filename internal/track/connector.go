// SPDX-License-Identifier: Apache-2.0

package track

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

const (
	// connectorBuffer is the size of the receive buffer in bytes: some ten thousand events.
	connectorBuffer = 4 << 20
	// maxDatagram is more than the kernel puts into one datagram, in bytes.
	maxDatagram = 8192
)

// errOverrun says that events were lost.
var errOverrun = errors.New("process events were lost")

// subscription receives the kernel's process events.
type subscription interface {
	// receive waits for the next events. It returns errOverrun when some were lost, another error when there will be
	// no more.
	receive() ([]procEvent, error)
	// close ends a receive that waits.
	close()
}

// connector is a subscription to the process connector (drivers/connector/cn_proc.c). It needs CAP_NET_ADMIN, and exists in
// the initial network, process and user namespace only.
type connector struct {
	conn   *socket.Conn
	buffer []byte
}

// subscribe returns a subscription once the kernel has confirmed it. Outside the initial namespaces the kernel refuses the
// message or never answers, which takes until ctx ends.
func subscribe(ctx context.Context) (subscription, error) {
	conn, err := socket.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM, unix.NETLINK_CONNECTOR, "connector", nil)
	if err != nil {
		return nil, fmt.Errorf("subscribe to process events: %w", err)
	}
	c := &connector{conn: conn, buffer: make([]byte, maxDatagram)}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = c.listen()
	if !stop() && err != nil {
		err = fmt.Errorf("no answer from the kernel: %w", ctx.Err())
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("subscribe to process events: %w", err)
	}
	return c, nil
}

func (c *connector) listen() error {
	if err := c.conn.SetReadBuffer(connectorBuffer); err != nil {
		return err
	}
	if err := c.conn.Bind(&unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIndexProc}); err != nil {
		return err
	}
	ack := uint32(os.Getpid()) // no other process has this one
	if err := c.send(request(mcastListen, ack)); err != nil {
		return err
	}
	for {
		events, err := c.receive()
		if err != nil && !errors.Is(err, errOverrun) {
			return err
		}
		for _, e := range events {
			if e.kind == answered && e.ack == ack+1 {
				if e.err != 0 {
					return e.err
				}
				return nil
			}
		}
	}
}

func (c *connector) send(message []byte) error {
	return c.conn.Sendto(context.Background(), message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

func (c *connector) receive() ([]procEvent, error) {
	for {
		n, from, err := c.conn.Recvfrom(context.Background(), c.buffer, 0)
		switch {
		case errors.Is(err, syscall.ENOBUFS):
			return nil, errOverrun
		case err != nil:
			return nil, err
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
			continue // not from the kernel: any process may send to us
		}
		events, err := parseProcEvents(c.buffer[:n])
		if err != nil {
			return nil, errOverrun
		}
		if len(events) > 0 {
			return events, nil
		}
	}
}

// close ends the subscription. Kernels before 6.6 go on composing events for nobody unless told so.
func (c *connector) close() {
	_ = c.send(request(mcastIgnore, uint32(os.Getpid())))
	_ = c.conn.Close()
}
