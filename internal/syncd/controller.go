// SPDX-License-Identifier: Apache-2.0

package syncd

import (
	"context"
	"errors"
	"fmt"
)

// Control is what a [Controller] needs of the kernel: [Kernel] or [Fake].
type Control interface {
	Daemons(context.Context) ([]Daemon, error)
	Start(context.Context, Daemon) error
	Stop(context.Context, Role) error
}

// Controller makes the kernel's sync daemons those that are wanted. Not safe for concurrent use: it has one owner.
type Controller struct{ control Control }

// NewController returns a controller of the daemons behind k. It changes nothing before [Controller.Follow].
func NewController(k Control) *Controller { return &Controller{k} }

// Follow makes the daemons in want run and no others, at most one of each role. It starts nothing before it has read back
// that all that must not run has stopped, and returns nil only after it has read back that the wanted ones run. changed
// tells whether anything was started or stopped. Where it already is as wanted, it only reads.
func (c *Controller) Follow(ctx context.Context, want []Daemon) (changed bool, err error) {
	if err := checkAll(want); err != nil {
		return false, err
	}
	have, err := c.control.Daemons(ctx)
	if err != nil {
		return false, err
	}
	for _, verb := range []Verb{Stop, Start} {
		ops := only(verb, Plan(want, have))
		if len(ops) == 0 {
			continue
		}
		changed = true
		if have, err = c.carryOut(ctx, ops); err != nil {
			return changed, err
		}
		if left := only(verb, Plan(want, have)); len(left) > 0 {
			return changed, fmt.Errorf("%v: without effect, now there is %v", left, have)
		}
	}
	return changed, nil
}

// Running returns the daemons that run.
func (c *Controller) Running(ctx context.Context) ([]Daemon, error) { return c.control.Daemons(ctx) }

// carryOut does ops and returns the daemons that there are then. An operation's own error is no failure when it has had its
// effect: its acknowledgement may get lost, and what it should do may have been done by somebody else.
func (c *Controller) carryOut(ctx context.Context, ops []Op) ([]Daemon, error) {
	failed := make(map[Op]error)
	for _, op := range ops {
		var err error
		if op.Verb == Stop {
			err = c.control.Stop(ctx, op.Daemon.Role)
		} else {
			err = c.control.Start(ctx, op.Daemon)
		}
		if err != nil {
			failed[op] = err
		}
	}
	have, err := c.control.Daemons(ctx)
	if err != nil {
		return nil, fmt.Errorf("confirm %v: %w", ops, err)
	}
	var errs []error
	for _, op := range ops {
		if err := failed[op]; err != nil && !effective(op, have) {
			errs = append(errs, err)
		}
	}
	return have, errors.Join(errs...)
}

// effective tells whether have is as op would make it.
func effective(op Op, have []Daemon) bool {
	for _, d := range have {
		if d == op.Daemon {
			return op.Verb == Start
		}
	}
	return op.Verb == Stop
}

func only(verb Verb, ops []Op) []Op {
	var some []Op
	for _, op := range ops {
		if op.Verb == verb {
			some = append(some, op)
		}
	}
	return some
}

func checkAll(want []Daemon) error {
	wanted := make(map[Role]Daemon)
	for _, d := range want {
		if err := d.check(); err != nil {
			return fmt.Errorf("%v: %w", d, err)
		}
		if other, twice := wanted[d.Role]; twice {
			return fmt.Errorf("%v: the kernel runs one %v only, and %v is wanted too", d, d.Role, other)
		}
		wanted[d.Role] = d
	}
	return nil
}
