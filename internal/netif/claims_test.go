// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// fakeListener delivers the frames that a test puts into it.
type fakeListener struct {
	frames chan []byte
	closed context.Context
	close  context.CancelFunc
	taken  atomic.Int64
}

func (f *fakeListener) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case frame, ok := <-f.frames:
		if !ok {
			return 0, nil, unix.ENETDOWN
		}
		f.taken.Add(1)
		return copy(b, frame), nil, nil
	case <-f.closed.Done():
		return 0, nil, net.ErrClosed
	}
}

func (f *fakeListener) Close() error {
	f.close()
	return nil
}

// claimsWorld is a running watch for claims whose sockets are fakes.
type claimsWorld struct {
	*Claims
	t         *testing.T
	mu        sync.Mutex             // guards what follows
	listeners map[spot]*fakeListener // the newest of each
	opened    []string               // since the last look
	missing   map[string]bool        // interfaces
	own       map[mac]struct{}
	looks     int
}

func newClaimsWorld(t *testing.T) *claimsWorld {
	w := &claimsWorld{
		Claims: NewClaims(), t: t, listeners: make(map[spot]*fakeListener), missing: make(map[string]bool),
		own: map[mac]struct{}{mac(testMAC): {}},
	}
	w.allowed = func() error { return nil }
	w.Claims.own = func() (map[mac]struct{}, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.looks++
		return w.own, nil
	}
	w.open = func(s spot) (listener, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.opened = append(w.opened, fmt.Sprint(s.iface, " ", s.ipv6))
		if w.missing[s.iface] {
			return nil, unix.ENODEV
		}
		l := &fakeListener{frames: make(chan []byte)}
		l.closed, l.close = context.WithCancel(context.Background())
		w.listeners[s] = l
		return l, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v, want nil after its context ended", err)
		}
		for s, l := range w.listeners {
			if l.closed.Err() == nil {
				t.Errorf("the socket of %v is open after the end", s)
			}
		}
	})
	return w
}

// listener returns the newest listener of a spot.
func (w *claimsWorld) listener(iface string, ipv6 bool) *fakeListener {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.listeners[spot{iface, ipv6}]
}

// hear delivers a frame to a listener.
func (w *claimsWorld) hear(iface string, frames ...[]byte) {
	w.t.Helper()
	for _, f := range frames {
		w.listener(iface, f[12] == 0x86).frames <- f
	}
}

// expect checks which claims were told since the last look.
func (w *claimsWorld) expect(what string, want ...string) {
	w.t.Helper()
	synctest.Wait()
	var got []string
	for {
		select {
		case c := <-w.Seen():
			got = append(got, fmt.Sprintf("%s %s %s", c.Interface, c.Address, c.HardwareAddr))
			continue
		default:
		}
		break
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("%s: claims (-want +got):\n%s", what, diff)
	}
}

// expectOpened checks for which interfaces sockets were opened, or tried to be, since the last look.
func (w *claimsWorld) expectOpened(what string, want ...string) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.opened)
	if diff := cmp.Diff(want, w.opened); diff != "" {
		w.t.Errorf("%s: opened (-want +got):\n%s", what, diff)
	}
	w.opened = nil
}

var foreignMAC = net.HardwareAddr{2, 0, 0, 0, 0, 7}

func TestClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClaimsWorld(t)
		vips := []Address{addr("eth0", "192.0.2.10/24"), addr("eth0", "2001:db8::10/64"), addr("eth1", "192.0.2.11/24")}
		w.expectOpened("nothing watched")
		w.Watch(append(vips, Address{Interface: "eth9"}))
		w.expectOpened("watched", "eth0 false", "eth0 true", "eth1 false")
		w.Watch(vips)
		w.expectOpened("the same watched again")

		foreign4, foreign6 := announced(t, claimed4, foreignMAC), announced(t, claimed6, foreignMAC)
		w.hear("eth0", foreign4[0], foreign6[0])
		w.expect("by another", "eth0 192.0.2.10 02:00:00:00:00:07", "eth0 2001:db8::10 02:00:00:00:00:07")
		w.hear("eth0", foreign4...)
		w.expect("within a second")
		time.Sleep(time.Second)
		w.hear("eth0", foreign4...)
		w.expect("after a second", "eth0 192.0.2.10 02:00:00:00:00:07")
		w.hear("eth1", foreign4...)
		w.expect("on another interface")
		time.Sleep(time.Second)
		w.hear("eth0", announced(t, claimed4, testMAC)...)
		w.hear("eth0", announced(t, claimed6, testMAC)...)
		w.hear("eth0", changed(foreign4[0], arpSenderIPAt, 0, 0, 0, 0), announced(t, netip.MustParseAddr("192.0.2.99"), foreignMAC)[0])
		w.expect("our own, a probe, one of another address")

		w.Watch(vips[1:2])
		synctest.Wait()
		if w.listener("eth0", false).closed.Err() == nil || w.listener("eth0", true).closed.Err() != nil {
			t.Error("want only the socket for IPv6 on eth0 to be open")
		}
		w.hear("eth0", foreign6...)
		w.expect("still watched", "eth0 2001:db8::10 02:00:00:00:00:07")
		w.Watch(nil)
		time.Sleep(time.Minute)
		w.expectOpened("nothing watched any more")
	})
}

