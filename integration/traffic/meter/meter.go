// SPDX-License-Identifier: Apache-2.0

// Package meter sends numbered requests to echo servers and measures the silences
// between their answers: what a client of the virtual server notices of a failover.
package meter

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"
)

// Config is what a run sends. A zero address means that there is no such stream.
type Config struct {
	// UDP is where datagrams go: one each UDPInterval, whether or not the one
	// before it was answered, from UDPPorts source ports in turn. IPVS keeps a
	// source port at one real server, so more ports are spread over more of them.
	UDP         netip.AddrPort
	UDPInterval time.Duration
	UDPPorts    int
	// HTTP is the URL that is asked for each HTTPInterval, whether or not the
	// request before it was answered, each time over a new connection.
	HTTP         string
	HTTPInterval time.Duration
	// TCP is where Connections long-lived connections go. Each asks, waits for the
	// answer, and asks again TCPInterval after the last request at the earliest. A
	// broken one is not opened again.
	TCP         netip.AddrPort
	TCPInterval time.Duration
	Connections int
	// Timeout is how long an HTTP request, opening a TCP connection, or the last
	// answers after the end of sending may take.
	Timeout time.Duration
	// Duration is how long to send; zero means until the context ends.
	Duration time.Duration
	// SilenceThreshold is by how much a silence must exceed its stream's interval
	// to be listed in the report.
	SilenceThreshold time.Duration
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !c.UDP.IsValid() && c.HTTP == "" && !c.TCP.IsValid() {
		wrong("nothing to send: no UDP, HTTP or TCP target")
	}
	if c.UDP.IsValid() {
		if c.UDPInterval <= 0 {
			wrong("UDP interval %v: want more than zero", c.UDPInterval)
		}
		if c.UDPPorts < 1 {
			wrong("UDP ports %d: want at least 1", c.UDPPorts)
		}
	}
	if c.HTTP != "" {
		if c.HTTPInterval <= 0 {
			wrong("HTTP interval %v: want more than zero", c.HTTPInterval)
		}
		if u, err := url.Parse(c.HTTP); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			wrong("HTTP target %q: want a URL such as http://192.0.2.10/", c.HTTP)
		}
	}
	if c.TCP.IsValid() {
		if c.TCPInterval <= 0 {
			wrong("TCP interval %v: want more than zero", c.TCPInterval)
		}
		if c.Connections < 1 {
			wrong("TCP connections %d: want at least 1", c.Connections)
		}
	}
	if c.Timeout <= 0 {
		wrong("timeout %v: want more than zero", c.Timeout)
	}
	if c.Duration < 0 {
		wrong("duration %v: want zero or more", c.Duration)
	}
	return errors.Join(errs...)
}

// Run sends what the configuration says until its duration is over or ctx ends, and
// reports. It calls running, which may be nil, once every stream has been answered.
// Requests that fail are in the report; an error means that the run itself could
// not be made.
func Run(ctx context.Context, c Config, running func()) (Report, error) {
	if err := c.Validate(); err != nil {
		return Report{}, err
	}
	s, err := open(c)
	if err != nil {
		return Report{}, err
	}
	start := Instant{time.Now()}
	end := s.run(ctx, c.Duration, running)
	r := s.report()
	r.Start, r.End = start, end
	return r, nil
}
