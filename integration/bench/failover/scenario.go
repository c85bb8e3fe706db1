// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"syscall"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

// target is what a scenario demands of lvs-ha.
type target int

const (
	// handsOver: a small part of the gap that keepalived has at SIGTERM, and
	// both directors hold the VIP only as long as a hand-over may take.
	handsOver target = iota
	// letsGo: the old master's VIP goes with its lease.
	letsGo
	// noWorse: no longer a gap than keepalived's.
	noWorse
	// onlyShown: none.
	onlyShown
)

// scenario is what happens to d1, the master, and who is master after it.
type scenario struct {
	name   string
	target target
	// happen makes it happen; rig.ErrNoSuchProcess says that it cannot.
	happen func(context.Context, *bench) error
	// long: the window stays open until every lease and timer has run out;
	// otherwise it closes soon after one director alone has the VIP again.
	long bool
	// master is who has the VIP afterwards.
	master string
	// before brings the pair to where it happens; nil: d1 is master, d2 backup.
	before func(context.Context, *bench) error
}

// yardstick is the scenario whose gap with keepalived the others are measured by.
const yardstick = "sigterm"

// scenarios in the order of the report.
func scenarios() []scenario {
	return []scenario{
		{name: yardstick, target: handsOver, happen: sends(rig.Director, syscall.SIGTERM), master: rig.D2},
		{name: "standby", target: handsOver, happen: standby, master: rig.D2},
		{name: "kill-director", target: handsOver, happen: sends(rig.Director, syscall.SIGKILL), long: true, master: rig.D2},
		{name: "kill-speaker", target: handsOver, happen: sends(rig.Speaker, syscall.SIGKILL), long: true, master: rig.D2},
		{name: "freeze-director", target: handsOver, happen: sends(rig.Director, syscall.SIGSTOP), long: true, master: rig.D2},
		{name: "freeze-speaker", target: handsOver, happen: sends(rig.Speaker, syscall.SIGSTOP), long: true, master: rig.D2},
		{name: "kill-all", target: letsGo, happen: sends(rig.All, syscall.SIGKILL), long: true, master: rig.D2},
		{name: "freeze-all", target: letsGo, happen: sends(rig.All, syscall.SIGSTOP), long: true, master: rig.D2},
		{name: "wake-all", target: onlyShown, happen: sends(rig.All, syscall.SIGCONT), long: true, master: rig.D1, before: frozen},
		{name: "link-down", target: noWorse, happen: linkDown, master: rig.D2},
		{name: "return", target: noWorse, happen: comesBack, master: rig.D1, before: terminated},
	}
}

// sends makes a scenario of a signal to d1's processes.
func sends(w rig.Which, sig syscall.Signal) func(context.Context, *bench) error {
	return func(_ context.Context, b *bench) error { return b.daemons[rig.D1].Signal(w, sig) }
}

// standby is an operator's; keepalived has only SIGTERM for it.
func standby(ctx context.Context, b *bench) error {
	if b.setup.Kind == rig.Keepalived {
		return b.daemons[rig.D1].Signal(rig.Director, syscall.SIGTERM)
	}
	if !b.rig.HasCommand(ctx, "standby") {
		return rig.ErrNoSuchProcess
	}
	// It may wait for the end of the hand-over, which is what is measured.
	patience, cancel := context.WithTimeout(ctx, b.patience())
	cmd := b.rig.Command(patience, rig.D1, "standby")
	if err := cmd.Start(); err != nil {
		cancel()
		return fmt.Errorf("lvs-ha standby: %w", err)
	}
	b.undo = func() error {
		defer cancel()
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("lvs-ha standby: %w", err)
		}
		// It outlives a restart of the daemon.
		if out, err := b.rig.Command(patience, rig.D1, "resume").CombinedOutput(); err != nil {
			return fmt.Errorf("lvs-ha resume: %w: %s", err, out)
		}
		return nil
	}
	return nil
}

func linkDown(_ context.Context, b *bench) error { return b.rig.Plug(false) }

func comesBack(_ context.Context, b *bench) error { return b.start(rig.D1) }

// frozen: d1 was stopped as a whole, for so long that d2 is master.
func frozen(ctx context.Context, b *bench) error {
	if err := b.daemons[rig.D1].Signal(rig.All, syscall.SIGSTOP); err != nil {
		return err
	}
	return b.letAllRunOut(ctx)
}

// terminated: d1's daemon was stopped, d2 is master.
func terminated(ctx context.Context, b *bench) error {
	if err := b.end(ctx, rig.D1); err != nil {
		return err
	}
	if !b.waitHeld(ctx, 0, 1) {
		return fmt.Errorf("d2 did not take over from a d1 that was stopped")
	}
	return nil
}
