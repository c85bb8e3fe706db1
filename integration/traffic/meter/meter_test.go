// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvs-ha/lvs-ha/integration/traffic/echo"
)

// serve runs an echo server on loopback until the test ends or stop is called.
func serve(t *testing.T, name string) (server *echo.Server, stop func()) {
	t.Helper()
	const free = "127.0.0.1:0"
	server, err := echo.Listen(name, echo.Addresses{HTTP: free, TCP: free, UDP: free})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- server.Serve(ctx)
		close(done)
	}()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return server, stop
}

// all returns a configuration with all three streams to server.
func all(server *echo.Server) Config {
	return Config{
		UDP: server.UDP(), UDPInterval: time.Millisecond, UDPPorts: 2,
		HTTP: "http://" + server.HTTP().String() + "/", HTTPInterval: 5 * time.Millisecond,
		TCP: server.TCP(), TCPInterval: 2 * time.Millisecond, Connections: 3,
		SilenceThreshold: 20 * time.Millisecond,
	}
}

// checkSums fails if the numbers of a stream don't agree with each other.
func checkSums(t *testing.T, name string, r *StreamReport) {
	t.Helper()
	if r.Sent != r.Answered+r.Lost || sum(r.ByServer) != r.Answered {
		t.Errorf("%s: %d sent, %d answered (%v), %d lost", name, r.Sent, r.Answered, r.ByServer, r.Lost)
	}
}

