// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/control"
)

var errStopping = errors.New("the daemon is stopping")

// Reload implements control.Daemon: it reads the file again, and changes only
// what differs. A bad file changes nothing.
func (d *Director) Reload(ctx context.Context) (notes []string, err error) {
	if called := d.call(ctx, func(loop context.Context) { notes, err = d.tryReload(loop) }); called != nil {
		return nil, called
	}
	return notes, err
}

func (d *Director) tryReload(ctx context.Context) (notes []string, err error) {
	d.opts.Notify(notifyReloading())
	defer d.opts.Notify(notifyReady)
	d.reload = &control.Reload{At: time.Now()}
	c, notes, err := d.acceptable(ctx)
	if err != nil {
		d.reload.Error = err.Error()
		d.emit(ctx, Event{Kind: ReloadRefused, Reason: err.Error(), Text: "reload refused, nothing changed: " + err.Error()})
		return nil, fmt.Errorf("refused, nothing changed:\n%w", err)
	}
	d.emit(ctx, Event{Kind: Reloaded, Text: fmt.Sprintf("reloaded %s: %s", d.opts.ConfigFile, summary(c))})
	err = d.reconcile(ctx)
	d.configureSpeaker(ctx)
	d.trackQuorums(ctx)
	if err != nil {
		d.reload.Error = err.Error()
		return notes, fmt.Errorf("the configuration is in force, but the kernel is not as wanted; trying again: %w", err)
	}
	return notes, nil
}

// acceptable reads the file and makes it the configuration if all of it can be.
// notes are the validator's advice, and what became of orders.
func (d *Director) acceptable(ctx context.Context) (c *config.Config, notes []string, err error) {
	if d.stopping {
		return nil, nil, errStopping
	}
	c, advice, err := LoadConfig(d.opts.ConfigFile, d.opts.Host)
	if err != nil {
		return nil, nil, err
	}
	d.advise(ctx, advice)
	if c.Director.StateDir != d.config.Director.StateDir {
		return nil, nil, fmt.Errorf("director.state_dir cannot change from %s to %s while the daemon runs: restart it", d.config.Director.StateDir, c.Director.StateDir)
	}
	if err := d.openKernel(ctx, c); err != nil {
		return nil, nil, err
	}
	dropped, err := d.adopt(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return c, append(advice, dropped...), nil
}

// LoadConfig reads a configuration that is to run. What this machine lacks for
// good, such as a program, is an error here; advice, such as an interface that
// is not there yet, comes back with the configuration. The error has a line for
// each problem.
func LoadConfig(file string, host config.Host) (c *config.Config, advice []string, err error) {
	c, problems := config.Load(file, host)
	var errs []string
	for _, p := range problems {
		if p.Warning && !p.Lacking {
			advice = append(advice, p.String())
			continue
		}
		p.Warning = false
		errs = append(errs, p.String())
	}
	if len(errs) > 0 {
		return nil, nil, errors.New(strings.Join(errs, "\n"))
	}
	return c, advice, nil
}

// advise passes the validator's advice on.
func (d *Director) advise(ctx context.Context, advice []string) {
	for _, line := range advice {
		d.emit(ctx, Event{Kind: ConfigAdvice, Reason: line, Text: line})
	}
}
