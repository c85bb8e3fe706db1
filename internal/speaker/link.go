// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// linkQueue is how many messages may wait for the other process. One that
	// takes none for so long is as good as gone.
	linkQueue = 4096
	// linkPatience bounds one write, and the wait for the other's hello.
	linkPatience = 2 * time.Second
)

// link is one end of the connection between the two processes. M is what comes
// in: Command or Event. One goroutine reads, one writes; Close ends both.
type link[M any] struct {
	conn     net.Conn
	messages chan M
	lost     chan error // holds why the link ended, once
	queue    chan []byte
	written  chan struct{} // closed when the writer has ended
	closed   chan struct{}
	once     sync.Once
	running  sync.WaitGroup
}

// stranger says that the other process is none of ours, or of another version.
type stranger struct{ error }

// greet exchanges hellos and starts the link.
func greet[M any](conn net.Conn, decode func([]byte) (M, error)) (*link[M], hello, error) {
	fail := func(err error) (*link[M], hello, error) {
		conn.Close()
		return nil, hello{}, err
	}
	if err := conn.SetDeadline(time.Now().Add(linkPatience)); err != nil {
		return fail(err)
	}
	mine, err := appendFrame(nil, hello{Version: protocolVersion, PID: os.Getpid()})
	if err != nil {
		return fail(err)
	}
	if _, err := conn.Write(mine); err != nil {
		return fail(fmt.Errorf("greet the other process: %w", err))
	}
	frame, err := readFrame(conn)
	if err != nil {
		return fail(fmt.Errorf("wait for the other process to greet: %w", err))
	}
	first, err := decode(frame)
	if err != nil {
		return fail(stranger{err})
	}
	theirs, ok := any(first).(hello)
	switch {
	case !ok:
		return fail(stranger{errors.New("the other process did not greet")})
	case theirs.Version != protocolVersion:
		return fail(stranger{fmt.Errorf("the other process speaks version %d of the protocol, this one speaks %d", theirs.Version, protocolVersion)})
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return fail(err)
	}
	l := &link[M]{
		conn: conn, messages: make(chan M, 64), lost: make(chan error, 2),
		queue: make(chan []byte, linkQueue), written: make(chan struct{}), closed: make(chan struct{}),
	}
	l.running.Go(func() { l.lost <- l.read(decode) })
	l.running.Go(func() { l.lost <- l.write() })
	return l, theirs, nil
}

// read hands messages over until the link ends or one is garbled.
func (l *link[M]) read(decode func([]byte) (M, error)) error {
	r := bufio.NewReader(l.conn)
	for {
		frame, err := readFrame(r)
		if err != nil {
			return err
		}
		m, err := decode(frame)
		if err != nil {
			return err
		}
		select {
		case l.messages <- m:
		case <-l.closed:
			return net.ErrClosed
		}
	}
}

// write sends what is queued until the link ends, or a nil frame.
func (l *link[M]) write() error {
	defer close(l.written)
	for {
		select {
		case frame := <-l.queue:
			if frame == nil {
				return nil
			}
			if _, err := l.conn.Write(frame); err != nil {
				return err
			}
		case <-l.closed:
			return net.ErrClosed
		}
	}
}

// send queues a message and never waits. It reports false when the other
// process does not take what it is sent.
func (l *link[M]) send(message any) bool {
	frame, err := appendFrame(nil, message)
	if err != nil {
		select {
		case l.lost <- err:
		default:
		}
		return false
	}
	select {
	case l.queue <- frame:
		return true
	default:
		return false
	}
}

// finish sends what is queued, bounded in time, and closes the link.
func (l *link[M]) finish() {
	_ = l.conn.SetWriteDeadline(time.Now().Add(linkPatience))
	select {
	case l.queue <- nil:
		<-l.written
	case <-l.written:
	}
	l.Close()
}

// Close ends the link and waits for its goroutines.
func (l *link[M]) Close() {
	l.once.Do(func() {
		close(l.closed)
		l.conn.Close()
	})
	l.running.Wait()
}