func TestRunEverythingAnswered(t *testing.T) {
	server, _ := serve(t, "rs1")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, err := Run(ctx, all(server), cancel)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*StreamReport{"udp": r.UDP, "http": r.HTTP, "tcp": &r.TCP.StreamReport} {
		checkSums(t, name, s)
		if s.Answered == 0 || s.Lost != 0 || len(s.Errors) != 0 || s.ByServer["rs1"] != s.Answered || s.LongestOutage != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	want := &ConnectionsReport{Opened: 3}
	if diff := cmp.Diff(want, r.TCP, cmpopts.IgnoreFields(ConnectionsReport{}, "StreamReport")); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
}

func TestRunServerKilled(t *testing.T) {
	server, stop := serve(t, "rs1")
	config := all(server)
	config.Duration = 700 * time.Millisecond
	r, err := Run(context.Background(), config, stop)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*StreamReport{"udp": r.UDP, "http": r.HTTP, "tcp": &r.TCP.StreamReport} {
		checkSums(t, name, s)
		if s.Answered == 0 || s.Lost == 0 || len(s.Errors) == 0 || s.FirstError.IsZero() || s.LastError.Before(s.FirstError.Time) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	// Nothing is answered from the death to the end: for the independent requests
	// that is the longest silence, and an outage as long.
	for name, s := range map[string]*StreamReport{"udp": r.UDP, "http": r.HTTP} {
		end := s.LongestSilenceStart.Add(time.Duration(s.LongestSilence))
		if end.Before(r.End.Add(-100*time.Millisecond)) || len(s.Silences) == 0 || s.LongestOutage == 0 {
			t.Errorf("%s: longest silence %v from %v, longest outage %v; the run ended at %v",
				name, s.LongestSilence, s.LongestSilenceStart, s.LongestOutage, r.End)
		}
	}
	if r.UDP.Errors["read: connection refused"]+r.UDP.Errors["connection refused"] == 0 {
		t.Errorf("UDP errors: %v", r.UDP.Errors)
	}
	if r.HTTP.Errors["dial: connection refused"] == 0 {
		t.Errorf("HTTP errors: %v", r.HTTP.Errors)
	}
	if r.TCP.Opened != 3 || r.TCP.Broken != 3 || r.TCP.Stalled != 0 || r.TCP.Refused != 0 {
		t.Errorf("TCP: %d opened, %d broken, %d stalled, %d refused; want 3, 3, 0, 0", r.TCP.Opened, r.TCP.Broken, r.TCP.Stalled, r.TCP.Refused)
	}
}

func TestRunUDPUnanswered(t *testing.T) {
	sink, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sink.Close() }()
	r, err := Run(context.Background(), Config{
		UDP: sink.LocalAddr().(*net.UDPAddr).AddrPort(), UDPInterval: time.Millisecond, UDPPorts: 1, Duration: 50 * time.Millisecond,
	}, func() { t.Error("running, but nothing was answered") })
	if err != nil {
		t.Fatal(err)
	}
	if r.UDP.Sent == 0 || r.UDP.Lost != r.UDP.Sent || len(r.UDP.Errors) != 0 || r.UDP.LongestOutage == 0 {
		t.Errorf("udp: %+v", r.UDP)
	}
	if r.HTTP != nil || r.TCP != nil {
		t.Errorf("reports of streams that were not asked for: %+v", r)
	}
}

func TestRunUDPWrongAnswers(t *testing.T) {
	liar, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	var answering sync.WaitGroup
	answering.Go(func() {
		b := make([]byte, echo.MaxMessageLen)
		for {
			n, client, err := liar.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			for _, answer := range []string{"rs1 x", "rs1 999999999", "rs1 " + string(b[:n]), "rs1 " + string(b[:n])} {
				_, _ = liar.WriteToUDPAddrPort([]byte(answer), client)
			}
		}
	})
	defer answering.Wait()
	defer func() { _ = liar.Close() }()

	r, err := Run(context.Background(), Config{
		UDP: liar.LocalAddr().(*net.UDPAddr).AddrPort(), UDPInterval: time.Millisecond, UDPPorts: 1, Duration: 100 * time.Millisecond,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{textMalformed: r.UDP.Sent, textUnasked: r.UDP.Sent, textDuplicate: r.UDP.Sent}
	if diff := cmp.Diff(want, r.UDP.Errors); diff != "" || r.UDP.Answered != r.UDP.Sent {
		t.Errorf("%d of %d answered; errors (-want +got):\n%s", r.UDP.Answered, r.UDP.Sent, diff)
	}
}

func TestRunHTTPStatusAndMissingName(t *testing.T) {
	var mu sync.Mutex
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if requests++; requests%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, err := Run(ctx, Config{HTTP: server.URL, HTTPInterval: time.Millisecond}, cancel)
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, "http", r.HTTP)
	if r.HTTP.Errors["status 503"] == 0 || r.HTTP.ByServer[noServer] == 0 {
		t.Errorf("http: %+v", r.HTTP)
	}
}

// TestRunTCPWrongServer talks to servers that don't keep the protocol.
func TestRunTCPWrongServer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(n int, request string) string // to the n-th request
		want   ConnectionsReport
		errors map[string]uint64
	}{
		{
			"wrong number once",
			func(n int, request string) string {
				if n == 1 {
					return "rs1 77\n"
				}
				return "rs1 " + request
			},
			ConnectionsReport{Opened: 1, SequenceErrors: 1}, map[string]uint64{textSequence: 1},
		},
		{
			"another server once",
			func(n int, request string) string {
				if n == 1 {
					return "rs2 " + request
				}
				return "rs1 " + request
			},
			ConnectionsReport{Opened: 1, SequenceErrors: 1}, map[string]uint64{textServer: 1},
		},
		{
			"no answer",
			func(int, string) string { return "hello\n" },
			ConnectionsReport{Opened: 1, Broken: 1}, map[string]uint64{textMalformed: 1},
		},
		{
			"line too long",
			func(int, string) string { return strings.Repeat("x", 2*echo.MaxMessageLen) },
			ConnectionsReport{Opened: 1, Broken: 1}, map[string]uint64{bufio.ErrBufferFull.Error(): 1},
		},
		{
			"falls silent",
			func(n int, request string) string {
				if n > 2 {
					return ""
				}
				return "rs1 " + request
			},
			ConnectionsReport{Opened: 1, Stalled: 1}, map[string]uint64{},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := lineServer(t, tt.answer)
			r, err := Run(context.Background(), Config{
				TCP: target, TCPInterval: time.Millisecond, Connections: 1, Duration: 200 * time.Millisecond,
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, r.TCP, cmpopts.IgnoreFields(ConnectionsReport{}, "StreamReport")); diff != "" {
				t.Errorf("connections (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.errors, r.TCP.Errors); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

// lineServer answers the requests of one connection as answer says.
func lineServer(t *testing.T, answer func(n int, request string) string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		requests := bufio.NewReader(conn)
		for n := 0; ; n++ {
			request, err := requests.ReadString('\n')
			if err != nil {
				return
			}
			if _, err := conn.Write([]byte(answer(n, request))); err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func TestRunTCPRefused(t *testing.T) {
	server, stop := serve(t, "rs1")
	stop()
	r, err := Run(context.Background(), Config{
		TCP: server.TCP(), TCPInterval: time.Millisecond, Connections: 2, Duration: 50 * time.Millisecond,
	}, func() { t.Error("running, but nothing was answered") })
	if err != nil {
		t.Fatal(err)
	}
	if r.TCP.Refused != 2 || r.TCP.Errors["dial: connection refused"] != 2 || r.TCP.Sent != 0 {
		t.Errorf("tcp: %+v", r.TCP)
	}
}

func TestValidate(t *testing.T) {
	target := netip.MustParseAddrPort("192.0.2.10:7")
	for _, tt := range []struct {
		name   string
		config Config
		want   string
	}{
		{"empty", Config{}, "nothing to send: no UDP, HTTP or TCP target"},
		{"UDP", Config{UDP: target}, "UDP interval 0s: want more than zero\nUDP ports 0: want at least 1"},
		{"HTTP", Config{HTTP: "192.0.2.10"}, "HTTP interval 0s: want more than zero\n" +
			`HTTP target "192.0.2.10": want a URL such as http://192.0.2.10/`},
		{"TCP", Config{TCP: target, Duration: -1}, "TCP interval 0s: want more than zero\n" +
			"TCP connections 0: want at least 1\nduration -1ns: want zero or more"},
	} {
		if _, err := Run(context.Background(), tt.config, nil); err == nil || err.Error() != tt.want {
			t.Errorf("%s: error\n%v\nwant\n%s", tt.name, err, tt.want)
		}
	}
}
