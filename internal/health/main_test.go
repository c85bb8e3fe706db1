// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is the timeout of a probe that something else ends before, even on a
// slow machine.
const answer = 10 * time.Second

// serve has handle answer every connection to a listener on the loopback
// address, and closes them all when the test ends.
func serve(t *testing.T, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var handlers sync.WaitGroup
	handlers.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			handlers.Go(func() {
				defer stop()
				defer func() { _ = conn.Close() }()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		handlers.Wait()
	})
	return addrPort(t, listener.Addr())
}

func addrPort(t *testing.T, a net.Addr) netip.AddrPort {
	t.Helper()
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// closedPort returns an address on which nothing listens.
func closedPort(t *testing.T) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return addrPort(t, listener.Addr())
}

// check completes c with a schedule and the given timeout.
func check(c Check, timeout time.Duration) Check {
	c.Interval, c.Timeout, c.Rise, c.Fall = time.Second, timeout, 1, 1
	return c
}

// probe asks target as the runner does, and returns the reason or "".
func probe(t *testing.T, c Check, target netip.AddrPort) string {
	t.Helper()
	p, err := NewProber(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), c.Timeout)
	defer cancel()
	return reasonOf(p.Probe(ctx, target))
}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// waitForEnd keeps a connection until its other end or the test gives up.
func waitForEnd(c net.Conn) {
	for b := make([]byte, 512); ; {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// droppingPort returns the address of a listener whose queue is full, so that
// the kernel drops further connection requests.
func droppingPort(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil { // a queue of one
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	in := name.(*unix.SockaddrInet4)
	target := netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port))
	queued, err := net.Dial("tcp", target.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queued.Close() })
	return target
}
