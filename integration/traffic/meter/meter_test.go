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
		Timeout: patience, SilenceThreshold: 20 * time.Millisecond,
	}
}

// patience is the time limit where nothing should reach it, however busy the machine.
const patience = time.Minute

// runUntil runs the meter until the report is as wanted. It calls running, which may
// be nil, when all streams are answering.
func runUntil(t *testing.T, c Config, running func(), wanted func(Report) bool) Report {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := open(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	var run sync.WaitGroup
	run.Go(func() { s.run(ctx, 0, running) })
	for ctx.Err() == nil && !wanted(s.report()) {
		<-poll.C
	}
	if ctx.Err() != nil {
		t.Errorf("not the wanted report after %v", patience)
	}
	cancel()
	run.Wait()
	return s.report()
}

// checkSums fails if the numbers of a stream don't agree with each other.
func checkSums(t *testing.T, name string, r *StreamReport) {
	t.Helper()
	if r.Sent != r.Answered+r.Lost || sum(r.ByServer) != r.Answered {
		t.Errorf("%s: %d sent, %d answered (%v), %d lost", name, r.Sent, r.Answered, r.ByServer, r.Lost)
	}
}

func TestEverythingAnswered(t *testing.T) {
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

func TestServerKilled(t *testing.T) {
	server, stop := serve(t, "rs1")
	c := all(server)
	c.Timeout = time.Second // lost requests are waited for
	r := runUntil(t, c, stop, func(r Report) bool {
		return len(r.UDP.Errors) > 0 && len(r.HTTP.Errors) > 0 && r.TCP.Broken > 0 && r.TCP.Broken+r.TCP.Refused == 3
	})
	for name, s := range map[string]*StreamReport{"udp": r.UDP, "http": r.HTTP, "tcp": &r.TCP.StreamReport} {
		checkSums(t, name, s)
		if s.Answered == 0 || s.Lost == 0 || s.FirstError.IsZero() || s.LastError.Before(s.FirstError.Time) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if r.UDP.LongestOutage == 0 || r.HTTP.LongestOutage == 0 {
		t.Errorf("longest outage: UDP %v, HTTP %v", r.UDP.LongestOutage, r.HTTP.LongestOutage)
	}
	if r.UDP.Errors["read: connection refused"]+r.UDP.Errors["connection refused"] == 0 {
		t.Errorf("UDP errors: %v", r.UDP.Errors)
	}
	if r.TCP.Broken != r.TCP.Opened || r.TCP.Stalled != 0 || r.TCP.SequenceErrors != 0 {
		t.Errorf("TCP: %d opened, %d broken, %d stalled, %d sequence errors; want all of them broken and nothing else",
			r.TCP.Opened, r.TCP.Broken, r.TCP.Stalled, r.TCP.SequenceErrors)
	}
}

func TestUDPUnanswered(t *testing.T) {
	sink, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sink.Close() }()
	r := runUntil(t, Config{
		UDP: sink.LocalAddr().(*net.UDPAddr).AddrPort(), UDPInterval: time.Millisecond, UDPPorts: 1, Timeout: time.Millisecond,
	}, func() { t.Error("running, but nothing was answered") }, func(r Report) bool { return r.UDP.Sent > 1 })
	if r.UDP.Lost != r.UDP.Sent || len(r.UDP.Errors) != 0 || r.UDP.LongestOutage == 0 {
		t.Errorf("udp: %+v", r.UDP)
	}
	if r.HTTP != nil || r.TCP != nil {
		t.Errorf("reports of streams that were not asked for: %+v", r)
	}
}

func TestUDPWrongAnswers(t *testing.T) {
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

	r := runUntil(t, Config{
		UDP: liar.LocalAddr().(*net.UDPAddr).AddrPort(), UDPInterval: time.Millisecond, UDPPorts: 1, Timeout: patience,
	}, nil, func(r Report) bool { return r.UDP.Answered > 1 })
	// The run ends with the last right answer, the one after it is not always heard.
	duplicates := max(r.UDP.Errors[textDuplicate], r.UDP.Sent-1)
	want := map[string]uint64{textMalformed: r.UDP.Sent, textUnasked: r.UDP.Sent, textDuplicate: duplicates}
	if diff := cmp.Diff(want, r.UDP.Errors); diff != "" || r.UDP.Answered != r.UDP.Sent {
		t.Errorf("%d of %d answered; errors (-want +got):\n%s", r.UDP.Answered, r.UDP.Sent, diff)
	}
}

func TestHTTPStatusAndMissingName(t *testing.T) {
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
	r := runUntil(t, Config{HTTP: server.URL, HTTPInterval: time.Millisecond, Timeout: patience}, nil,
		func(r Report) bool { return r.HTTP.Answered > 0 && len(r.HTTP.Errors) > 0 })
	checkSums(t, "http", r.HTTP)
	if r.HTTP.Errors["status 503"] == 0 || r.HTTP.ByServer[noServer] == 0 {
		t.Errorf("http: %+v", r.HTTP)
	}
}

// TestRunTCPWrongServer talks to servers that don't keep the protocol.
func TestTCPWrongServer(t *testing.T) {
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
			c := Config{TCP: target, TCPInterval: time.Millisecond, Connections: 1, Timeout: patience}
			if tt.want.Stalled > 0 {
				c.Timeout = 10 * time.Millisecond
			}
			r := runUntil(t, c, nil, func(r Report) bool { return r.TCP.Broken > 0 || r.TCP.Sent > 3 })
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

func TestTCPRefused(t *testing.T) {
	server, stop := serve(t, "rs1")
	stop()
	r := runUntil(t, Config{TCP: server.TCP(), TCPInterval: time.Millisecond, Connections: 2, Timeout: patience},
		func() { t.Error("running, but nothing was answered") }, func(r Report) bool { return r.TCP.Refused == 2 })
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
		{"empty", Config{Timeout: 1}, "nothing to send: no UDP, HTTP or TCP target"},
		{"UDP", Config{UDP: target, Timeout: 1}, "UDP interval 0s: want more than zero\nUDP ports 0: want at least 1"},
		{"HTTP", Config{HTTP: "192.0.2.10", Timeout: 1}, "HTTP interval 0s: want more than zero\n" +
			`HTTP target "192.0.2.10": want a URL such as http://192.0.2.10/`},
		{"TCP", Config{TCP: target, Duration: -1}, "TCP interval 0s: want more than zero\n" +
			"TCP connections 0: want at least 1\ntimeout 0s: want more than zero\nduration -1ns: want zero or more"},
	} {
		if _, err := Run(context.Background(), tt.config, nil); err == nil || err.Error() != tt.want {
			t.Errorf("%s: error\n%v\nwant\n%s", tt.name, err, tt.want)
		}
	}
}
