// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Forever is the lease of an address that stays until somebody removes it.
const Forever = time.Duration(math.MaxInt64)

// Change is a node's kernel that got an address, or lost it.
type Change struct {
	At      time.Time
	Node    string
	Address string
	Held    bool
}

// Watch follows the addresses of both directors by the kernel's notifications.
type Watch struct {
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex
	changes []Change
	held    map[string]map[string]bool // by node and address
	lease   map[string]time.Duration   // the longest that each node's kernel was told
	more    chan struct{}              // closed and replaced at each change
	err     error
}

// WatchAddresses begins to follow; the directors have no VIP yet.
func (r *Rig) WatchAddresses() (*Watch, error) {
	w := &Watch{stop: make(chan struct{}), more: make(chan struct{}), held: map[string]map[string]bool{D1: {}, D2: {}}, lease: make(map[string]time.Duration)}
	for _, node := range []string{D1, D2} {
		ns, err := netns.GetFromName(r.Node(node).NetNS())
		if err != nil {
			return nil, fmt.Errorf("open network namespace of %s: %w", node, err)
		}
		defer ns.Close()
		updates := make(chan netlink.AddrUpdate, 1024)
		err = netlink.AddrSubscribeWithOptions(updates, w.stop, netlink.AddrSubscribeOptions{
			Namespace: &ns, ReceiveBufferSize: 1 << 20, ErrorCallback: func(err error) { w.fail(node, err) },
		})
		if err != nil {
			return nil, fmt.Errorf("subscribe to addresses of %s: %w", node, err)
		}
		w.done.Go(func() {
			for u := range updates {
				w.take(node, u, time.Now())
			}
		})
	}
	return w, nil
}

// Close ends the following.
func (w *Watch) Close() {
	close(w.stop)
	w.done.Wait()
}

func (w *Watch) fail(node string, err error) {
	select {
	case <-w.stop: // that is how it ends
		return
	default:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = fmt.Errorf("follow addresses of %s: %w", node, err)
}

func (w *Watch) take(node string, u netlink.AddrUpdate, now time.Time) {
	if ones, bits := u.LinkAddress.Mask.Size(); bits != 32 || ones != 32 {
		return // not a VIP
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	address := u.LinkAddress.IP.String()
	if u.NewAddr {
		lease := time.Duration(u.ValidLft) * time.Second
		if uint32(u.ValidLft) == math.MaxUint32 {
			lease = Forever
		}
		w.lease[node] = max(w.lease[node], lease)
	}
	if w.held[node][address] == u.NewAddr {
		return
	}
	w.held[node][address] = u.NewAddr
	w.changes = append(w.changes, Change{now, node, address, u.NewAddr})
	close(w.more)
	w.more = make(chan struct{})
}

// Lease returns the longest lifetime that a node's kernel gave to an address,
// in whole seconds, or Forever.
func (w *Watch) Lease(node string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lease[node]
}

// Changes returns what happened, in the order of time.
func (w *Watch) Changes() ([]Change, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.changes), w.err
}

// Wait waits until d1 and d2 hold so many addresses; false when ctx ends first.
func (w *Watch) Wait(ctx context.Context, d1, d2 int) bool {
	for {
		w.mu.Lock()
		got1, got2, more := count(w.held[D1]), count(w.held[D2]), w.more
		w.mu.Unlock()
		if got1 == d1 && got2 == d2 {
			return true
		}
		select {
		case <-more:
		case <-ctx.Done():
			return false
		}
	}
}

func count(held map[string]bool) int {
	n := 0
	for _, h := range held {
		if h {
			n++
		}
	}
	return n
}

// BothHeld returns how long, in all, both directors held an address at once
// between from and to.
func BothHeld(changes []Change, address string, from, to time.Time) time.Duration {
	var total time.Duration
	held := make(map[string]bool)
	last := from
	for _, c := range append(slices.Clone(changes), Change{At: to}) {
		at := c.At
		if at.After(to) {
			at = to
		}
		if held[D1] && held[D2] && at.After(last) {
			total += at.Sub(last)
		}
		if at.After(last) {
			last = at
		}
		if c.Address == address {
			held[c.Node] = c.Held
		}
	}
	return total
}

// HeldAt says whether a node held an address at a time.
func HeldAt(changes []Change, node, address string, at time.Time) bool {
	held := false
	for _, c := range changes {
		if c.Node == node && c.Address == address && !c.At.After(at) {
			held = c.Held
		}
	}
	return held
}

// HeldWithin says whether a node held an address at any time from from to to.
func HeldWithin(changes []Change, node, address string, from, to time.Time) bool {
	return HeldAt(changes, node, address, from) || slices.ContainsFunc(changes, func(c Change) bool {
		return c.Node == node && c.Address == address && c.Held && c.At.After(from) && !c.At.After(to)
	})
}
