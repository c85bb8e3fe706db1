// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"syscall"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

// target is what a scenario demands of lvs-ha's gap and of its old master. All
// demand that the right director takes over, and all but letsGo that both hold
// the VIP together only as long as a hand-over may take.
type target int

const (
	// handsOver: a small part of the gap that keepalived has at SIGTERM.
	handsOver target = iota
	// letsGo: the old master's VIP goes with its lease.
	letsGo
	// noWorse: no longer a gap than keepalived's.
	noWorse
	// anyGap: the gap is only shown.
	anyGap
)

// condition is what a pair is in between two scenarios.
type condition int

const (
	// unknown: whatever a scenario made of d1; its daemon is started anew.
	unknown condition = iota
	// mastered: d1 is master, both daemons run undisturbed.
	mastered
	// stopped: d1's daemon was told to end and has ended, d2 is master.
	stopped
	// frozen: d1 was stopped as a whole, for so long that d2 is master.
	frozen
)

// scenario is what happens to d1, and who is master after it.
type scenario struct {
	name   string
	target target
	// at is where it begins, leaves is where it ends.
	at, leaves condition
	// happen makes it happen; rig.ErrNoSuchProcess says that it cannot.
	happen func(context.Context, *bench) error
	// long: the window stays open until every timer has run out, and the lease
	// where that is the target; otherwise it closes soon after one director alone
	// has the VIP again.
	long bool
	// master is who takes over.
	master string
	// brief: the other one may have come back when the window closes.
	brief bool
}

// yardstick is the scenario whose gap with keepalived the others are measured by.
const yardstick = "sigterm"

// scenarios in the order in which they are played, so that some begin where the
// one before has ended.
func scenarios() []scenario {
	return []scenario{
		{name: yardstick, target: handsOver, at: mastered, leaves: stopped, happen: sends(rig.Director, syscall.SIGTERM), master: rig.D2},
		{name: "return", target: noWorse, at: stopped, leaves: mastered, happen: comesBack, master: rig.D1},
		{name: "standby", target: handsOver, at: mastered, happen: standby, master: rig.D2},
		{name: "kill-director", target: handsOver, at: mastered, happen: sends(rig.Director, syscall.SIGKILL), master: rig.D2},
		{name: "kill-speaker", target: handsOver, at: mastered, happen: sends(rig.Speaker, syscall.SIGKILL), long: true, master: rig.D2, brief: true},
		{name: "freeze-director", target: handsOver, at: mastered, happen: sends(rig.Director, syscall.SIGSTOP), long: true, master: rig.D2},
		{name: "freeze-speaker", target: handsOver, at: mastered, happen: sends(rig.Speaker, syscall.SIGSTOP), long: true, master: rig.D2, brief: true},
		{name: "kill-all", target: letsGo, at: mastered, happen: sends(rig.All, syscall.SIGKILL), long: true, master: rig.D2},
		{name: "freeze-all", target: letsGo, at: mastered, leaves: frozen, happen: sends(rig.All, syscall.SIGSTOP), long: true, master: rig.D2},
		{name: "wake-all", target: anyGap, at: frozen, happen: sends(rig.All, syscall.SIGCONT), master: rig.D1},
		{name: "link-down", target: noWorse, at: mastered, happen: linkDown, master: rig.D2},
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

// stopFirst makes a pair in which d1 is master one in which it was stopped.
func stopFirst(ctx context.Context, b *bench) error {
	if err := b.end(ctx, rig.D1); err != nil {
		return err
	}
	if !b.waitHeld(ctx, 0, 1) {
		return fmt.Errorf("d2 did not take over from a d1 that was stopped")
	}
	return rig.Pass(ctx, b.rest())
}

// freezeFirst makes a pair in which d1 is master one in which it is frozen.
func freezeFirst(ctx context.Context, b *bench) error {
	if err := b.daemons[rig.D1].Signal(rig.All, syscall.SIGSTOP); err != nil {
		return err
	}
	return rig.Pass(ctx, b.longWindow(b.watch.Lease(rig.D1)))
}
