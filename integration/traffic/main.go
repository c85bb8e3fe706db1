// SPDX-License-Identifier: Apache-2.0

// Command traffic is the client and the real server of drills, in one static
// binary that runs in any node of the lab.
//
//	traffic serve --name rs1
//	traffic run --udp 192.0.2.10:7 --http http://192.0.2.10/ --tcp 192.0.2.10:7 --duration 10s
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/traffic/echo"
	"github.com/lvs-ha/lvs-ha/integration/traffic/meter"
)

// usage is what a call without a known command is answered with.
const usage = `usage:
  traffic serve --name NAME [flags]   answer HTTP, TCP and UDP requests with NAME
  traffic run [flags]                 send requests, then report what was answered
Use "traffic serve --help" and "traffic run --help" for the flags.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes the command line and returns the exit code: 0 done, 1 failed, 2 misused.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	commands := map[string]func(context.Context, *flag.FlagSet, []string, io.Writer, io.Writer) error{
		"serve": serve,
		"run":   measure,
	}
	var command func(context.Context, *flag.FlagSet, []string, io.Writer, io.Writer) error
	if len(args) > 0 {
		command = commands[args[0]]
	}
	if command == nil {
		_, _ = io.WriteString(stderr, usage)
		return 2
	}
	flags := flag.NewFlagSet("traffic "+args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	err := command(ctx, flags, args[1:], stdout, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintf(stderr, "traffic: %v\n", err)
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

// errUsage marks errors of the command line.
var errUsage = errors.New("wrong command line")

// parse parses args, which must be flags only.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%w: unexpected argument %q", errUsage, flags.Arg(0))
	}
	return nil
}

// serve answers requests until ctx ends.
func serve(ctx context.Context, flags *flag.FlagSet, args []string, _, stderr io.Writer) error {
	var on echo.Addresses
	name := flags.String("name", "", "`name` that answers carry (required)")
	flags.StringVar(&on.HTTP, "http", ":80", "`address` of HTTP, empty for none")
	flags.StringVar(&on.TCP, "tcp", ":7", "`address` of the TCP echo, empty for none")
	flags.StringVar(&on.UDP, "udp", ":7", "`address` of the UDP echo, empty for none")
	if err := parse(flags, args); err != nil {
		return err
	}
	server, err := echo.Listen(*name, on)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(stderr, "traffic: serving as %s:%s%s%s\n", *name,
		served("http", server.HTTP()), served("tcp", server.TCP()), served("udp", server.UDP()))
	return server.Serve(ctx)
}

// served returns " what=address", nothing for what is not served.
func served(what string, address netip.AddrPort) string {
	if !address.IsValid() {
		return ""
	}
	return fmt.Sprintf(" %s=%s", what, address)
}

// measure sends requests until the duration is over or ctx ends, then reports.
func measure(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	var c meter.Config
	flags.TextVar(&c.UDP, "udp", netip.AddrPort{}, "`address:port` to send datagrams to")
	flags.DurationVar(&c.UDPInterval, "interval", time.Millisecond, "time between datagrams")
	flags.IntVar(&c.UDPPorts, "udp-ports", 1, "source ports that datagrams are sent from in turn")
	flags.StringVar(&c.HTTP, "http", "", "`URL` to ask for, each time over a new connection")
	flags.DurationVar(&c.HTTPInterval, "http-interval", 20*time.Millisecond, "time between HTTP requests")
	flags.TextVar(&c.TCP, "tcp", netip.AddrPort{}, "`address:port` to hold echo connections to")
	flags.DurationVar(&c.TCPInterval, "tcp-interval", 10*time.Millisecond, "time between requests of an echo connection")
	flags.IntVar(&c.Connections, "connections", 1, "echo connections")
	flags.DurationVar(&c.Timeout, "timeout", time.Second,
		"how long an HTTP request, opening a connection, or the last answers may take")
	flags.DurationVar(&c.Duration, "duration", 10*time.Second, "how long to send, 0 until SIGTERM or SIGINT")
	flags.DurationVar(&c.SilenceThreshold, "silence", 20*time.Millisecond,
		"list silences that exceed the stream's interval by this")
	asJSON := flags.Bool("json", false, "report as JSON")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	report, err := meter.Run(ctx, c, func() { _, _ = io.WriteString(stderr, "traffic: running\n") })
	if err != nil {
		return err
	}
	if !*asJSON {
		return report.WriteText(stdout)
	}
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(report); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
