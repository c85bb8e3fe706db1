// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// socketPair is two connected ends that hold so many writes in either direction
// until they are read, as sockets do.
func socketPair(held int) (a, b net.Conn) {
	a, a2 := net.Pipe()
	b, b2 := net.Pipe()
	go pump(a2, b2, held)
	go pump(b2, a2, held)
	return a, b
}

// pump carries what comes from one end to the other until either is closed.
func pump(from, to net.Conn, held int) {
	queue := make(chan []byte, held)
	go func() {
		defer close(queue)
		for {
			chunk := make([]byte, 4096)
			n, err := from.Read(chunk)
			if err != nil {
				return
			}
			queue <- chunk[:n]
		}
	}()
	for chunk := range queue {
		if _, err := to.Write(chunk); err != nil {
			break
		}
	}
	to.Close()
	from.Close()
	for range queue {
	}
}

// fakeListener is where a new director may connect.
type fakeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newFakeListener() *fakeListener {
	return &fakeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *fakeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *fakeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *fakeListener) Addr() net.Addr { return &net.UnixAddr{} }

// dial returns the end of a new connection, or nil when nobody listens.
func (l *fakeListener) dial() net.Conn {
	mine, theirs := socketPair(1000)
	select {
	case l.conns <- theirs:
		return mine
	case <-l.closed:
		mine.Close()
		return nil
	}
}

// served is the speaker's process on a fake host.
type served struct {
	*host
	successors *fakeListener
	pulse      *Pulse // the director's end
	terminate  chan struct{}
	asked      sync.Once                 // to terminate
	garble     func(hello []byte) []byte // what a new director reads of its hello; nil: all
	applyErr   error
	cancel     context.CancelFunc // a sudden end
	done       chan struct{}      // closed when it has ended
	err        error              // then
	frozen     chan struct{}      // closed: the speaker's loop stands still
	dead       atomic.Bool        // nothing that it does has any effect
	orphaned   log                // what was said without a director

	mu      sync.Mutex
	applied []Settings
}

// pulsesOfOne returns both ends of a Pulse in the memory of this process, by
// the clock of the test.
func pulsesOfOne() (director, speaker *Pulse) {
	start := time.Now().Add(-time.Second)
	return newPulses(new([2]atomic.Int64), func() time.Duration { return time.Since(start) })
}

// serve runs Serve on h with the given connection to its director. A second
// one may run on the same host when the first has ended.
func serve(t *testing.T, h *host, director net.Conn, prepare ...func(*Speaker)) *served {
	t.Helper()
	turned := make(chan struct{}, 1)
	stall := h.beat
	ctx, cancel := context.WithCancel(t.Context())
	s := &served{host: h, successors: newFakeListener(), terminate: make(chan struct{}), cancel: cancel, done: make(chan struct{}), frozen: make(chan struct{})}
	system := h.system()
	system.Keeper = mortal{h, &s.dead}
	system.Listen = func(ifname string, f vrrp.Family) (Conn, error) {
		return mortalConn{h.segment.listen(h, ifname, f), &s.dead}, nil
	}
	var pulse *Pulse
	s.pulse, pulse = pulsesOfOne()
	system.Beat = func() {
		select {
		case <-s.frozen:
			<-ctx.Done()
		default:
		}
		if stall != nil {
			stall()
		}
		pulse.Beat()
		select {
		case turned <- struct{}{}:
		default:
		}
	}
	go func() {
		defer close(s.done)
		defer director.Close()
		s.err = Serve(ctx, ServeOptions{
			Director: director, Successors: s.successors, Pulse: pulse, Turned: turned, Terminate: s.terminate,
			Tell: s.orphaned.take, Log: slog.New(slog.DiscardHandler),
			Speaker: func(commands <-chan Command, events chan<- Event) *Speaker {
				sp := New(system, commands, events)
				for _, p := range prepare {
					p(sp)
				}
				return sp
			},
			Apply: func(settings Settings) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.applied = append(s.applied, settings)
				return s.applyErr
			},
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-s.done
	})
	return s
}

// mortal is a Keeper of a process that may die.
type mortal struct {
	*host
	dead *atomic.Bool
}

func (m mortal) Hold(want netif.Desired) (netif.Changes, error) {
	if m.dead.Load() {
		return netif.Changes{}, nil
	}
	return m.host.Hold(want)
}

// mortalConn is a Conn of a process that may die.
type mortalConn struct {
	Conn
	dead *atomic.Bool
}

func (c mortalConn) Write(messages []vrrp.Outgoing) error {
	if c.dead.Load() {
		return nil
	}
	return c.Conn.Write(messages)
}

// fakeDirector is the other end of Serve.
type fakeDirector struct {
	*link[Event]
	log
	theirs hello
	silent atomic.Bool   // gives no signs of life
	deaf   atomic.Bool   // takes no messages
	gone   chan struct{} // closed when the link has ended
	beats  atomic.Int64  // looks at which one was heard, of 20 a second
}

// direct greets the process and gives signs of life.
func (s *served) direct(t *testing.T, conn net.Conn) *fakeDirector {
	t.Helper()
	l, theirs, err := greet(conn, decodeEvent)
	if err != nil {
		t.Fatal(err)
	}
	d := &fakeDirector{link: l, theirs: theirs, gone: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.run(t.Context(), s.pulse)
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return d
}

func (d *fakeDirector) run(ctx context.Context, pulse *Pulse) {
	defer close(d.gone)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		messages := d.messages
		if d.deaf.Load() {
			messages = nil
		}
		select {
		case e := <-messages:
			d.take(e)
		case <-d.lost:
			for len(d.messages) > 0 {
				d.take(<-d.messages)
			}
			return
		case <-tick.C:
			if !d.silent.Load() {
				pulse.Beat()
			}
			if _, heard := pulse.Heard(); heard {
				d.beats.Add(1)
			}
		case <-ctx.Done():
			return
		}
	}
}
