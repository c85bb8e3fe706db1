// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// fullQueuePause is the pause after the kernel's queue of an interface was full.
	fullQueuePause = 10 * time.Millisecond
	// fullQueuePatience is how long a queue may stay full before its announcements are given up.
	fullQueuePatience = time.Second
)

// Announcer tells the segment which link-layer address a VIP is at: by gratuitous ARP, in both the request and the reply
// form, and by unsolicited neighbour advertisements. Use [NewAnnouncer]; it sends while its Run does. All methods are
// safe for concurrent use.
type Announcer struct {
	look     func(name string) (station, error)
	open     func(index int) (port, error)
	wake     chan struct{}
	failures chan error

	mu      sync.Mutex // held while a batch is sent, so that Withdraw returns after it
	rates   map[string]int
	outlets map[string]*outlet
}

// outlet is what is announced on one interface.
type outlet struct {
	backlog
	frames  map[netip.Addr][][]byte // built for station
	stale   bool                    // the interface must be looked at before the next batch
	station station                 // only Run uses it, and what follows
	port    port                    // nil: none is open
	full    time.Time               // since when the queue is full, or zero
}

// NewAnnouncer returns an announcer.
func NewAnnouncer() *Announcer {
	return &Announcer{
		look: look, open: openPort, wake: make(chan struct{}, 1), failures: make(chan error, 1),
		rates: make(map[string]int), outlets: make(map[string]*outlet),
	}
}

// Failures returns the channel that has an error after announcements failed; one that nobody takes holds back the next
// ones. What could not be announced is dropped: it is announced again by the next call of [Announcer.Announce].
func (a *Announcer) Failures() <-chan error { return a.failures }

// SetRate sets how many frames leave an interface in a second; zero or less: 5000, the default.
func (a *Announcer) SetRate(iface string, framesPerSecond int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if framesPerSecond <= 0 {
		framesPerSecond = defaultRate
	}
	a.rates[iface] = framesPerSecond
	if o, ok := a.outlets[iface]; ok {
		o.rate = framesPerSecond
	}
}

// Announce queues one round of announcements for addrs, from the link-layer address that each one's interface has when
// they leave. Addresses that are still waiting from an earlier call leave once. Interfaces without an Ethernet
// address (loopback, point-to-point) have nobody to tell.
func (a *Announcer) Announce(addrs []Address) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, addr := range addrs {
		if !addr.Prefix.IsValid() {
			continue
		}
		o, ok := a.outlets[addr.Interface]
		if !ok {
			rate, ok := a.rates[addr.Interface]
			if !ok {
				rate = defaultRate
			}
			o = &outlet{backlog: newBacklog(rate), frames: make(map[netip.Addr][][]byte)}
			a.outlets[addr.Interface] = o
		}
		o.add(addr.Prefix.Addr().Unmap())
		o.stale = true
	}
	a.poke()
}

// Withdraw drops what waits for addrs. No frame for them leaves after it has returned, until they are announced again.
func (a *Announcer) Withdraw(addrs []Address) {
	gone := make(map[string]map[netip.Addr]struct{})
	for _, addr := range addrs {
		if gone[addr.Interface] == nil {
			gone[addr.Interface] = make(map[netip.Addr]struct{})
		}
		gone[addr.Interface][addr.Prefix.Addr().Unmap()] = struct{}{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, vips := range gone {
		o, ok := a.outlets[name]
		if !ok {
			continue
		}
		o.withdraw(vips)
		for vip := range vips {
			delete(o.frames, vip)
		}
	}
	a.poke()
}

// poke lets Run look at the queues.
func (a *Announcer) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run sends, in the network namespace of the calling thread, until ctx ends; it returns nil then. Sending needs
// CAP_NET_RAW. One failing interface does not stop the others.
func (a *Announcer) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return a.close()
		case <-a.wake:
		case <-timer.C:
		}
		next, ok := a.pass()
		if !ok {
			timer.Stop()
			continue
		}
		timer.Reset(time.Until(next))
	}
}

