// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"context"
	"sync"
	"time"
)

// source is one stream of requests.
type source interface {
	// run sends until ctx ends, then waits a bounded time for the last answers.
	run(ctx context.Context)
	// answering returns a channel that is closed once answers come in.
	answering() <-chan struct{}
}

// sources are the streams of a run; those that are not asked for are nil.
type sources struct {
	udp  *udpSource
	http *httpSource
	tcp  *tcpSource
}

// open prepares the streams that a valid configuration asks for.
func open(c Config) (*sources, error) {
	s := &sources{}
	if c.UDP.IsValid() {
		var err error
		if s.udp, err = newUDPSource(c); err != nil {
			return nil, err
		}
	}
	if c.HTTP != "" {
		s.http = newHTTPSource(c)
	}
	if c.TCP.IsValid() {
		s.tcp = newTCPSource(c)
	}
	return s, nil
}

// list returns the streams there are.
func (s *sources) list() []source {
	var list []source
	if s.udp != nil {
		list = append(list, s.udp)
	}
	if s.http != nil {
		list = append(list, s.http)
	}
	if s.tcp != nil {
		list = append(list, s.tcp)
	}
	return list
}

// report returns the account so far, without the times of the run.
func (s *sources) report() Report {
	var r Report
	if s.udp != nil {
		r.UDP = s.udp.report()
	}
	if s.http != nil {
		r.HTTP = s.http.report()
	}
	if s.tcp != nil {
		r.TCP = s.tcp.report()
	}
	return r
}

// run runs the streams for duration, zero for ever, or until ctx ends, and returns
// when sending ended. It calls running, which may be nil, once all are answering.
func (s *sources) run(ctx context.Context, duration time.Duration, running func()) Instant {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if duration > 0 {
		defer time.AfterFunc(duration, cancel).Stop()
	}
	var all sync.WaitGroup
	for _, source := range s.list() {
		all.Go(func() { source.run(ctx) })
	}
	all.Go(func() {
		for _, source := range s.list() {
			select {
			case <-source.answering():
			case <-ctx.Done():
				return
			}
		}
		if running != nil {
			running()
		}
	})
	<-ctx.Done()
	end := Instant{time.Now()}
	all.Wait()
	return end
}
