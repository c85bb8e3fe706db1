// SPDX-License-Identifier: Apache-2.0

package syncd

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Fake is a [Control] in memory for tests: it answers as the kernel does. The zero value runs no daemon. Safe for
// concurrent use.
type Fake struct {
	mu       sync.Mutex
	daemons  []Daemon
	done     []Op
	loseAcks bool
	refuse   func(Op) error
}

// NewFake returns a fake that runs the given daemons.
func NewFake(running ...Daemon) *Fake { return &Fake{daemons: slices.Clone(running)} }

// Refuse makes operations fail for which the function returns an error; nil ends that.
func (f *Fake) Refuse(refuse func(Op) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = refuse
}

// LoseAnswers makes every operation return [ErrNoAnswer] after it is done.
func (f *Fake) LoseAnswers() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loseAcks = true
}

// Done returns the operations carried out so far, in order.
func (f *Fake) Done() []Op {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.done)
}

// Daemons is [Kernel.Daemons].
func (f *Fake) Daemons(ctx context.Context) ([]Daemon, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.daemons), nil
}

// Start is [Kernel.Start].
func (f *Fake) Start(ctx context.Context, d Daemon) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.find(d.Role) >= 0 {
		return fmt.Errorf("start %v: %w", d, unix.EEXIST)
	}
	return f.do(ctx, Op{Start, d}, func() { f.daemons = append(f.daemons, d) })
}

// Stop is [Kernel.Stop].
func (f *Fake) Stop(ctx context.Context, r Role) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.find(r)
	if i < 0 {
		return fmt.Errorf("stop %v sync daemon: %w", r, unix.ESRCH)
	}
	return f.do(ctx, Op{Stop, f.daemons[i]}, func() { f.daemons = slices.Delete(f.daemons, i, i+1) })
}

func (f *Fake) find(r Role) int {
	return slices.IndexFunc(f.daemons, func(d Daemon) bool { return d.Role == r })
}

func (f *Fake) do(ctx context.Context, op Op, effect func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.refuse != nil {
		if err := f.refuse(op); err != nil {
			return err
		}
	}
	effect()
	f.done = append(f.done, op)
	if f.loseAcks {
		return fmt.Errorf("%v: %w", op, ErrNoAnswer)
	}
	return nil
}