// pass sends a batch on each interface that may send, and returns when the next one may, if any has frames waiting.
func (a *Announcer) pass() (next time.Time, waiting bool) {
	a.mu.Lock()
	var names []string
	for name, o := range a.outlets {
		if o.due(time.Now()) {
			names = append(names, name)
		}
	}
	a.mu.Unlock()
	slices.Sort(names)
	var failed error
	for _, name := range names {
		switch err := a.sendOn(name); {
		case failed == nil:
			failed = err
		case err != nil:
			failed = fmt.Errorf("%w; %w", failed, err)
		}
	}
	if failed != nil {
		select {
		case a.failures <- failed:
		default:
		}
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	for name, o := range a.outlets {
		switch {
		case len(o.waiting) > 0 && (!waiting || o.ready.Before(next)):
			next, waiting = o.ready, true
		case len(o.waiting) == 0 && len(o.frames) == 0: // all have left
			_ = o.close()
			delete(a.outlets, name)
		}
	}
	return next, waiting
}

// sendOn sends a batch on an interface.
func (a *Announcer) sendOn(name string) error {
	a.mu.Lock()
	o := a.outlets[name] // only Run removes outlets
	stale := o.stale
	o.stale = false
	a.mu.Unlock()

	var err error
	if stale { // not under the lock: the kernel may take its time
		err = a.refresh(o, name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		err = o.send(time.Now())
	}
	if err == nil || o.stale { // if asked again meanwhile, try again
		return nil
	}
	err = fmt.Errorf("announce %d addresses on %s: %w", len(o.waiting), name, errors.Join(err, o.close()))
	delete(a.outlets, name)
	return err
}

// refresh looks at an interface again, and opens its socket when it has none or is another one of the same name.
func (a *Announcer) refresh(o *outlet, name string) error {
	s, err := a.look(name)
	if err != nil {
		return err
	}
	if !s.equal(o.station) {
		a.mu.Lock()
		clear(o.frames)
		a.mu.Unlock()
	}
	if s.index != o.station.index {
		if err := o.close(); err != nil {
			return err
		}
	}
	o.station = s
	if o.port == nil && s.ethernet() {
		o.port, err = a.open(s.index)
	}
	return err
}

// send sends the next batch, if there is one.
func (o *outlet) send(now time.Time) error {
	if !o.station.ethernet() {
		o.backlog = newBacklog(o.rate)
		return nil
	}
	var turns [largestBatch]turn
	var frames [largestBatch][]byte
	batch := o.batch(turns[:0])
	for i, t := range batch {
		built, ok := o.frames[t.vip]
		if !ok {
			var err error
			if built, err = announcement(t.vip, o.station.mac, o.station.router); err != nil {
				return fmt.Errorf("%s: %w", t.vip, err)
			}
			o.frames[t.vip] = built
		}
		frames[i] = built[t.form]
	}
	n, err := o.port.send(frames[:len(batch)])
	o.sent(n, now)
	switch full := errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EAGAIN); {
	case !full:
		o.full = time.Time{}
		return err
	case o.full.IsZero() || n > 0:
		o.full = now
	case now.Sub(o.full) >= fullQueuePatience:
		return fmt.Errorf("queue full for %s: %w", now.Sub(o.full).Round(time.Millisecond), err)
	}
	o.ready = now.Add(fullQueuePause)
	return nil
}

// close closes the outlet's socket, if it has one.
func (o *outlet) close() error {
	if o.port == nil {
		return nil
	}
	p := o.port
	o.port = nil
	return p.Close()
}

// close closes all sockets.
func (a *Announcer) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var failed []error
	for name, o := range a.outlets {
		failed = append(failed, o.close())
		delete(a.outlets, name)
	}
	return errors.Join(failed...)
}
