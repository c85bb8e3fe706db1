// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/traffic/echo"
)

// tcpSource holds long-lived echo connections.
type tcpSource struct {
	config Config
	first  chan struct{}

	mu      sync.Mutex
	stream  *stream
	counts  ConnectionsReport // only its own counters
	pending int               // connections neither answered nor over
}

// newTCPSource returns a source that is ready to run.
func newTCPSource(c Config) *tcpSource {
	return &tcpSource{
		config:  c,
		first:   make(chan struct{}),
		stream:  newStream(c.TCPInterval + c.SilenceThreshold),
		pending: c.Connections,
	}
}

func (s *tcpSource) answering() <-chan struct{} { return s.first }

func (s *tcpSource) run(ctx context.Context) {
	var connections sync.WaitGroup
	for range s.config.Connections {
		connections.Go(func() { s.connection(ctx) })
	}
	connections.Wait()
}

// report returns the account.
func (s *tcpSource) report() *ConnectionsReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.counts
	r.StreamReport = s.stream.report()
	return &r
}

// settled notes that a connection has been answered or is over. The stream counts
// as answering when all have, if any was answered at all.
func (s *tcpSource) settled() {
	if s.pending--; s.pending == 0 && s.stream.answered > 0 {
		close(s.first)
	}
}

// connection opens one connection and uses it until ctx ends or it breaks.
func (s *tcpSource) connection(ctx context.Context) {
	dialer := net.Dialer{Timeout: s.config.Timeout, KeepAlive: -1}
	conn, err := dialer.DialContext(ctx, "tcp", s.config.TCP.String())

	s.mu.Lock()
	now := time.Now()
	if err != nil {
		s.counts.Refused++
		s.stream.failure(now, errorText(err))
		s.settled()
		s.mu.Unlock()
		return
	}
	s.counts.Opened++
	c := &tcpConnection{source: s, conn: conn, answers: bufio.NewReaderSize(conn, echo.MaxMessageLen), lane: s.stream.open(now)}
	s.mu.Unlock()
	defer func() { _ = conn.Close() }()

	usable, cancel := context.WithCancel(ctx)
	var ending sync.WaitGroup
	ending.Go(func() {
		<-usable.Done()
		c.end()
	})
	defer ending.Wait()
	defer cancel()
	pace(usable, s.config.TCPInterval, func(time.Time) {
		if err := c.exchange(); err != nil {
			c.over(err)
			cancel()
		}
	})
}

// tcpConnection is one open connection.
type tcpConnection struct {
	source  *tcpSource
	conn    net.Conn
	answers *bufio.Reader
	message []byte

	// The source's mutex guards what follows.
	lane     *lane
	seq      uint64
	server   string
	answered bool
	ending   bool
}

// end ends the connection's timing, and its last wait soon after.
func (c *tcpConnection) end() {
	now := time.Now()
	c.source.mu.Lock()
	c.lane.close(now)
	c.ending = true
	c.source.mu.Unlock()
	_ = c.conn.SetReadDeadline(now.Add(c.source.config.Timeout))
}

// exchange sends a request and waits for its answer.
func (c *tcpConnection) exchange() error {
	c.source.mu.Lock()
	c.source.stream.request()
	c.message = append(echo.AppendRequest(c.message[:0], c.seq), '\n')
	c.source.mu.Unlock()

	if _, err := c.conn.Write(c.message); err != nil {
		return err
	}
	line, err := c.answers.ReadSlice('\n')
	if err != nil {
		return err
	}
	answer, err := echo.ParseAnswer(line)
	if err != nil {
		return errors.New(textMalformed)
	}
	c.answer(answer)
	return nil
}

// answer accounts one answer.
func (c *tcpConnection) answer(a echo.Answer) {
	s := c.source
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case a.Seq != c.seq:
		s.counts.SequenceErrors++
		s.stream.failure(now, textSequence)
	case c.answered && string(a.Server) != c.server:
		s.counts.SequenceErrors++
		s.stream.failure(now, textServer)
	default:
		c.lane.answer(now, a.Server)
		if !c.answered {
			c.answered, c.server = true, string(a.Server)
			s.settled()
		}
	}
	c.seq++
}

// over accounts the end of a connection that can't be used any more.
func (c *tcpConnection) over(err error) {
	s := c.source
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if c.ending && errors.Is(err, os.ErrDeadlineExceeded) {
		s.counts.Stalled++
	} else {
		s.counts.Broken++
		s.stream.failure(now, errorText(err))
	}
	c.lane.close(now)
	if !c.answered {
		s.settled()
	}
}
