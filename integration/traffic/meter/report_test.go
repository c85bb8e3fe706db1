// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sample is a report with something in every field.
func sample() Report {
	stream := StreamReport{
		Sent: 1000, Answered: 990, Lost: 10,
		ByServer: map[string]uint64{"rs1": 500, "rs2": 490},
		Errors:   map[string]uint64{"connection refused": 3}, FirstError: at(100), LastError: at(110),
		LongestSilence: millis(31), LongestSilenceStart: at(99),
		LongestOutage: millis(10), LongestOutageStart: at(100), LongestPause: millis(2),
		SilenceCount: 2, Silences: []Silence{{at(99), millis(31)}, {at(500), millis(25)}},
	}
	tcp := ConnectionsReport{StreamReport: stream, Opened: 3, Refused: 1, Broken: 2, Stalled: 1, SequenceErrors: 4}
	tcp.LongestOutage, tcp.LongestOutageStart, tcp.LongestPause = 0, Instant{}, 0
	return Report{Start: at(0), End: at(1000), UDP: &stream, TCP: &tcp}
}

func TestReportJSON(t *testing.T) {
	b, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Errorf("report after JSON (-want +got):\n%s", diff)
	}
	for _, want := range []string{
		`"start":"2026-11-24T06:00:00.000Z"`, `"longest_silence_ms":31.000`,
		`"longest_silence_start":"2026-11-24T06:00:00.099Z"`, `"sequence_errors":4`,
		`"silences":[{"start":"2026-11-24T06:00:00.099Z","length_ms":31.000},`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("JSON has no %s:\n%s", want, b)
		}
	}
}

func TestMillisRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Millis(rapid.Int64Range(0, int64(24*time.Hour/time.Microsecond)).Draw(t, "µs")) * Millis(time.Microsecond)
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Millis
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			t.Errorf("%d ns as JSON %s is %d ns, %v", want, b, got, err)
		}
	})
}

func TestReportText(t *testing.T) {
	var b strings.Builder
	if err := sample().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := `1.0 s from 2026-11-24T06:00:00.000Z
udp   sent 1000, answered 990, lost 10; longest silence 31.0 ms at 06:00:00.099 (longest pause in sending 2.0 ms); longest outage 10.0 ms at 06:00:00.100
      by server: rs1 500, rs2 490
      errors: connection refused 3 (06:00:00.100 to 06:00:00.110)
      silences: 2; 06:00:00.099 31.0 ms; 06:00:00.500 25.0 ms
tcp   sent 1000, answered 990, lost 10; longest silence 31.0 ms at 06:00:00.099
      by server: rs1 500, rs2 490
      errors: connection refused 3 (06:00:00.100 to 06:00:00.110)
      silences: 2; 06:00:00.099 31.0 ms; 06:00:00.500 25.0 ms
      connections: 3 opened, 1 refused, 2 broken, 1 stalled, 4 sequence errors
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestErrorText(t *testing.T) {
	client := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 40001}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "read", Net: "tcp", Source: client, Err: os.NewSyscallError("read", syscall.ECONNRESET)}, "read: connection reset by peer"},
		{&url.Error{Op: "Get", URL: "http://192.0.2.10/", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}, "dial: connection refused"},
		{&net.OpError{Op: "dial", Net: "tcp", Addr: client, Err: os.ErrDeadlineExceeded}, "dial: timeout"},
		{&url.Error{Op: "Get", URL: "http://192.0.2.10/", Err: os.ErrDeadlineExceeded}, "timeout"},
		{&url.Error{Op: "Get", URL: "http://192.0.2.10/", Err: io.EOF}, "closed by the server"},
		{io.ErrUnexpectedEOF, "closed by the server"},
		{syscall.EHOSTUNREACH, "no route to host"},
		{errors.New("status 503"), "status 503"},
	} {
		if got := errorText(tt.err); got != tt.want {
			t.Errorf("errorText(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
}
