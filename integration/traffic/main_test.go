// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/lvs-ha/lvs-ha/integration/traffic/meter"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// serveLine is what serve writes once it listens.
var serveLine = regexp.MustCompile(`^traffic: serving as rs1: http=(\S+) tcp=(\S+) udp=(\S+)\n$`)

func TestServeAndRun(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	events, stderr := io.Pipe()
	served := make(chan int, 1)
	go func() {
		const free = "127.0.0.1:0"
		served <- run(ctx, []string{"serve", "--name", "rs1", "--http", free, "--tcp", free, "--udp", free}, io.Discard, stderr)
		_ = stderr.Close()
	}()
	defer func() {
		stop()
		if code := <-served; code != 0 {
			t.Errorf("serve exits with %d", code)
		}
	}()
	line, err := bufio.NewReader(events).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	on := serveLine.FindStringSubmatch(line)
	if on == nil {
		t.Fatalf("serve says %q", line)
	}

	var stdout strings.Builder
	running, end := context.WithCancel(ctx)
	defer end()
	said := &saying{end: end}
	args := []string{"run", "--http", "http://" + on[1] + "/", "--tcp", on[2], "--udp", on[3], "--timeout", "1m", "--duration", "0", "--json"}
	if code := run(running, args, &stdout, said); code != 0 {
		t.Fatalf("run exits with %d: %s", code, said.text.String())
	}
	if said.text.String() != "traffic: running\n" {
		t.Errorf("run says %q", said.text.String())
	}
	var report meter.Report
	if err := json.Unmarshal([]byte(stdout.String()), &report); err != nil {
		t.Fatal(err)
	}
	for name, answered := range map[string]uint64{
		"udp": report.UDP.ByServer["rs1"], "http": report.HTTP.ByServer["rs1"], "tcp": report.TCP.ByServer["rs1"],
	} {
		if answered == 0 {
			t.Errorf("%s: nothing answered by rs1", name)
		}
	}
}

// saying is a stderr that ends the run with the first thing that is written to it.
type saying struct {
	text strings.Builder
	end  context.CancelFunc
}

// Write keeps b and ends the run.
func (s *saying) Write(b []byte) (int, error) {
	defer s.end()
	return s.text.Write(b)
}

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"", 2, "usage:"},
		{"ping", 2, "usage:"},
		{"run --help", 0, "-http-interval"},
		{"run --udp 192.0.2.10", 2, `invalid value "192.0.2.10" for flag -udp`},
		{"run --duration 1s", 2, "nothing to send"},
		{"run --http http://192.0.2.10/ now", 2, `unexpected argument "now"`},
		{"serve", 1, `server name ""`},
		{"serve --name rs1 --http 192.0.2.10:http-not", 1, "serve HTTP"},
	} {
		var stdout, stderr strings.Builder
		code := run(context.Background(), strings.Fields(tt.args), &stdout, &stderr)
		if code != tt.code || !strings.Contains(stderr.String(), tt.want) {
			t.Errorf("traffic %s: exit %d, want %d; stderr, which should hold %q:\n%s", tt.args, code, tt.code, tt.want, stderr.String())
		}
	}
}
