// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
	"github.com/lvs-ha/lvs-ha/internal/control"
)

const (
	floodRate     = 100_000 // packets a second
	floodInterval = 100 * time.Millisecond
)

// flooded is a pair at 100 ms that a stranger floods with forged adverts.
type flooded struct {
	Before steadiness `json:"before"`
	During steadiness `json:"during"`
	// Sent is how many forged packets went out.
	Sent int `json:"forged_packets"`
	// MasterCPU and BackupCPU are during the flood.
	MasterCPU time.Duration `json:"master_cpu_ns"`
	BackupCPU time.Duration `json:"backup_cpu_ns"`
	// MasterLines and BackupLines are log lines during the flood.
	MasterLines int `json:"master_log_lines"`
	BackupLines int `json:"backup_log_lines"`
	// Discarded is by reason, at the master; of lvs-ha only.
	Discarded map[string]uint64 `json:"master_discarded,omitempty"`
}

func measureFlood(ctx context.Context, r *rig.Rig, kind rig.Kind, duration time.Duration) (f flooded, err error) {
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
	master, backup, err := p.usage()
	if err != nil {
		return f, err
	}
	masterLines, backupLines := lines(p.d1), lines(p.d2)
	f.During, err = p.observe(ctx, func() (err error) {
		ctx, cancel := context.WithTimeout(ctx, duration)
		defer cancel()
		f.Sent, err = r.Flood(ctx, rig.Forgeries(oneVIP), floodRate)
		return err
	})
	if err != nil {
		return f, err
	}
	// What waits in buffers and pauses between log lines belongs to the flood.
	if err := rig.Pass(ctx, calm); err != nil {
		return f, err
	}
	f.MasterLines, f.BackupLines = lines(p.d1)-masterLines, lines(p.d2)-backupLines
	masterAfter, backupAfter, err := p.usage()
	if err != nil {
		return f, err
	}
	f.MasterCPU, f.BackupCPU = masterAfter.CPU-master.CPU, backupAfter.CPU-backup.CPU
	if kind == rig.LVSHA {
		f.Discarded, err = p.discarded(ctx)
	}
	return f, err
}

func lines(d *rig.Daemon) int { return strings.Count(d.Log(), "\n") }

// discarded asks lvs-ha on d1 what it has dropped.
func (p *runningPair) discarded(ctx context.Context) (map[string]uint64, error) {
	out, err := p.rig.Command(ctx, rig.D1, "status", "--json").Output()
	if err != nil {
		return nil, fmt.Errorf("status of d1: %w", err)
	}
	var s control.Status
	if err := json.Unmarshal(out, &s); err != nil {
		return nil, fmt.Errorf("status of d1: %w", err)
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
