// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

const (
	oneVIP         = "10.0.0.100"
	jitterInterval = 10 * time.Millisecond
	// busyLoops run beside the pair: more than there are processors on the
	// machines that this was written on.
	busyLoops = 4
	// calm is how long a pair runs before it is measured.
	calm = time.Second
)

// steadiness is how well a pair keeps time.
type steadiness struct {
	Jitter rig.Jitter `json:"jitter"`
	// TakeOvers is how often the backup got the VIP of a living master, and
	// BackupAdverts how many adverts it sent.
	TakeOvers     int `json:"false_take_overs"`
	BackupAdverts int `json:"backup_adverts"`
	// Restarted: a process of a daemon ended, and another took its place.
	Restarted bool `json:"restarted"`
}

// undisturbed: there were adverts, and all of the master.
func (s steadiness) undisturbed() bool {
	return s.Jitter.Adverts > 0 && s.TakeOvers == 0 && s.BackupAdverts == 0 && !s.Restarted
}

// starved is a pair at 10 ms beside busy loops.
type starved struct {
	steadiness
	Realtime     bool `json:"realtime"`
	NotAvailable bool `json:"not_available,omitempty"`
}

// measureStarved measures a pair that has to fight for the CPU.
func measureStarved(ctx context.Context, r *rig.Rig, kind rig.Kind, realtime bool, duration time.Duration) (s starved, err error) {
	setup := rig.Setup{Kind: kind, Interval: jitterInterval, VIPs: []string{oneVIP}, Realtime: realtime}
	s.Realtime = realtime
	if kind == rig.LVSHA && realtime {
		accepted, err := r.Accepts(ctx, setup)
		if err != nil || !accepted {
			s.NotAvailable = true
			return s, err
		}
	}
	p, err := startPair(ctx, r, setup)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, p.end(context.WithoutCancel(ctx))) }()
	if err := rig.Pass(ctx, calm); err != nil {
		return s, err
	}
	if realtime && !(p.d1.Realtime() && p.d2.Realtime()) {
		s.NotAvailable = true
		return s, nil
	}
	stop, err := startBusyLoops()
	if err != nil {
		return s, err
	}
	defer stop()
	s.steadiness, err = p.observe(ctx, func() error { return rig.Pass(ctx, duration) })
	return s, err
}

// observe measures how well a pair keeps time while something happens.
func (p *runningPair) observe(ctx context.Context, happen func() error) (s steadiness, err error) {
	adverts, err := p.rig.ListenAdverts()
	if err != nil {
		return s, err
	}
	before := p.processes()
	from := time.Now()
	err = happen()
	to := time.Now()
	heard := adverts.Take()
	if err := errors.Join(err, adverts.Close()); err != nil {
		return s, err
	}
	s.Jitter = rig.JitterOf(heard, p.rig.MAC[rig.D1], p.setup.Interval, from, to)
	s.BackupAdverts = rig.CountFrom(heard, p.rig.MAC[rig.D2])
	s.Restarted = !slices.Equal(before, p.processes())
	s.TakeOvers, err = p.takeOvers(from)
	if p.setup.Kind == rig.LVSHA && !s.undisturbed() {
		fmt.Fprintf(os.Stderr, "bench-vrrp: the pair was disturbed; log of d1:\n%slog of d2:\n%s", p.d1.Log(), p.d2.Log())
	}
	return s, err
}

// startBusyLoops starts what eats processor time; stop ends it.
func startBusyLoops() (stop func(), err error) {
	var loops []*exec.Cmd
	stop = func() {
		for _, c := range loops {
			_ = c.Process.Kill() // it runs until then
			_ = c.Wait()
		}
	}
	for range busyLoops {
		c := exec.Command("sh", "-c", "while :; do :; done")
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			stop()
			return nil, fmt.Errorf("start busy loop: %w", err)
		}
		loops = append(loops, c)
	}
	return stop, nil
}
