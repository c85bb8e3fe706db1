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
	"github.com/lvs-ha/lvs-ha/internal/speaker"
)

var errStopping = errors.New("the daemon is stopping")

// Reload implements control.Daemon: it reads the file again, and changes only
// what differs. A bad file changes nothing.
func (d *Director) Reload(ctx context.Context) error {
	var err error
	if called := d.call(ctx, func(loop context.Context) { err = d.tryReload(loop) }); called != nil {
		return called
	}
	return err
}

func (d *Director) tryReload(ctx context.Context) error {
	d.opts.Notify(notifyReloading())
	defer d.opts.Notify(notifyReady)
	err := d.applyFile(ctx)
	d.reload = &control.Reload{At: time.Now()}
	if err != nil {
		d.reload.Error = err.Error()
		d.emit(ctx, Event{Kind: ReloadRefused, Reason: err.Error(), Text: "reload refused, nothing changed: " + err.Error()})
		return err
	}
	d.emit(ctx, Event{Kind: Reloaded, Text: fmt.Sprintf("reloaded %s: %s", d.opts.ConfigFile, summary(d.config))})
	return nil
}

func (d *Director) applyFile(ctx context.Context) error {
	if d.stopping {
		return errStopping
	}
	c, err := LoadConfig(d.opts.ConfigFile, d.opts.Host)
	if err != nil {
		return err
	}
	if c.Director.StateDir != d.config.Director.StateDir {
		return fmt.Errorf("director.state_dir cannot change from %s to %s while the daemon runs: restart it", d.config.Director.StateDir, c.Director.StateDir)
	}
	if err := d.openKernel(ctx, c); err != nil {
		return err
	}
	if err := d.adopt(ctx, c); err != nil {
		return err
	}
	d.settled = nil
	d.reconcile(ctx)
	d.command(ctx, speaker.Configure{Instances: instances(c)})
	return nil
}

// LoadConfig reads a configuration that is to run: what a check only warns of
// is an error here. The error has a line for each problem.
func LoadConfig(file string, host config.Host) (*config.Config, error) {
	c, problems := config.Load(file, host)
	if len(problems) == 0 {
		return c, nil
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return nil, errors.New(strings.Join(lines, "\n"))
}