// TestClaimsOwnAddressChanges hears from an interface of our own that was not there before, and from one that is not any
// more.
func TestClaimsOwnAddressChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClaimsWorld(t)
		w.Watch([]Address{addr("eth0", "192.0.2.10/24")})
		synctest.Wait()
		time.Sleep(time.Second)
		w.mu.Lock()
		w.own = map[mac]struct{}{mac(foreignMAC): {}}
		w.mu.Unlock()
		w.hear("eth0", announced(t, claimed4, foreignMAC)...)
		w.expect("by our own new interface")
		time.Sleep(time.Second)
		w.hear("eth0", announced(t, claimed4, testMAC)...)
		w.expect("by one that has gone", "eth0 192.0.2.10 02:00:5e:00:53:01")
	})
}

// TestClaimsFlood hears forged claims of a thousand addresses, as fast as they are taken, that nobody reads.
func TestClaimsFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClaimsWorld(t)
		var vips []Address
		var frames [][]byte
		for i := range 1000 {
			vip := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
			vips = append(vips, Address{Interface: "eth0", Prefix: netip.PrefixFrom(vip, 32)})
			frames = append(frames, announced(t, vip, net.HardwareAddr{2, 0, 0, 0, byte(i >> 8), byte(i)})[0])
		}
		w.Watch(vips)
		synctest.Wait()
		l := w.listener("eth0", false)
		start := time.Now()
		for time.Since(start) < 10*time.Second {
			for _, f := range frames {
				l.frames <- f
			}
		}
		perSecond := float64(l.taken.Load()) / time.Since(start).Seconds()
		if limit := claimBurst / claimWindow.Seconds(); perSecond > 1.1*limit {
			t.Errorf("%.0f frames taken in a second, want at most %.0f", perSecond, limit)
		}
		if n := len(w.Seen()); n != cap(w.Seen()) {
			t.Errorf("%d claims wait, want %d", n, cap(w.Seen()))
		}
		if w.looks > 13 {
			t.Errorf("our own addresses were read %d times in 10 s", w.looks)
		}
		w.Watch(nil)
	})
}

func TestClaimsReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClaimsWorld(t)
		w.missing["eth0"] = true
		w.Watch([]Address{addr("eth0", "192.0.2.10/24"), addr("eth1", "192.0.2.10/24")})
		w.expectOpened("eth0 is missing", "eth0 false", "eth1 false")
		time.Sleep(3 * time.Second)
		w.expectOpened("for three seconds", "eth0 false", "eth0 false", "eth0 false")
		w.mu.Lock()
		w.missing["eth0"] = false
		w.mu.Unlock()
		time.Sleep(time.Second)
		w.expectOpened("it comes", "eth0 false")
		time.Sleep(time.Minute)
		w.expectOpened("it stays")

		close(w.listener("eth0", false).frames)
		w.expectOpened("it went down")
		time.Sleep(time.Second)
		w.expectOpened("a second later", "eth0 false")
		w.hear("eth0", announced(t, claimed4, foreignMAC)...)
		w.expect("it is heard again", "eth0 192.0.2.10 02:00:00:00:00:07")

		close(w.listener("eth0", false).frames)
		synctest.Wait()
		w.Watch([]Address{addr("eth0", "192.0.2.10/24")})
		w.expectOpened("others are watched", "eth0 false")
	})
}

func TestClaimsNotPermitted(t *testing.T) {
	c := NewClaims()
	c.allowed = func() error { return socketError(unix.EPERM) }
	err := c.Run(t.Context())
	if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_NET_RAW") {
		t.Errorf("error %v, want one that names the capability", err)
	}
}
