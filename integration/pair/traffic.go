// SPDX-License-Identifier: Apache-2.0

package pair

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"syscall"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/traffic/meter"
)

// Traffic is a traffic generator that runs in a node.
type Traffic struct {
	proc   *process
	stdout bytes.Buffer
	stderr *lineLog
}

// maxTraffic bounds a generator that nobody stops.
const maxTraffic = "5m"

// StartTraffic starts "traffic run" with the given streams in a node, and
// returns when every stream was answered.
func (p *Pair) StartTraffic(ctx context.Context, node string, streams ...string) (*Traffic, error) {
	t := &Traffic{stderr: &lineLog{more: make(chan struct{})}}
	proc, err := p.startTraffic(t, node, append([]string{"--duration", maxTraffic}, streams...))
	if err != nil {
		return nil, err
	}
	for {
		running, more := t.stderr.count("traffic: running")
		if running > 0 {
			return t, nil
		}
		select {
		case <-more:
		case <-proc.done:
			return nil, fmt.Errorf("traffic on %s ended: %w: %s", node, proc.end(), t.stderr)
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the first answers to %v: %w", streams, ctx.Err())
		}
	}
}

// Measure runs "traffic run" with the given streams in a node for a time, and
// returns what it measured.
func (p *Pair) Measure(ctx context.Context, node string, duration time.Duration, streams ...string) (meter.Report, error) {
	t := &Traffic{stderr: &lineLog{more: make(chan struct{})}}
	proc, err := p.startTraffic(t, node, append([]string{"--duration", duration.String()}, streams...))
	if err != nil {
		return meter.Report{}, err
	}
	select {
	case <-proc.done:
	case <-ctx.Done():
		return meter.Report{}, fmt.Errorf("measure %v: %w", streams, ctx.Err())
	}
	if proc.err != nil {
		return meter.Report{}, fmt.Errorf("measure %v: %w: %s", streams, proc.err, t.stderr)
	}
	return t.report()
}

// startTraffic starts the generator with low priority: what measures must not
// starve what is measured.
func (p *Pair) startTraffic(t *Traffic, node string, args []string) (*process, error) {
	cmd := p.Node(node).Command(context.Background(), "nice", append([]string{"-n", "10", "traffic", "run", "--json"}, args...)...)
	cmd.Stdout, cmd.Stderr = &t.stdout, t.stderr
	proc, err := p.start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start traffic on %s: %w", node, err)
	}
	t.proc = proc
	return proc, nil
}

// Stop ends the generator and returns what it measured.
func (t *Traffic) Stop(ctx context.Context) (meter.Report, error) {
	if err := t.proc.signal(ctx, syscall.SIGTERM); err != nil {
		return meter.Report{}, fmt.Errorf("stop traffic: %w: %s", err, t.stderr)
	}
	return t.report()
}

func (t *Traffic) report() (meter.Report, error) {
	var r meter.Report
	if err := json.Unmarshal(t.stdout.Bytes(), &r); err != nil {
		return r, fmt.Errorf("read traffic report: %w", err)
	}
	return r, nil
}

// StartServer starts the real server's traffic server in a node where it was
// killed.
func (p *Pair) StartServer(node string) error {
	cmd := p.Node(node).Command(context.Background(), "nice", "-n", "10", "traffic", "serve", "--name", node)
	if _, err := p.start(cmd); err != nil {
		return fmt.Errorf("start traffic server on %s: %w", node, err)
	}
	return nil
}
