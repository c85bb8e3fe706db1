// SPDX-License-Identifier: Apache-2.0

package health

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

func TestTCP(t *testing.T) {
	tests := []struct {
		name    string
		target  func(*testing.T) netip.AddrPort
		timeout time.Duration
		reason  string
	}{
		{"accepts", func(t *testing.T) netip.AddrPort { return serve(t, func(net.Conn) {}) }, answer, ""},
		{"accepts and hangs", func(t *testing.T) netip.AddrPort { return serve(t, waitForEnd) }, answer, ""},
		{"refuses", closedPort, answer, "connection refused"},
		{"drops", droppingPort, 50 * time.Millisecond, "no answer within 50ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := probe(t, check(Check{Type: TypeTCP}, tt.timeout), tt.target(t))
			if got != tt.reason {
				t.Errorf("reason %q, want %q", got, tt.reason)
			}
		})
	}
}

// TestTCPReset has the server see the reset that spares the director
// TIME-WAIT.
func TestTCPReset(t *testing.T) {
	ended := make(chan error, 1)
	target := serve(t, func(c net.Conn) {
		_, err := c.Read(make([]byte, 1))
		ended <- err
	})
	if reason := probe(t, check(Check{Type: TypeTCP}, answer), target); reason != "" {
		t.Fatal(reason)
	}
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server's connection ended with %v, want a reset", err)
	}
}

func TestCauseIsKept(t *testing.T) {
	p, err := NewProber(check(Check{Type: TypeTCP}, answer))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Probe(t.Context(), closedPort(t)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v does not wrap ECONNREFUSED", err)
	}
}
