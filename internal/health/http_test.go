// SPDX-License-Identifier: Apache-2.0

package health

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestHTTPAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name   string
		http   *HTTP
		bytes  string // all that the server sends before it closes the connection
		keep   bool   // it doesn't close it
		reason string
	}{
		{name: "200", bytes: ok + "Content-Length: 0\r\n\r\n"},
		{name: "200 of HTTP/1.0, ended by close", bytes: "HTTP/1.0 200 OK\r\n\r\nhello"},
		{name: "200 kept open after its end", bytes: ok + "Content-Length: 2\r\n\r\nok", keep: true},
		{name: "interim answers first", bytes: "HTTP/1.1 103 Early Hints\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n"},
		{name: "204", http: &HTTP{ExpectStatus: []StatusRange{{204, 204}}}, bytes: "HTTP/1.1 204 No Content\r\n\r\n", keep: true},
		{name: "101 without end", http: &HTTP{ExpectStatus: []StatusRange{{101, 101}}},
			bytes: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", keep: true},
		{name: "304 to HEAD", http: &HTTP{Method: "HEAD", ExpectStatus: []StatusRange{{200, 399}}},
			bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", keep: true},
		{name: "503", bytes: "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", reason: "status 503, expected 200-299"},
		{name: "200 where others are expected", http: &HTTP{ExpectStatus: []StatusRange{{204, 204}, {300, 399}}},
			bytes: ok + "\r\n", reason: "status 200, expected 204, 300-399"},
		{name: "redirect is not followed", bytes: "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
			reason: "status 302, expected 200-299"},
		{name: "redirect is expected", http: &HTTP{ExpectStatus: []StatusRange{{301, 302}}},
			bytes: "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"},

		{name: "substring", http: &HTTP{ExpectBody: "ok"}, bytes: ok + "\r\nit is ok."},
		{name: "substring across chunks", http: &HTTP{ExpectBody: "ok"},
			bytes: ok + "Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"},
		{name: "no substring", http: &HTTP{ExpectBody: "ok"}, bytes: ok + "\r\nit is down", reason: `body does not contain "ok"`},
		{name: "pattern", http: &HTTP{ExpectRegexp: `^up \d+$`}, bytes: ok + "\r\nup 12"},
		{name: "no pattern", http: &HTTP{ExpectRegexp: `^up \d+$`}, bytes: ok + "\r\nup", reason: `body does not match "^up \\d+$"`},
		{name: "substring without pattern", http: &HTTP{ExpectBody: "up", ExpectRegexp: "12"}, bytes: ok + "\r\nup",
			reason: `body does not match "12"`},

		{name: "closes at once", bytes: "", reason: "connection closed before the end of the answer"},
		{name: "closes in the status line", bytes: "HTTP/1.", reason: `malformed HTTP response "HTTP/1."`},
		{name: "closes in the header", bytes: ok + "X: y", reason: "connection closed before the end of the answer"},
		{name: "closes in the body", bytes: ok + "Content-Length: 100\r\n\r\nshort",
			reason: "connection closed before the end of the answer"},
		{name: "garbage", bytes: "SSH-2.0-OpenSSH_9.2\r\n", reason: `malformed HTTP response "SSH-2.0-OpenSSH_9.2"`},
		{name: "much garbage", bytes: strings.Repeat("x", 10000) + "\n",
			reason: `malformed HTTP response "` + strings.Repeat("x", maxReason-len(`malformed HTTP response "`)) + "…"},
		{name: "header without end", bytes: ok + "X: " + strings.Repeat("y", 2*maxHeader), keep: true,
			reason: "header longer than 65536 bytes"},
		{name: "huge body", bytes: ok + "Content-Length: 5000000\r\n\r\n" + strings.Repeat("a", maxBody+1000), keep: true},
		{name: "substring beyond the bound", http: &HTTP{ExpectBody: "ok"},
			bytes: ok + "Content-Length: 5000000\r\n\r\n" + strings.Repeat("a", maxBody) + "ok", keep: true,
			reason: `body does not contain "ok"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := serve(t, func(c net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				if _, err := io.WriteString(c, tt.bytes); err == nil && tt.keep {
					waitForEnd(c)
				}
			})
			got := probe(t, check(Check{Type: TypeHTTP, HTTP: tt.http}, answer), target)
			if diff := cmp.Diff(tt.reason, got); diff != "" {
				t.Errorf("reason (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHTTPRequest(t *testing.T) {
	tests := []struct {
		name string
		http *HTTP
		want string // with ADDRESS for the server's own
	}{
		{"default", nil, "GET / HTTP/1.1\r\nHost: ADDRESS\r\nUser-Agent: lvs-ha\r\nConnection: close\r\n\r\n"},
		{"all set", &HTTP{
			Method: "OPTIONS", Path: "/a%20b//c?deep=1&x", Host: "www.example.net",
			Headers: map[string]string{"x-token": "secret", "user-agent": "me"},
		}, "OPTIONS /a%20b//c?deep=1&x HTTP/1.1\r\nHost: www.example.net\r\nUser-Agent: me\r\nConnection: close\r\nX-Token: secret\r\n\r\n"},
		{"path with two slashes is not a host", &HTTP{Path: "//other/x"},
			"GET //other/x HTTP/1.1\r\nHost: ADDRESS\r\nUser-Agent: lvs-ha\r\nConnection: close\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requests := make(chan string, 1)
			target := serve(t, func(c net.Conn) {
				var request strings.Builder
				for r := bufio.NewReader(c); !strings.HasSuffix(request.String(), "\r\n\r\n"); {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					request.WriteString(line)
				}
				requests <- request.String()
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			})
			if reason := probe(t, check(Check{Type: TypeHTTP, HTTP: tt.http}, answer), target); reason != "" {
				t.Fatal(reason)
			}
			want := strings.ReplaceAll(tt.want, "ADDRESS", target.String())
			if diff := cmp.Diff(want, <-requests); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHTTPUnreachable also looks for what a probe leaves behind while its
// target still hangs.
func TestHTTPUnreachable(t *testing.T) {
	for _, kind := range []Type{TypeHTTP, TypeHTTPS} {
		t.Run(string(kind), func(t *testing.T) {
			running := goleak.IgnoreCurrent()
			if got := probe(t, check(Check{Type: kind}, answer), closedPort(t)); got != "connection refused" {
				t.Errorf("reason %q, want connection refused", got)
			}
			if got, want := probe(t, check(Check{Type: kind}, 50*time.Millisecond), droppingPort(t)), "no answer within 50ms"; got != want {
				t.Errorf("reason %q, want %q", got, want)
			}
			goleak.VerifyNone(t, running)
		})
	}
}

func TestHTTPSlowBodyEnds(t *testing.T) {
	next := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, part := range []string{"o", "k"} {
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	}))
	defer server.Close()
	result := make(chan string, 1)
	go func() {
		result <- probe(t, check(Check{Type: TypeHTTP, HTTP: &HTTP{ExpectBody: "ok"}}, answer), addrPort(t, server.Listener.Addr()))
	}()
	for range 2 {
		select {
		case next <- struct{}{}:
		case got := <-result:
			t.Fatalf("the probe ended before the body did: %q", got)
		case <-time.After(answer):
			t.Fatal("the server was not asked")
		}
	}
	if got := <-result; got != "" {
		t.Errorf("reason %q, want none", got)
	}
}
