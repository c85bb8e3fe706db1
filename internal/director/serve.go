// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/control"
	"github.com/lvs-ha/lvs-ha/internal/health"
	"github.com/lvs-ha/lvs-ha/internal/ipvs"
	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/syncd"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// Options is what Serve needs to know.
type Options struct {
	ConfigFile string
	Version    string
	Log        *slog.Logger
	// Host answers the validator's questions about this machine.
	Host config.Host
	// Hangup fires for each SIGHUP.
	Hangup <-chan os.Signal
	// Watchdog is how often the service manager wants a sign of life; 0: never.
	Watchdog time.Duration
	// Notify tells the service manager a state (sd_notify); it may do nothing.
	Notify func(state string)
}

const notifyReady = daemon.SdNotifyReady

// notifyReloading is RELOADING=1 with the time that Type=notify-reload wants.
func notifyReloading() string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return daemon.SdNotifyReloading
	}
	return daemon.SdNotifyReloading + "\nMONOTONIC_USEC=" + strconv.FormatInt(now.Nano()/1000, 10)
}

// Serve is the whole daemon: it runs until ctx ends and every VIP is handed
// over, or until a part of it fails.
func Serve(ctx context.Context, o Options) error {
	c, err := LoadConfig(o.ConfigFile, o.Host)
	if err != nil {
		return err
	}
	lock, err := lockStateDir(c.Director.StateDir)
	if err != nil {
		return err
	}
	defer lock.Close()
	owned, err := openOwned(c.Director.StateDir)
	if err != nil {
		return err
	}
	keeper, err := netif.OpenKeeper(filepath.Join(c.Director.StateDir, "addresses.json"))
	if err != nil {
		return err
	}
	defer keeper.Close()
	announcer := netif.NewAnnouncer()
	defer announcer.Close()
	watcher := netif.NewWatcher()

	commands, events := make(chan speaker.Command), make(chan speaker.Event)
	sp := speaker.New(speaker.System{
		Keeper: keeper, Announcer: announcer, Changed: watcher.Changed(),
		Listen: func(ifname string, f vrrp.Family) (speaker.Conn, error) { return vrrp.Listen(ifname, f) },
	}, commands, events)
	results := newQueue[health.Result]()
	runner := health.NewRunner(results.put)
	kernel := &openKernel{}
	defer kernel.close()
	d := newDirector(o, c, owned, kernel, runner, commands, events, results)
	server, err := control.Listen(control.SocketPath(c.Director.StateDir), d)
	if err != nil {
		return err
	}

	parts, broken := errgroup.WithContext(context.WithoutCancel(ctx))
	running, stop := context.WithCancel(broken)
	part := func(name string, run func(context.Context) error) {
		parts.Go(func() error {
			if err := run(running); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	part("link watch", watcher.Run)
	part("vrrp", sp.Run)
	part("probes", runner.Run)
	part("control socket", server.Run)
	part("reload on SIGHUP", func(ctx context.Context) error { return d.followHangups(ctx, o.Hangup) })
	part("watchdog", func(ctx context.Context) error { return d.feedWatchdog(ctx, o.Watchdog) })
	parts.Go(func() error {
		defer stop()
		return d.Run(ctx, running, func() { o.Notify(notifyReady) })
	})
	return parts.Wait()
}

func newDirector(o Options, c *config.Config, owned *owned, k Kernel, p Probes, commands chan<- speaker.Command, events <-chan speaker.Event, results *queue[health.Result]) *Director {
	return &Director{
		opts: o, log: o.Log, kernel: k, probes: p, speaker: commands, events: events, results: results,
		calls: make(chan func(context.Context)), gone: make(chan struct{}), config: c, owned: owned,
		roles: make(map[string]vrrp.State), verdicts: make(map[targetID]health.Verdict), failures: make(map[targetID]health.Result),
	}
}

// followHangups reloads on each SIGHUP; the outcome is an event.
func (d *Director) followHangups(ctx context.Context, hangup <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			_ = d.Reload(ctx)
		}
	}
}

// feedWatchdog tells the service manager that director and speaker still turn.
func (d *Director) feedWatchdog(ctx context.Context, every time.Duration) error {
	if every == 0 {
		return nil
	}
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if _, err := d.speakerStatus(ctx); err == nil {
				d.opts.Notify(daemon.SdNotifyWatchdog)
			}
		}
	}
}

// openKernel is the real Kernel. Each adapter has one user, the loop.
type openKernel struct {
	table *ipvs.Kernel
	sync  *syncd.Kernel
}

func (k *openKernel) Table(ctx context.Context) (Table, error) {
	t, err := ipvs.OpenKernel(ctx)
	if err != nil {
		return nil, err
	}
	k.table = t
	return t, nil
}

func (k *openKernel) SyncDaemons(ctx context.Context) (SyncDaemons, error) {
	s, err := syncd.OpenKernel(ctx)
	if err != nil {
		return nil, err
	}
	k.sync = s
	return syncd.NewController(s), nil
}

func (k *openKernel) close() {
	if k.table != nil {
		k.table.Close()
	}
	if k.sync != nil {
		k.sync.Close()
	}
}
