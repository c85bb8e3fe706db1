// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/traffic/echo"
)

// udpSource sends datagrams and takes the answers as they come.
type udpSource struct {
	interval time.Duration
	timeout  time.Duration
	sockets  []*udpSocket
	first    chan struct{}

	mu       sync.Mutex
	requests *requests
}

// newUDPSource opens the sockets.
func newUDPSource(c Config) (*udpSource, error) {
	u := &udpSource{
		interval: c.UDPInterval,
		timeout:  c.Timeout,
		first:    make(chan struct{}),
		requests: newRequests(c.UDPInterval+c.SilenceThreshold, time.Now()),
	}
	for range c.UDPPorts {
		s, err := dialUDP(c)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open UDP socket to %s: %w", c.UDP, err), u.close())
		}
		u.sockets = append(u.sockets, s)
	}
	return u, nil
}

// close closes the sockets.
func (u *udpSource) close() error {
	var err error
	for _, s := range u.sockets {
		err = errors.Join(err, s.conn.Close())
	}
	return err
}

func (u *udpSource) answering() <-chan struct{} { return u.first }

func (u *udpSource) run(ctx context.Context) {
	var receivers sync.WaitGroup
	for _, s := range u.sockets {
		receivers.Go(func() { u.receive(s.conn) })
	}
	pace(ctx, u.interval, u.send)

	u.end()
	receivers.Wait()
	_ = u.close()
}

// end ends the sending, and the receiving when the last answers had their time.
func (u *udpSource) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	u.requests.close(now)
	if u.requests.settled() {
		u.receiveUntil(now)
	} else {
		u.receiveUntil(now.Add(u.timeout))
	}
}

// receiveUntil sets when the receivers end.
func (u *udpSource) receiveUntil(deadline time.Time) {
	for _, s := range u.sockets {
		_ = s.conn.SetReadDeadline(deadline)
	}
}

// send sends the next request from the socket whose turn it is.
func (u *udpSource) send(now time.Time) {
	u.mu.Lock()
	seq := u.requests.request(now)
	u.mu.Unlock()

	s := u.sockets[seq%uint64(len(u.sockets))]
	err := s.send(seq)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		// What the network said about an earlier datagram is reported in place of
		// sending this one. If this one fails as well, it is for the same reason.
		u.failure(errorText(err))
		err = s.send(seq)
	}
	if errors.Is(err, unix.EAGAIN) {
		u.failure(textSendBuffer)
	}
}

// receive takes answers until the read deadline.
func (u *udpSource) receive(conn *net.UDPConn) {
	b := make([]byte, echo.MaxMessageLen+1)
	for {
		n, err := conn.Read(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			u.failure(errorText(err))
		default:
			u.answer(b[:n])
		}
	}
}

// answer accounts one datagram received.
func (u *udpSource) answer(b []byte) {
	a, err := echo.ParseAnswer(b)
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	if err != nil {
		u.requests.failure(now, textMalformed)
		return
	}
	if u.requests.answer(now, a.Seq, a.Server) {
		close(u.first)
	}
	if u.requests.settled() {
		u.receiveUntil(now)
	}
}

// failure counts an error that happened now.
func (u *udpSource) failure(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests.failure(time.Now(), text)
}

// report returns the account.
func (u *udpSource) report() *StreamReport {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.requests.report()
	return &r
}

// udpSocket is a connected socket that sends without waiting: while a neighbour is
// being resolved its datagrams are queued, and a full queue would hold up the
// sender. One goroutine sends.
type udpSocket struct {
	conn    *net.UDPConn
	raw     syscall.RawConn
	request []byte
	err     error
	write   func(fd uintptr) bool
}

// dialUDP opens a socket to the target.
func dialUDP(c Config) (*udpSocket, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(c.UDP))
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s := &udpSocket{conn: conn, raw: raw, request: make([]byte, 0, echo.MaxMessageLen)}
	s.write = func(fd uintptr) bool {
		_, s.err = unix.Write(int(fd), s.request)
		return true
	}
	return s, nil
}

// send sends one request. EAGAIN means that the send buffer is full.
func (s *udpSocket) send(seq uint64) error {
	s.request = echo.AppendRequest(s.request[:0], seq)
	if err := s.raw.Write(s.write); err != nil {
		return err
	}
	return s.err
}
