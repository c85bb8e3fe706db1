// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/control"
	"github.com/lvs-ha/lvs-ha/internal/health"
	"github.com/lvs-ha/lvs-ha/internal/ipvs"
	"github.com/lvs-ha/lvs-ha/internal/notify"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/syncd"
	"github.com/lvs-ha/lvs-ha/internal/track"
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
	// SpeakerCommand is the command line of the speaker's process, which calls
	// ServeSpeaker.
	SpeakerCommand func(stateDir string, cautious bool) []string
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
	c, advice, err := LoadConfig(o.ConfigFile, o.Host)
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
	overrides, err := openOverrides(c.Director.StateDir)
	if err != nil {
		return err
	}
	if err := vrrp.CheckCapability(); err != nil {
		return err
	}

	commands, events := make(chan speaker.Command), make(chan speaker.Event)
	results := newQueue[health.Result]()
	runner := health.NewRunner(results.put)
	kernel := &openKernel{}
	defer kernel.close()
	readings := newQueue[track.Reading]()
	tracker := track.New(readings.put)
	news := newQueue[Event]()
	notifier := notify.New(func(f notify.Failure) { news.put(notifyFailure(f)) })
	d := &Director{
		opts: o, log: o.Log, kernel: kernel, probes: runner, speaker: commands, events: events, results: results,
		tracker: tracker, readings: readings, notifier: notifier, news: news, overrides: overrides, owned: owned, config: c,
		useProcessors: useProcessors, volatile: inMemory(c.Director.StateDir),
	}
	d.init()
	d.advise(ctx, advice)
	process := speaker.NewProcess(o.processOptions(c.Director.StateDir, d.turns), commands, events)
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
	part("speaker", process.Run)
	part("tracked files and processes", tracker.Run)
	part("probes", runner.Run)
	part("control socket", server.Run)
	part("reload on SIGHUP", func(ctx context.Context) error { return d.followHangups(ctx, o.Hangup) })
	part("watchdog", func(ctx context.Context) error { return d.feedWatchdog(ctx, o.Watchdog) })
	// What the last transitions have to tell is told when all else is done.
	notifying := make(chan error, 1)
	go func() { notifying <- notifier.Run(context.WithoutCancel(ctx)) }()
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyLast)
		defer cancel()
		notifier.Close(last)
		<-notifying
	}()
	parts.Go(func() error {
		defer stop()
		return d.Run(ctx, running, func() { o.Notify(notifyReady) })
	})
	return parts.Wait()
}

// targetsPerProcessor is how many probed targets keep a processor busy.
const targetsPerProcessor = 500

// useProcessors gives the process as many processors as it has work for: every
// further one is woken again and again in vain.
func useProcessors(targets int) {
	runtime.GOMAXPROCS(min(runtime.NumCPU(), 1+targets/targetsPerProcessor))
}

// notifyLast bounds how long the last notifications may take.
const notifyLast = 5 * time.Second

// init makes what a director needs to have before it runs.
func (d *Director) init() {
	d.calls, d.gone = make(chan func(context.Context)), make(chan struct{})
	d.roles, d.verdicts = make(map[string]vrrp.State), make(map[targetID]health.Verdict)
	d.troubles = make(troubles)
	d.failures, d.tracked = make(map[targetID]health.Result), make(map[string]speaker.Tracked)
	d.priorities, d.halted = make(map[string]uint8), make(map[string]vrrp.State)
}

// processOptions say how a speaker's process is found, started and replaced.
func (o Options) processOptions(stateDir string, alive func() bool) speaker.ProcessOptions {
	return speaker.ProcessOptions{
		Find: func(ctx context.Context) (speaker.Child, error) {
			return speaker.FindChild(ctx, SpeakerSocket(stateDir))
		},
		Start: func(cautious bool) (speaker.Child, error) {
			return speaker.StartChild(o.SpeakerCommand(stateDir, cautious))
		},
		Heir: func(commands <-chan speaker.Command, events chan<- speaker.Event) (*speaker.Speaker, func(), error) {
			system, stop, err := speaker.OpenSystem(stateDir)
			if err != nil {
				return nil, nil, err
			}
			return speaker.New(system, commands, events), func() { o.warn(stop()) }, nil
		},
		Alive: alive, Ticker: speaker.NewKernelTicker,
	}
}

// warn logs what went wrong in clearing up.
func (o Options) warn(err error) {
	if err != nil {
		o.Log.Warn(err.Error())
	}
}

// followHangups reloads on each SIGHUP; the outcome is an event.
func (d *Director) followHangups(ctx context.Context, hangup <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			_, _ = d.Reload(ctx)
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
