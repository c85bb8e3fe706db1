// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
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
	d.reload = &control.Reload{At: time.Now()}
	c, err := d.acceptable(ctx)
	if err != nil {
		d.reload.Error = err.Error()
		d.emit(ctx, Event{Kind: ReloadRefused, Reason: err.Error(), Text: "reload refused, nothing changed: " + err.Error()})
		return fmt.Errorf("refused, nothing changed:\n%w", err)
	}
	d.emit(ctx, Event{Kind: Reloaded, Text: fmt.Sprintf("reloaded %s: %s", d.opts.ConfigFile, summary(c))})
	err = d.reconcile(ctx)
	d.command(ctx, speaker.Configure{Instances: instances(c)})
	if err != nil {
		d.reload.Error = err.Error()
		return fmt.Errorf("the configuration is in force, but the kernel is not as wanted; trying again: %w", err)
	}
	return nil
}

// acceptable reads the file and makes it the configuration if all of it can be.
func (d *Director) acceptable(ctx context.Context) (*config.Config, error) {
	if d.stopping {
		return nil, errStopping
	}
	c, err := LoadConfig(d.opts.ConfigFile, runningHost{d.opts.Host, d.config})
	if err != nil {
		return nil, err
	}
	if c.Director.StateDir != d.config.Director.StateDir {
		return nil, fmt.Errorf("director.state_dir cannot change from %s to %s while the daemon runs: restart it", d.config.Director.StateDir, c.Director.StateDir)
	}
	if err := d.openKernel(ctx, c); err != nil {
		return nil, err
	}
	if err := d.adopt(c); err != nil {
		return nil, err
	}
	return c, nil
}

// runningHost is the machine as a reload sees it: an interface of the running
// configuration may be missing for the moment.
type runningHost struct {
	config.Host
	running *config.Config
}

// InterfaceAddresses implements config.Host.
func (h runningHost) InterfaceAddresses(name string) ([]netip.Prefix, bool) {
	if h.Host == nil {
		return nil, true
	}
	addresses, ok := h.Host.InterfaceAddresses(name)
	ok = ok || h.running.Sync.Interface == name
	for _, i := range h.running.Instances {
		ok = ok || i.Interface == name
		for _, a := range i.Addresses {
			ok = ok || a.Interface == name
		}
	}
	return addresses, ok
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
		p.Warning = false
		lines[i] = p.String()
	}
	return nil, errors.New(strings.Join(lines, "\n"))
}
