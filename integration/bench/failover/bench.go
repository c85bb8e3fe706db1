// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/bench/rig"
)

const (
	vip = "10.0.0.100"
	// probes is how often the client asks.
	probes = time.Millisecond
	// granularity is how late the kernel may be in dropping an address whose
	// lifetime is over: IPv4 lifetimes are whole seconds.
	granularity = time.Second
	// heartbeat is lvs-ha's default: what it notices takes so long.
	heartbeat = 300 * time.Millisecond
	// respawn is what a daemon may take, beside its timers, to start a process
	// in place of one that was lost.
	respawn = 1500 * time.Millisecond
)

// bench is one kind of daemon on both directors at one interval.
type bench struct {
	rig     *rig.Rig
	setup   rig.Setup
	watch   *rig.Watch
	ping    *rig.Pinger
	adverts *rig.Adverts
	daemons map[string]*rig.Daemon
	// condition is what the last scenario left.
	condition condition
	// undo takes back what a scenario told d1's daemon; nil: nothing.
	undo func() error
}

// sample is one repeat of a scenario.
type sample struct {
	// Gap is the longest silence that the client saw, without Pause, in which the
	// machine was starved.
	Gap time.Duration `json:"gap_ns"`
	// GapAfter is when it began, after the fault.
	GapAfter time.Duration `json:"gap_after_ns"`
	Pause    time.Duration `json:"starved_ns"`
	// BothHeld is how long both directors had the VIP.
	BothHeld time.Duration `json:"both_held_ns"`
	// Stale: the old master, dead or stopped as a whole, had the VIP when its
	// lease and the kernel's granularity were over; at the window's end where
	// there is no lease.
	Stale bool `json:"stale"`
	// TookOver: the director that was to take over had the VIP at some time after
	// the fault.
	TookOver bool `json:"took_over"`
	// Ended: in the end it alone had the VIP; where the other one may have come
	// back, anybody.
	Ended bool `json:"ended_well"`
}

func newBench(r *rig.Rig, kind rig.Kind, interval time.Duration) (*bench, error) {
	b := &bench{rig: r, setup: rig.Setup{Kind: kind, Interval: interval, VIPs: []string{vip}}, daemons: make(map[string]*rig.Daemon)}
	var err error
	if b.watch, err = r.WatchAddresses(); err != nil {
		return nil, err
	}
	if b.ping, err = r.Ping(b.setup.VIPs, probes); err != nil {
		b.watch.Close()
		return nil, err
	}
	if b.adverts, err = r.ListenAdverts(); err != nil {
		b.watch.Close()
		return nil, errors.Join(err, b.ping.Close())
	}
	return b, nil
}

func (b *bench) close(ctx context.Context) error {
	err := errors.Join(b.end(ctx, rig.D1), b.end(ctx, rig.D2), b.ping.Close(), b.adverts.Close())
	b.watch.Close()
	return err
}

func (b *bench) start(node string) error {
	d, err := b.rig.Start(node, b.setup)
	if err != nil {
		return err
	}
	b.daemons[node] = d
	return nil
}

// end tells a director's daemon to end.
func (b *bench) end(ctx context.Context, node string) error {
	d := b.daemons[node]
	if d == nil {
		return nil
	}
	delete(b.daemons, node)
	return d.Terminate(ctx)
}

// patience bounds what is waited for but does not happen.
func (b *bench) patience() time.Duration { return 2*b.setup.DownInterval() + 5*time.Second }

// waitHeld waits until d1 and d2 have the VIP so many times.
func (b *bench) waitHeld(ctx context.Context, d1, d2 int) bool {
	ctx, cancel := context.WithTimeout(ctx, b.patience())
	defer cancel()
	return b.watch.Wait(ctx, d1, d2)
}

// rest is how long a pair is left to itself: an advert is heard in it, and a lost
// process noticed.
func (b *bench) rest() time.Duration { return b.setup.Interval + heartbeat }

