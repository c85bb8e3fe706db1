// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// TestInterruptedProbe ends a probe's context once its target has heard of it
// and doesn't answer: by cancelling it, and as its deadline would.
func TestInterruptedProbe(t *testing.T) {
	dropping := func(t *testing.T, reached func()) netip.AddrPort {
		reached() // as far as it gets
		return droppingPort(t)
	}
	hanging := func(answer string) func(t *testing.T, reached func()) netip.AddrPort {
		return func(t *testing.T, reached func()) netip.AddrPort {
			return serve(t, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, answer)
				reached()
				waitForEnd(c)
			})
		}
	}
	silent := func(t *testing.T, reached func()) netip.AddrPort {
		return serveUDP(t, "127.0.0.1:0", func([]byte) []byte {
			reached()
			return nil
		})
	}
	tests := []struct {
		name    string
		check   Check
		target  func(t *testing.T, reached func()) netip.AddrPort
		tooLate string // reason at the deadline
	}{
		{"TCP drops", Check{Type: TypeTCP}, dropping, "no answer within 10s"},
		{"HTTP drops", Check{Type: TypeHTTP}, dropping, "no answer within 10s"},
		{"HTTP hangs at once", Check{Type: TypeHTTP}, hanging(""), "connected, but no HTTP answer within 10s"},
		{"HTTP hangs in the header", Check{Type: TypeHTTP}, hanging("HTTP/1.1 200 OK\r\n"), "connected, but no HTTP answer within 10s"},
		{"HTTPS hangs in the handshake", Check{Type: TypeHTTPS}, hanging(""), "connected, but no TLS handshake within 10s"},
		{"UDP stays silent", Check{Type: TypeUDP}, silent, ""},
		{"UDP stays silent where a reply must come", Check{Type: TypeUDP, UDP: &UDP{Expect: []byte{}}}, silent, "no reply within 10s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := NewProber(check(tt.check, answer))
			if err != nil {
				t.Fatal(err)
			}
			t.Run("cancel", func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				err := p.Probe(ctx, tt.target(t, cancel))
				if want := "probe stopped: context canceled"; !errors.Is(err, context.Canceled) || err.Error() != want {
					t.Errorf("probe: %v, want %s", err, want)
				}
			})
			t.Run("deadline", func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if got := reasonOf(p.Probe(timedOut{ctx}, tt.target(t, cancel))); got != tt.tooLate {
					t.Errorf("reason %q, want %q", got, tt.tooLate)
				}
			})
		})
	}
}

// TestHTTPHangsInTheBody has no socket, so that what was sent before the
// deadline is read for certain.
func TestHTTPHangsInTheBody(t *testing.T) {
	p, err := newHTTPProber(check(Check{Type: TypeHTTP}, answer))
	if err != nil {
		t.Fatal(err)
	}
	conn := struct {
		io.Reader
		io.Writer
	}{
		io.MultiReader(
			strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
			iotest.ErrReader(os.ErrDeadlineExceeded),
		),
		io.Discard,
	}
	got := reasonOf(p.ask(t.Context(), conn, netip.MustParseAddrPort("192.0.2.1:80")))
	if want := "status 200, but the body did not end within 10s"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

// timedOut is a context that ends as if by its deadline, whenever the one
// within is cancelled.
type timedOut struct{ context.Context }

func (c timedOut) Err() error {
	if c.Context.Err() != nil {
		return context.DeadlineExceeded
	}
	return nil
}
