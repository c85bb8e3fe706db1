// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// serveAny serves as rs1 on free ports of all addresses until the test ends or
// stop is called.
func serveAny(t *testing.T) (s *Server, stop func()) {
	t.Helper()
	s, err := Listen("rs1", Addresses{HTTP: ":0", TCP: ":0", UDP: ":0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Serve(ctx)
		close(done)
	}()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// dial connects to the port of server at host.
func dial(t *testing.T, network, host string, server netip.AddrPort) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, net.JoinHostPort(host, fmt.Sprint(server.Port())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// The hosts include a second loopback address: an answer over UDP that left from
// the first one would not reach the connected client.
var hosts = []string{"127.0.0.1", "127.0.0.2", "::1"}

func TestServeHTTP(t *testing.T) {
	s, _ := serveAny(t)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for _, host := range hosts {
		for _, path := range []string{"/", "/healthz", "/any/other?a=b"} {
			url := "http://" + net.JoinHostPort(host, fmt.Sprint(s.HTTP().Port())) + path
			response, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != http.StatusOK || string(body) != "rs1\n" || response.Header.Get(ServerHeader) != "rs1" {
				t.Errorf("%s: status %d, server %q, body %q", url, response.StatusCode, response.Header.Get(ServerHeader), body)
			}
		}
	}
}

func TestServeTCP(t *testing.T) {
	s, _ := serveAny(t)
	for _, host := range hosts {
		conn := dial(t, "tcp", host, s.TCP())
		answers := bufio.NewReader(conn)
		for _, exchange := range []struct{ request, answer string }{{"0\n", "rs1 0\n"}, {"7\n", "rs1 7\n"}} {
			if _, err := io.WriteString(conn, exchange.request); err != nil {
				t.Fatal(err)
			}
			if got, err := answers.ReadString('\n'); err != nil || got != exchange.answer {
				t.Errorf("%s: request %q: answer %q, %v", host, exchange.request, got, err)
			}
		}
	}
}

func TestServeTCPEndsConnectionOn(t *testing.T) {
	s, _ := serveAny(t)
	for name, request := range map[string]string{
		"what is no number":  "GET / HTTP/1.1\n",
		"a line without end": strings.Repeat("1", MaxMessageLen+1),
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, "tcp", "127.0.0.1", s.TCP())
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			if answer, _ := io.ReadAll(conn); len(answer) > 0 {
				t.Errorf("answer %q", answer)
			}
		})
	}
}

func TestServeUDP(t *testing.T) {
	s, _ := serveAny(t)
	for _, host := range hosts {
		conn := dial(t, "udp", host, s.UDP())
		for _, request := range []string{"ignored", strings.Repeat("1", 2*MaxMessageLen), "42"} {
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
		}
		answer := make([]byte, MaxMessageLen)
		n, err := conn.Read(answer)
		if err != nil || string(answer[:n]) != "rs1 42" {
			t.Errorf("%s: answer %q, %v", host, answer[:n], err)
		}
	}
}

func TestServeEndsOpenConnections(t *testing.T) {
	s, stop := serveAny(t)
	conn := dial(t, "tcp", "127.0.0.1", s.TCP())
	if _, err := io.WriteString(conn, "0\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("connection is still open")
	}
}

func TestListenServesOnlyWhatIsAsked(t *testing.T) {
	s, err := Listen("rs1", Addresses{UDP: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.close() }()
	if s.HTTP().IsValid() || s.TCP().IsValid() || !s.UDP().IsValid() {
		t.Errorf("serves http=%v tcp=%v udp=%v, want only UDP", s.HTTP(), s.TCP(), s.UDP())
	}
}

func TestListenRefuses(t *testing.T) {
	taken, _ := serveAny(t)
	for name, tt := range map[string]struct {
		server string
		on     Addresses
	}{
		"no name":          {"", Addresses{HTTP: "127.0.0.1:0"}},
		"name with blank":  {"rs 1", Addresses{HTTP: "127.0.0.1:0"}},
		"HTTP port in use": {"rs2", Addresses{HTTP: taken.HTTP().String()}},
		"TCP port in use":  {"rs2", Addresses{HTTP: "127.0.0.1:0", TCP: taken.TCP().String()}},
		"UDP port in use":  {"rs2", Addresses{TCP: "127.0.0.1:0", UDP: taken.UDP().String()}},
	} {
		if s, err := Listen(tt.server, tt.on); err == nil {
			t.Errorf("%s: Listen succeeded", name)
			_ = s.close()
		}
	}
}
