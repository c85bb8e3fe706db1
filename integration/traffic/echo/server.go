// SPDX-License-Identifier: Apache-2.0

// Package echo is the real server of drills and tests: it says its name to every
// request over HTTP, TCP and UDP, so that a client knows who answered what.
//
//	HTTP  any path   200, header X-Server: NAME, body "NAME\n"
//	TCP   "SEQ\n"    "NAME SEQ\n", as often as the client asks
//	UDP   "SEQ"      "NAME SEQ"
package echo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sync/errgroup"
)

// ServerHeader is the header of an HTTP answer that carries the server's name.
const ServerHeader = "X-Server"

// Addresses are what a server listens on, as in net.Listen: ":80" is port 80 of
// every IPv4 and IPv6 address, port 0 a free one. An empty one is not served.
type Addresses struct {
	HTTP, TCP, UDP string
}

// Server answers requests. Make it with Listen.
type Server struct {
	name string
	http net.Listener
	tcp  net.Listener
	udp  *net.UDPConn
}

// Listen opens the sockets of a server called name, so that requests are queued
// from now on; Serve answers them.
func Listen(name string, on Addresses) (*Server, error) {
	if !validName([]byte(name)) {
		return nil, fmt.Errorf("server name %q: want 1 to %d printable ASCII characters without blanks", name, MaxNameLen)
	}
	s := &Server{name: name}
	if err := s.listen(on); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// listen opens the sockets that are asked for.
func (s *Server) listen(on Addresses) (err error) {
	var streams net.ListenConfig
	streams.SetMultipathTCP(false)
	if on.HTTP != "" {
		if s.http, err = streams.Listen(context.Background(), "tcp", on.HTTP); err != nil {
			return fmt.Errorf("serve HTTP: %w", err)
		}
	}
	if on.TCP != "" {
		if s.tcp, err = streams.Listen(context.Background(), "tcp", on.TCP); err != nil {
			return fmt.Errorf("serve TCP echo: %w", err)
		}
	}
	if on.UDP != "" {
		if s.udp, err = listenUDP(on.UDP); err != nil {
			return fmt.Errorf("serve UDP echo: %w", err)
		}
	}
	return nil
}

// HTTP returns the address on which HTTP is served, the zero value if it is not.
func (s *Server) HTTP() netip.AddrPort { return listenerAddr(s.http) }

// TCP returns the address of the TCP echo, the zero value if it is not served.
func (s *Server) TCP() netip.AddrPort { return listenerAddr(s.tcp) }

// UDP returns the address of the UDP echo, the zero value if it is not served.
func (s *Server) UDP() netip.AddrPort {
	if s.udp == nil {
		return netip.AddrPort{}
	}
	return s.udp.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Serve answers requests until ctx ends or a socket fails; then it closes
// everything at once, open connections too, as a killed process would.
func (s *Server) Serve(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if s.http != nil {
		group.Go(func() error { return serveHTTP(ctx, s.http, s.name) })
	}
	if s.tcp != nil {
		group.Go(func() error { return serveTCP(ctx, s.tcp, s.name) })
	}
	if s.udp != nil {
		group.Go(func() error { return serveUDP(ctx, s.udp, s.name) })
	}
	return group.Wait()
}

// close closes what listen has opened.
func (s *Server) close() error {
	var err error
	if s.http != nil {
		err = errors.Join(err, s.http.Close())
	}
	if s.tcp != nil {
		err = errors.Join(err, s.tcp.Close())
	}
	if s.udp != nil {
		err = errors.Join(err, s.udp.Close())
	}
	return err
}

// listenerAddr returns the address of l, the zero value if there is none.
func listenerAddr(l net.Listener) netip.AddrPort {
	if l == nil {
		return netip.AddrPort{}
	}
	return l.Addr().(*net.TCPAddr).AddrPort()
}
