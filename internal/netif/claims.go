// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// claimInterval is the least time between two claims of one address that are told, and between two looks at our own
	// link-layer addresses that frames give rise to.
	claimInterval = time.Second
	// reopenDelay is the pause before a socket that broke, or could not be opened, is tried again.
	reopenDelay = time.Second
	// A reader takes at most claimBurst frames in each claimWindow; a storm of more is the kernel's to drop.
	claimBurst  = 256
	claimWindow = 25 * time.Millisecond
)

// Claim is somebody else's word that an address of ours is at a link-layer address of theirs.
type Claim struct {
	Address      netip.Addr
	Interface    string
	HardwareAddr net.HardwareAddr
}

// Claims watches for claims of addresses by others: ARP packets that have one as sender, and neighbour advertisements
// for one. Probes of duplicate address detection claim nothing yet, and nothing that is said to be at a link-layer address
// of this network namespace's own interfaces is a claim. Use [NewClaims]; it watches while its Run does. All methods
// are safe for concurrent use.
type Claims struct {
	allowed func() error
	open    func(spot) (listener, error)
	own     func() (map[mac]struct{}, error)
	seen    chan Claim
	changed chan struct{}

	mu      sync.Mutex
	watched map[key]struct{}
}

// spot is what one socket listens to: a family's frames on an interface.
type spot struct {
	iface string
	ipv6  bool
}

// listener receives frames.
type listener interface {
	ReadFrom(b []byte) (int, net.Addr, error)
	Close() error
}

// heard is a claim as it was read.
type heard struct {
	key
	at mac
}

// NewClaims returns a watch for claims that watches nothing yet.
func NewClaims() *Claims {
	return &Claims{
		allowed: mayListen, open: listenForClaims, own: ownMACs,
		seen: make(chan Claim, 64), changed: make(chan struct{}, 1),
	}
}

// Seen returns the channel of claims, at most one a second for each watched address. Those that do not fit into it are
// dropped. A claim may be of an address that has just been unwatched.
func (c *Claims) Seen() <-chan Claim { return c.seen }

// Watch sets the addresses that are watched, in place of earlier ones.
func (c *Claims) Watch(addrs []Address) {
	watched := make(map[key]struct{}, len(addrs))
	for _, a := range addrs {
		if a.Prefix.IsValid() {
			watched[key{a.Interface, a.Prefix.Addr().Unmap()}] = struct{}{}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if maps.Equal(c.watched, watched) {
		return
	}
	c.watched = watched
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func (c *Claims) watches(k key) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.watched[k]
	return ok
}

// spots returns where to listen.
func (c *Claims) spots() map[spot]struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	spots := make(map[spot]struct{})
	for k := range c.watched {
		spots[spot{k.iface, k.addr.Is6()}] = struct{}{}
	}
	return spots
}

// Run watches in the network namespace of the calling thread until ctx ends, and returns nil then. It returns an error
// only when the process may not open packet sockets in the first place, which needs CAP_NET_RAW. A socket that breaks or
// cannot be opened later, as on an interface that is not there, is tried again every second.
func (c *Claims) Run(ctx context.Context) error {
	if err := c.allowed(); err != nil {
		return fmt.Errorf("watch for claims of addresses: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	w := watch{Claims: c, listeners: make(map[spot]listener), told: make(map[key]time.Time),
		heard: make(chan heard), ended: make(chan listener)}
	defer func() {
		cancel()
		for _, l := range w.listeners {
			_ = l.Close()
		}
		w.readers.Wait()
	}()
	retry := time.NewTimer(reopenDelay)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.changed:
		case <-retry.C:
		case l := <-w.ended:
			if w.drop(l) {
				retry.Reset(reopenDelay)
			}
			continue
		case h := <-w.heard:
			w.judge(time.Now(), h)
			continue
		}
		if w.listen(ctx) {
			retry.Stop()
		} else {
			retry.Reset(reopenDelay)
		}
	}
}

// watch is a Claims at work; Run owns it.
type watch struct {
	*Claims
	listeners map[spot]listener
	readers   sync.WaitGroup
	heard     chan heard
	ended     chan listener
	macs      map[mac]struct{} // our own
	looked    time.Time        // when they were read
	told      map[key]time.Time
}

// listen opens and closes sockets as the watched addresses need, and reports whether all that are needed are open.
func (w *watch) listen(ctx context.Context) (whole bool) {
	w.lookAtOwn(time.Now())
	maps.DeleteFunc(w.told, func(k key, _ time.Time) bool { return !w.watches(k) })
	needed := w.spots()
	maps.DeleteFunc(w.listeners, func(s spot, l listener) bool {
		if _, ok := needed[s]; ok {
			return false
		}
		_ = l.Close() // its reader ends
		return true
	})
	whole = true
	for s := range needed {
		if _, ok := w.listeners[s]; ok {
			continue
		}
		l, err := w.open(s)
		if err != nil {
			whole = false
			continue
		}
		w.listeners[s] = l
		w.readers.Go(func() { w.read(ctx, s, l) })
	}
	return whole
}

// drop closes a listener whose reader has ended, and reports whether it was in use.
func (w *watch) drop(l listener) bool {
	for s, used := range w.listeners {
		if used == l {
			delete(w.listeners, s)
			_ = l.Close()
			return true
		}
	}
	return false
}

// read passes on the claims that a listener receives until it breaks or ctx ends.
func (w *watch) read(ctx context.Context, s spot, l listener) {
	b := make([]byte, claimFrameSize)
	began, taken := time.Now(), 0
	for {
		n, _, err := l.ReadFrom(b)
		if err != nil {
			select {
			case w.ended <- l:
			case <-ctx.Done():
			}
			return
		}
		if vip, at, ok := claimIn(b[:n]); ok && w.watches(key{s.iface, vip}) {
			select {
			case w.heard <- heard{key{s.iface, vip}, at}:
			case <-ctx.Done():
				return
			}
		}
		if taken++; taken < claimBurst {
			continue
		}
		select {
		case <-time.After(claimWindow - time.Since(began)):
		case <-ctx.Done():
			return
		}
		began, taken = time.Now(), 0
	}
}

// judge tells a claim unless it is our own or has been told within the last second.
func (w *watch) judge(now time.Time, h heard) {
	if last, ok := w.told[h.key]; ok && now.Sub(last) < claimInterval {
		return
	}
	if w.ours(h.at) || !w.watches(h.key) {
		return
	}
	if now.Sub(w.looked) >= claimInterval {
		if w.lookAtOwn(now); w.ours(h.at) {
			return
		}
	}
	select {
	case w.seen <- Claim{Address: h.addr, Interface: h.iface, HardwareAddr: net.HardwareAddr(h.at[:])}:
		w.told[h.key] = now
	default:
	}
}

func (w *watch) ours(at mac) bool {
	_, ok := w.macs[at]
	return ok
}

// lookAtOwn reads our own link-layer addresses, or keeps what it has.
func (w *watch) lookAtOwn(now time.Time) {
	w.looked = now
	if macs, err := w.own(); err == nil {
		w.macs = macs
	}
}
