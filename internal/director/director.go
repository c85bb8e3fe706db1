// SPDX-License-Identifier: Apache-2.0

// Package director is the daemon's event loop. It derives the wanted IPVS
// table, VRRP instances and sync daemon from configuration, verdicts and
// roles, and brings the kernel there. It is the only package that knows all
// the others.
//
// Start, reload, a probe's verdict, a failover and the repair of what somebody
// else changed all go the same way: derive, compare, apply.
package director

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/control"
	"github.com/lvs-ha/lvs-ha/internal/health"
	"github.com/lvs-ha/lvs-ha/internal/ipvs"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/syncd"
	"github.com/lvs-ha/lvs-ha/internal/track"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// reconcileInterval is how often the kernel's table is compared with the
// wanted one when nothing happened: what somebody else changed is repaired
// within it.
const reconcileInterval = 2 * time.Second

// kernelTimeout bounds one reconciliation with the kernel.
const kernelTimeout = 30 * time.Second

// Table is the kernel's IPVS table; ipvs.Kernel is the real one.
type Table interface {
	Snapshot(ctx context.Context) (ipvs.Snapshot, error)
	Apply(ctx context.Context, ops []ipvs.Op) error
}

// SyncDaemons runs the kernel's sync daemons; syncd.Controller is the real one.
type SyncDaemons interface {
	Follow(ctx context.Context, want []syncd.Daemon) (changed bool, err error)
	Running(ctx context.Context) ([]syncd.Daemon, error)
}

// Probes probes real servers; health.Runner is the real one.
type Probes interface {
	Set(targets []health.Target) error
}

// Kernel opens the kernel interfaces when the configuration first needs them.
type Kernel interface {
	Table(ctx context.Context) (Table, error)
	SyncDaemons(ctx context.Context) (SyncDaemons, error)
}

// Tracker watches tracked files and processes; track.Watcher is the real one.
type Tracker interface {
	Set(trackers []track.Tracker)
}

// Director is the event loop. One goroutine, that of Run, owns all of its
// state; the exported methods may be called from others.
type Director struct {
	opts    Options
	log     *slog.Logger
	kernel  Kernel
	probes  Probes
	speaker chan<- speaker.Command
	events  <-chan speaker.Event
	results *queue[health.Result]
	calls   chan func(context.Context)
	gone    chan struct{} // closed when Run has returned
	turned  atomic.Int64  // when the loop last turned, in nanoseconds since 1970

	useProcessors func(targets int) // nil: nothing to be done

	tracker  Tracker
	readings *queue[track.Reading]
	notifier Notifier
	news     *queue[Event] // of other goroutines

	config     *config.Config
	table      Table // nil: never needed
	sync       SyncDaemons
	owned      *owned
	overrides  *overrides
	volatile   bool        // a reboot takes the orders with it
	handOvers  []*handOver // operators who wait
	tracked    map[string]speaker.Tracked
	priorities map[string]uint8 // effective
	speakerPID int
	roles      map[string]vrrp.State
	rolesKnown bool                  // a speaker has said what they are, or that there are none
	halted     map[string]vrrp.State // roles before a halt whose fault is yet to be told
	adopting   bool                  // the speaker is one of an earlier director and has not yet said what its roles are
	troubles   troubles
	targets    map[string]targetID
	verdicts   map[targetID]health.Verdict
	failures   map[targetID]health.Result // the last failed probe
	latest     ipvs.Snapshot
	daemons    []syncd.Daemon                 // that the kernel ran when last looked at
	settled    map[ipvs.ServiceKey]ipvs.Entry // services that the kernel had as wanted

	tableFailure, syncFailure failure

	started  time.Time
	reload   *control.Reload
	waiting  []chan speaker.Status
	stopping bool
}

// Run works until ctx ends and the hand-over is done, or broken ends because a
// part of the daemon failed. ready is called when the first reconciliation is
// done and the VRRP instances were started.
func (d *Director) Run(ctx, broken context.Context, ready func()) error {
	defer close(d.gone)
	if err := d.start(broken); err != nil {
		return err
	}
	ready()
	tick := time.NewTicker(reconcileInterval)
	defer tick.Stop()
	stop := ctx.Done()
	for {
		d.turned.Store(time.Now().UnixNano())
		select {
		case <-broken.Done():
			return nil
		case <-stop:
			stop, d.stopping = nil, true
			d.emit(broken, Event{Kind: Stopping, Text: "stopping: VIPs are handed over first; a second signal stops at once"})
			d.command(broken, speaker.Shutdown{})
		case call := <-d.calls:
			call(broken)
		case <-d.results.ready:
			d.takeResults(broken)
		case <-d.readings.ready:
			d.takeReadings(broken)
		case <-d.news.ready:
			for _, e := range d.news.take() {
				d.emit(broken, e)
			}
		case e := <-d.events:
			if e, done := e.(speaker.Stopped); done {
				return d.finish(broken, e)
			}
			d.takeSpeakerEvent(broken, e)
		case <-tick.C:
			_ = d.reconcile(broken) // its failures are events
		}
	}
}

func (d *Director) start(ctx context.Context) error {
	d.started = time.Now()
	if err := d.openKernel(ctx, d.config); err != nil {
		return err
	}
	if _, err := d.adopt(ctx, d.config); err != nil {
		return err
	}
	_ = d.reconcile(ctx) // its failures are events, and no reason not to serve
	d.emit(ctx, Event{Kind: Started, Text: fmt.Sprintf("lvs-ha %s started as %s with %s: %s", d.opts.Version, d.config.Director.Name, d.opts.ConfigFile, summary(d.config))})
	d.configureSpeaker(ctx)
	d.trackQuorums(ctx)
	return nil
}

