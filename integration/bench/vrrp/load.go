// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

const (
	// instances is every VRID that there is (RFC 9568 section 5.2.3).
	instances = 255
	// startPatience and takeOverPatience bound waits for what does not happen.
	startPatience    = 60 * time.Second
	takeOverPatience = 30 * time.Second
	// warmUp is left out of the measurement: announcements are repeated in it.
	warmUp = 8 * time.Second
	// allPinged is how often every VIP is pinged while the master dies, and so
	// how exact the gap is.
	allPinged = 50 * time.Millisecond
)

// load is what 255 instances on one interface at 1 s cost.
type load struct {
	// AllMaster is from the start of both daemons until d1 had every VIP.
	AllMaster time.Duration `json:"all_master_ns"`
	// Master and Backup are of d1 and d2, CPU over the measured time.
	Master rig.Usage `json:"master"`
	Backup rig.Usage `json:"backup"`
	// TakenOver is from SIGKILL of d1's daemon, with all of its processes, until
	// d2 had answered for every VIP; LongestSilence is the worst of any VIP.
	TakenOver      time.Duration `json:"taken_over_ns"`
	LongestSilence time.Duration `json:"longest_silence_ns"`
}

func allVIPs() []string {
	var vips []string
	for i := 1; i <= instances; i++ {
		vips = append(vips, fmt.Sprintf("10.0.3.%d", i))
	}
	return vips
}

func measureLoad(ctx context.Context, r *rig.Rig, kind rig.Kind, duration time.Duration) (l load, err error) {
	p, err := startPair(ctx, r, rig.Setup{Kind: kind, Interval: time.Second, VIPs: allVIPs()})
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, p.end(context.WithoutCancel(ctx))) }()
	l.AllMaster = p.allMaster
	if err := rig.Pass(ctx, warmUp); err != nil {
		return l, err
	}
	master, backup, err := p.usage()
	if err != nil {
		return l, err
	}
	before := p.processes()
	if err := rig.Pass(ctx, duration); err != nil {
		return l, err
	}
	if !slices.Equal(before, p.processes()) {
		return l, fmt.Errorf("a process of %s was restarted while it was measured; log of d1:\n%slog of d2:\n%s", kind, p.d1.Log(), p.d2.Log())
	}
	if l.Master, l.Backup, err = p.usage(); err != nil {
		return l, err
	}
	l.Master.CPU -= master.CPU
	l.Backup.CPU -= backup.CPU
	l.TakenOver, l.LongestSilence, err = p.takeOver(ctx)
	return l, err
}

// takeOver kills d1 as a whole, and returns how long it took until d2 answered
// for the last VIP, and the longest silence of any.
func (p *runningPair) takeOver(ctx context.Context) (until, silence time.Duration, err error) {
	ping, err := p.rig.Ping(p.setup.VIPs, allPinged)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, ping.Close()) }()
	if _, err := p.waitAnswers(ctx, ping, rig.D1); err != nil {
		return 0, 0, err
	}
	from := time.Now()
	if err := p.d1.Signal(rig.All, syscall.SIGKILL); err != nil {
		return 0, 0, err
	}
	last, err := p.waitAnswers(ctx, ping, rig.D2)
	if err != nil {
		return 0, 0, err
	}
	return last.Sub(from), ping.WorstSilence(from, last), nil
}

// waitAnswers waits until a node has answered for every VIP, and returns when
// it first answered for the last one.
func (p *runningPair) waitAnswers(ctx context.Context, ping *rig.Pinger, node string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, takeOverPatience)
	defer cancel()
	for {
		first := make(map[string]time.Time)
		var last time.Time
		for _, a := range ping.Answers() {
			if vip := a.VIP.String(); a.Sender == p.rig.MAC[node] && first[vip].IsZero() {
				first[vip], last = a.At, a.At
			}
		}
		if len(first) == len(p.setup.VIPs) {
			return last, nil
		}
		if err := rig.Pass(ctx, 2*allPinged); err != nil {
			return time.Time{}, fmt.Errorf("%s on %s answers for %d of %d VIPs: %w", p.setup.Kind, node, len(first), len(p.setup.VIPs), err)
		}
	}
}
