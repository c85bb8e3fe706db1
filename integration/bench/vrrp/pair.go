// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

// runningPair is a setup that runs on both directors, d1 master of everything.
type runningPair struct {
	rig       *rig.Rig
	setup     rig.Setup
	watch     *rig.Watch
	d1, d2    *rig.Daemon
	allMaster time.Duration
}

func startPair(ctx context.Context, r *rig.Rig, s rig.Setup) (p *runningPair, err error) {
	p = &runningPair{rig: r, setup: s}
	if p.watch, err = r.WatchAddresses(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.end(context.WithoutCancel(ctx)))
		}
	}()
	begin := time.Now()
	if p.d1, err = r.Start(rig.D1, s); err != nil {
		return nil, err
	}
	if p.d2, err = r.Start(rig.D2, s); err != nil {
		return nil, err
	}
	patience, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if !p.watch.Wait(patience, len(s.VIPs), 0) {
		return nil, fmt.Errorf("%s at %s: d1 did not become the only master of %d VIPs; log of d1:\n%s", s.Kind, s.Interval, len(s.VIPs), p.d1.Log())
	}
	p.allMaster = time.Since(begin)
	return p, nil
}

// usage returns what the master and the backup have used.
func (p *runningPair) usage() (master, backup rig.Usage, err error) {
	master, err = p.d1.Usage()
	if err != nil {
		return master, backup, err
	}
	backup, err = p.d2.Usage()
	return master, backup, err
}

// processes returns those of both daemons.
func (p *runningPair) processes() []int {
	return append(rig.Tree(p.d1.PID()), rig.Tree(p.d2.PID())...)
}

// takeOvers returns how often d2 got a VIP since a time at which d1 had all.
func (p *runningPair) takeOvers(since time.Time) (int, error) {
	changes, err := p.watch.Changes()
	n := 0
	for _, c := range changes {
		if c.Node == rig.D2 && c.Held && c.At.After(since) {
			n++
		}
	}
	return n, err
}

func (p *runningPair) end(ctx context.Context) error {
	var errs []error
	for _, d := range []*rig.Daemon{p.d1, p.d2} {
		if d != nil {
			errs = append(errs, d.Terminate(ctx))
		}
	}
	p.watch.Close()
	return errors.Join(errs...)
}