// loopPatience is how long one turn of the loop may take: longer than all that
// is bounded in it.
const loopPatience = 3 * kernelTimeout

// turns reports whether the loop still turns.
func (d *Director) turns() bool {
	last := d.turned.Load()
	return last == 0 || time.Since(time.Unix(0, last)) < loopPatience
}

// finish leaves the kernel as on_stop says; the VIPs are gone by now. One
// failure does not keep it from the rest.
func (d *Director) finish(ctx context.Context, stopped speaker.Stopped) error {
	var errs []error
	if stopped.Error != "" {
		errs = append(errs, fmt.Errorf("remove VIPs: %s", stopped.Error))
	}
	if d.sync != nil && d.owned.sync {
		if _, err := d.sync.Follow(ctx, nil); err != nil {
			errs = append(errs, fmt.Errorf("stop sync daemon: %w", err))
		} else {
			errs = append(errs, d.owned.set(d.owned.services, false))
		}
	}
	if d.config.Director.OnStop == config.OnStopRemove {
		d.config.VirtualServers = nil
		errs = append(errs, d.reconcileTable(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	d.emit(ctx, Event{Kind: Stopped, Text: fmt.Sprintf("stopped; it ran for %s", time.Since(d.started).Round(time.Second))})
	return nil
}

// openKernel opens what c needs and is not open yet.
func (d *Director) openKernel(ctx context.Context, c *config.Config) error {
	if d.table == nil && (len(c.VirtualServers) > 0 || len(d.owned.services) > 0) {
		t, err := d.kernel.Table(ctx)
		if err != nil {
			return err
		}
		d.table = t
	}
	if d.sync == nil && (c.Sync.Mode != "off" || d.owned.sync) {
		s, err := d.kernel.SyncDaemons(ctx)
		if err != nil {
			return err
		}
		d.sync = s
	}
	return nil
}

// adopt makes c the configuration that everything is derived from. It says
// which orders were dropped.
func (d *Director) adopt(ctx context.Context, c *config.Config) (dropped []string, err error) {
	probed, ids := targets(c)
	probed = append(probed, commandTargets(c)...)
	if err := d.probes.Set(probed); err != nil {
		return nil, fmt.Errorf("start probes: %w", err)
	}
	d.tracker.Set(trackers(c))
	d.notifier.Set(notifyCommands(c))
	if d.useProcessors != nil {
		d.useProcessors(len(probed))
	}
	d.config, d.targets = c, ids
	for _, o := range d.overrides.keep(c) {
		d.emit(ctx, Event{Kind: OrderDropped, Instance: o.instance, Reason: o.why, Text: o.String()})
		dropped = append(dropped, o.String())
	}
	tracks := make(map[string]bool)
	for _, t := range c.Tracks {
		tracks[t.Name] = true
	}
	for name := range d.tracked {
		if !tracks[name] {
			delete(d.tracked, name)
		}
	}
	known := make(map[targetID]bool, len(ids))
	for _, id := range ids {
		known[id] = true
	}
	for id := range d.verdicts {
		if !known[id] {
			delete(d.verdicts, id)
			delete(d.failures, id)
		}
	}
	return dropped, nil
}

func (d *Director) takeResults(ctx context.Context) {
	changed := false
	for _, r := range d.results.take() {
		if name, ok := strings.CutPrefix(r.ID, commandTarget); ok {
			if r.Changed {
				d.takeCommand(ctx, name, r)
			}
			continue
		}
		id, ok := d.targets[r.ID]
		if !ok {
			continue // of a target that was removed meanwhile
		}
		reason := ""
		if r.Err != nil {
			d.failures[id] = r
			reason = r.Err.Error()
		}
		if !r.Changed {
			continue
		}
		changed = true
		from := d.verdicts[id]
		d.verdicts[id] = r.Verdict
		d.emit(ctx, Event{
			At: r.At, Kind: VerdictChanged, VirtualServer: id.virtualServer, RealServer: id.realServer.String(),
			From: from.String(), To: r.Verdict.String(), Reason: reason,
			Text: transitionText(probed(id), from.String(), r.Verdict.String(), reason),
		})
	}
	if changed {
		_ = d.reconcile(ctx) // its failures are events
		d.trackQuorums(ctx)
	}
}

// command sends one command; the speaker always takes it, unless it has failed.
func (d *Director) command(ctx context.Context, c speaker.Command) {
	select {
	case d.speaker <- c:
	case <-ctx.Done():
	}
}

// call runs fn in the loop's goroutine, with the loop's context, and waits
// for it.
func (d *Director) call(ctx context.Context, fn func(loop context.Context)) error {
	done := make(chan struct{})
	select {
	case d.calls <- func(loop context.Context) { fn(loop); close(done) }:
	case <-d.gone:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
	<-done
	return nil
}

func (d *Director) emit(ctx context.Context, e Event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.log(ctx, d.log)
}

func summary(c *config.Config) string {
	var parts []string
	count := func(n int, what string) {
		switch {
		case n == 1:
			parts = append(parts, "1 "+what)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, what))
		}
	}
	count(len(c.Instances), "VRRP instance")
	count(len(c.VirtualServers), "virtual server")
	servers := 0
	for _, vs := range c.VirtualServers {
		servers += len(vs.RealServers)
	}
	count(servers, "real server")
	return strings.Join(parts, ", ")
}
