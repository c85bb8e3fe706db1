// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
	"github.com/lvs-ha/lvs-ha/internal/control"
)

const (
	floodRate     = 100_000 // packets a second
	floodInterval = 100 * time.Millisecond
)

// calibration is how long the generator runs where nobody listens.
const calibration = time.Second

// flooded is a pair at 100 ms that a stranger floods with forged adverts.
type flooded struct {
	Before steadiness `json:"before"`
	During steadiness `json:"during"`
	// Sent is how many forged packets went out, Rate how many a second, and
	// CalibratedRate how many a second when no daemon ran.
	Sent           int `json:"forged_packets"`
	Rate           int `json:"forged_packets_per_second"`
	CalibratedRate int `json:"calibrated_packets_per_second"`
	// Master and Backup are the directors during the flood.
	Master floodedDirector `json:"master"`
	Backup floodedDirector `json:"backup"`
}

// floodedDirector is what a flood cost a director.
type floodedDirector struct {
	CPU time.Duration `json:"cpu_ns"`
	// Lines are log lines.
	Lines int `json:"log_lines"`
	// Discarded is by reason; of lvs-ha only.
	Discarded map[string]uint64 `json:"discarded,omitempty"`
	// Dropped is by the kernel, as the daemon's sockets were full.
	Dropped uint64 `json:"dropped_by_kernel"`
}

// counted is the number of packets that were discarded.
func (d floodedDirector) counted() (sum uint64) {
	for _, n := range d.Discarded {
		sum += n
	}
	return sum
}

func measureFlood(ctx context.Context, r *rig.Rig, kind rig.Kind, duration time.Duration) (f flooded, err error) {
	if _, f.CalibratedRate, err = flood(ctx, r, calibration); err != nil {
		return f, err
	}
	p, err := startPair(ctx, r, rig.Setup{Kind: kind, Interval: floodInterval, VIPs: []string{oneVIP}})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, p.end(context.WithoutCancel(ctx))) }()
	if err := rig.Pass(ctx, calm); err != nil {
		return f, err
	}
	if f.Before, err = p.observe(ctx, func() error { return rig.Pass(ctx, duration) }); err != nil {
		return f, err
	}
	directors := []struct {
		name   string
		daemon *rig.Daemon
		before floodedDirector
		result *floodedDirector
	}{{name: rig.D1, daemon: p.d1, result: &f.Master}, {name: rig.D2, daemon: p.d2, result: &f.Backup}}
	for i := range directors {
		if directors[i].before, err = p.toll(ctx, directors[i].name, directors[i].daemon); err != nil {
			return f, err
		}
	}
	f.During, err = p.observe(ctx, func() (err error) {
		f.Sent, f.Rate, err = flood(ctx, r, duration)
		return err
	})
	if err != nil {
		return f, err
	}
	// What waits in buffers and pauses between log lines belongs to the flood.
	if err := rig.Pass(ctx, calm); err != nil {
		return f, err
	}
	for _, d := range directors {
		after, err := p.toll(ctx, d.name, d.daemon)
		if err != nil {
			return f, err
		}
		*d.result = after.since(d.before)
	}
	return f, nil
}

// flood floods the pair for a time.
func flood(ctx context.Context, r *rig.Rig, duration time.Duration) (sent, rate int, err error) {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	from := time.Now()
	sent, err = r.Flood(ctx, rig.Forgeries(oneVIP), floodRate)
	return sent, int(float64(sent) / time.Since(from).Seconds()), err
}

// toll returns what a director has spent, said and dropped since it started.
func (p *runningPair) toll(ctx context.Context, node string, d *rig.Daemon) (t floodedDirector, err error) {
	usage, err := d.Usage()
	if err != nil {
		return t, err
	}
	t.CPU, t.Lines = usage.CPU, strings.Count(d.Log(), "\n")
	if t.Dropped, err = d.Dropped(); err != nil {
		return t, err
	}
	if p.setup.Kind == rig.LVSHA {
		t.Discarded, err = p.discarded(ctx, node)
	}
	return t, err
}

// since returns what came to it since an earlier time.
func (d floodedDirector) since(before floodedDirector) floodedDirector {
	d.CPU -= before.CPU
	d.Lines -= before.Lines
	d.Dropped -= before.Dropped
	for reason, n := range before.Discarded {
		d.Discarded[reason] -= n
	}
	maps.DeleteFunc(d.Discarded, func(_ string, n uint64) bool { return n == 0 })
	return d
}

// discarded asks lvs-ha on a director what it has dropped.
func (p *runningPair) discarded(ctx context.Context, node string) (map[string]uint64, error) {
	out, err := p.rig.Command(ctx, node, "status", "--json").Output()
	if err != nil {
		return nil, fmt.Errorf("status of %s: %w", node, err)
	}
	var s control.Status
	if err := json.Unmarshal(out, &s); err != nil {
		return nil, fmt.Errorf("status of %s: %w", node, err)
	}
	sum := make(map[string]uint64)
	for _, i := range s.Instances {
		for reason, n := range i.Discarded {
			sum[reason] += n
		}
	}
	for _, counts := range s.Unclaimed {
		for reason, n := range counts {
			sum[reason] += n
		}
	}
	return sum, nil
}