// bring makes the pair what a scenario begins with. Until it says otherwise, the
// pair's condition is unknown.
func (b *bench) bring(ctx context.Context, want condition) error {
	is := b.condition
	b.condition = unknown
	if is == want && want != mastered {
		return nil
	}
	if is != mastered {
		if err := b.restore(ctx); err != nil {
			return err
		}
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	switch want {
	case stopped:
		return stopFirst(ctx, b)
	case frozen:
		return freezeFirst(ctx, b)
	}
	return nil
}

// settle makes d1 a master that d2 has heard, with no other fault about.
func (b *bench) settle(ctx context.Context) error {
	for _, node := range []string{rig.D2, rig.D1} {
		if b.daemons[node] == nil {
			if err := b.start(node); err != nil {
				return err
			}
		}
	}
	if !b.waitHeld(ctx, 1, 0) {
		return fmt.Errorf("%s at %s: d1 did not become the only master; log of d1:\n%s\nlog of d2:\n%s",
			b.setup.Kind, b.setup.Interval, b.daemons[rig.D1].Log(), b.daemons[rig.D2].Log())
	}
	return rig.Pass(ctx, b.rest())
}

// halfway waits until the middle between two adverts of d1, so that repeats and
// kinds do not differ by when a fault falls.
func (b *bench) halfway(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, b.patience())
	defer cancel()
	for {
		at, err := b.adverts.WaitNext(patience, b.rig.MAC[rig.D1])
		if err != nil {
			return err
		}
		// An advert is noticed late where this process was not woken at once.
		if left := time.Until(at.Add(b.setup.Interval / 2)); left > 0 {
			return rig.Pass(ctx, left)
		}
	}
}

// repeat plays a scenario once.
func (b *bench) repeat(ctx context.Context, s scenario) (sample, error) {
	defer b.ping.Forget()
	if err := b.bring(ctx, s.at); err != nil {
		return sample{}, err
	}
	lease := b.watch.Lease(rig.D1)
	if s.at == mastered {
		if err := b.halfway(ctx); err != nil {
			return sample{}, err
		}
	}
	b.adverts.Take() // what is not looked at is not kept
	b.ping.Forget()
	from := time.Now()
	if err := s.happen(ctx, b); err != nil {
		return sample{}, err
	}
	if err := b.window(ctx, s, lease); err != nil {
		return sample{}, err
	}
	r, err := b.look(ctx, s, lease, from, time.Now())
	if err != nil {
		return sample{}, err
	}
	switch s.leaves {
	case unknown:
		err = b.restore(ctx)
	case stopped:
		err = b.end(ctx, rig.D1) // it may still be at it
	}
	b.condition = s.leaves
	return r, err
}

// look collects what the instruments saw of a scenario from its fault to its end.
func (b *bench) look(ctx context.Context, s scenario, lease time.Duration, from, to time.Time) (sample, error) {
	patience, cancel := context.WithTimeout(ctx, b.patience())
	defer cancel()
	if err := b.ping.WaitUntil(patience, to); err != nil {
		return sample{}, err
	}
	silence := b.ping.LongestSilence(from, to)
	changes, err := b.watch.Changes()
	if err != nil {
		return sample{}, err
	}
	over := to
	if lease != rig.Forever {
		over = from.Add(lease + granularity)
	}
	other := map[string]string{rig.D1: rig.D2, rig.D2: rig.D1}[s.master]
	right, wrong := rig.HeldAt(changes, s.master, vip, to), rig.HeldAt(changes, other, vip, to)
	return sample{
		Gap: silence.Length, GapAfter: silence.Start.Sub(from), Pause: silence.Pause,
		BothHeld: rig.BothHeld(changes, vip, from, to),
		Stale:    s.target == letsGo && rig.HeldAt(changes, rig.D1, vip, over),
		TookOver: rig.HeldWithin(changes, s.master, vip, from, to),
		Ended:    right && !wrong || s.brief && (right || wrong),
	}, nil
}

// window waits until a scenario has had all its effects.
func (b *bench) window(ctx context.Context, s scenario, lease time.Duration) error {
	switch {
	case s.long && s.target == letsGo:
		return rig.Pass(ctx, b.longWindow(lease))
	case s.long:
		return rig.Pass(ctx, b.longWindow(0))
	case s.master == rig.D1:
		b.waitHeld(ctx, 1, 0)
	default:
		b.waitHeld(ctx, 0, 1)
	}
	return rig.Pass(ctx, b.rest())
}

// longWindow outlasts the time in which a backup takes over, and a lease unless
// it is for ever.
func (b *bench) longWindow(lease time.Duration) time.Duration {
	w := b.setup.DownInterval() + respawn
	if lease != rig.Forever {
		w = max(w, lease+granularity+heartbeat)
	}
	return w
}

// restore removes what a scenario made of d1; d2 goes on as it is.
func (b *bench) restore(ctx context.Context) error {
	var undone error
	if b.undo != nil {
		undone = b.undo()
		b.undo = nil
	}
	var removed error
	if d := b.daemons[rig.D1]; d != nil {
		delete(b.daemons, rig.D1)
		removed = d.Remove(ctx)
	}
	return errors.Join(undone, removed, b.rig.Plug(true))
}
