// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeSegment is a machine's interfaces and the frames that left them.
type fakeSegment struct {
	mu       sync.Mutex
	stations map[string]station
	sent     []sentFrame
	looks    int
	open     int
	refuse   error          // what sending returns
	room     int            // how many frames a call takes before that
	looking  func(string)   // called while an interface is looked at
	sending  func([][]byte) // called while frames are sent
}

type sentFrame struct {
	at    time.Time
	frame []byte
}

func newFakeSegment() *fakeSegment {
	return &fakeSegment{stations: map[string]station{
		"eth0": {index: 2, mac: testMAC}, "eth1": {index: 3, mac: net.HardwareAddr{2, 0, 0x5e, 0, 0x53, 2}}, "lo": {index: 1, mac: make(net.HardwareAddr, 6)},
	}}
}

func (f *fakeSegment) look(name string) (station, error) {
	f.looks++
	if f.looking != nil {
		f.looking(name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.stations[name]
	if !ok {
		return s, errors.New("no such network interface")
	}
	return s, nil
}

func (f *fakeSegment) send(frames [][]byte) (int, error) {
	if f.sending != nil {
		f.sending(frames)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if f.refuse != nil {
		frames, err = frames[:min(f.room, len(frames))], f.refuse
	}
	for _, b := range frames {
		f.sent = append(f.sent, sentFrame{time.Now(), b})
	}
	return len(frames), err
}

// refusing lets the segment take room frames more in each call, then fail.
func (f *fakeSegment) refusing(err error, room int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse, f.room = err, room
}

func (f *fakeSegment) Close() error {
	f.open--
	return nil
}

// announcer returns an announcer on the segment, which runs until the test's bubble ends.
func (f *fakeSegment) announcer(t *testing.T) *Announcer {
	a := NewAnnouncer()
	a.look = f.look
	a.open = func(int) (port, error) {
		f.open++
		return f, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v, want nil after its context ended", err)
		}
		if f.open != 0 {
			t.Errorf("%d sockets are open after the end", f.open)
		}
	})
	return a
}

// take returns what was sent since the last call, as "address" for a first frame and "address again" for a second.
func (f *fakeSegment) take(t *testing.T) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var got []string
	for _, s := range f.sent {
		vip, _, ok := claimIn(s.frame)
		if !ok {
			t.Fatalf("no announcement: %x", s.frame)
		}
		said := vip.String()
		if s.frame[13] == 0x06 && s.frame[21] == 2 {
			said += " again"
		}
		got = append(got, said)
	}
	f.sent = nil
	return got
}

func failure(a *Announcer) string {
	select {
	case err := <-a.Failures():
		return err.Error()
	default:
		return ""
	}
}

// mixedVIPs returns n addresses on eth0, every third of them IPv6.
func mixedVIPs(n int) []Address {
	var vips []Address
	for i := range n {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
		if i%3 == 2 {
			prefix = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)}), 128)
		}
		vips = append(vips, Address{Interface: "eth0", Prefix: prefix})
	}
	return vips
}

func TestAnnouncerManyVIPs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSegment()
		a := f.announcer(t)
		vips := mixedVIPs(1000)
		start := time.Now()
		a.Announce(vips)
		time.Sleep(time.Second)
		synctest.Wait()
		for i, s := range f.sent {
			// At the default rate, with two batches to begin with.
			earliest := time.Duration(max(0, i+1-2*50)) * time.Second / defaultRate
			if at := s.at.Sub(start); at < earliest || at > earliest+50*ms {
				t.Fatalf("frame %d left after %s, want %s", i, at, earliest)
			}
		}
		var want []string
		for _, v := range vips {
			want = append(want, v.Prefix.Addr().String())
		}
		for _, v := range vips {
			if v.Prefix.Addr().Is4() {
				want = append(want, v.Prefix.Addr().String()+" again")
			}
		}
		if diff := cmp.Diff(want, f.take(t)); diff != "" {
			t.Errorf("a round (-want +got):\n%s", diff)
		}
		if f.looks != 1 {
			t.Errorf("the interface was looked at %d times in a round, want 1", f.looks)
		}
		if got := failure(a); got != "" {
			t.Errorf("failure %q", got)
		}
	})
}

func TestAnnouncerMergesAndWithdraws(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSegment()
		a := f.announcer(t)
		a.SetRate("eth0", 100) // one frame each 10 ms, two at once
		vips := []Address{addr("eth0", "192.0.2.1/24"), addr("eth0", "192.0.2.2/24"), addr("eth0", "192.0.2.3/24")}
		a.Announce(vips)
		synctest.Wait()
		a.Announce(vips) // all are waiting
		a.Announce([]Address{addr("eth1", "192.0.2.9/24"), {Interface: "eth1"}})
		synctest.Wait()
		want := []string{"192.0.2.1", "192.0.2.2", "192.0.2.9", "192.0.2.9 again"}
		if diff := cmp.Diff(want, f.take(t)); diff != "" {
			t.Errorf("at once (-want +got):\n%s", diff)
		}
		a.Withdraw(append(vips[1:2:2], addr("eth1", "192.0.2.9/24"), addr("eth7", "192.0.2.9/24")))
		time.Sleep(time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"192.0.2.3", "192.0.2.1 again", "192.0.2.3 again"}, f.take(t)); diff != "" {
			t.Errorf("later (-want +got):\n%s", diff)
		}
		if f.open != 1 {
			t.Errorf("%d sockets are open, want the one of eth0", f.open)
		}

		a.SetRate("eth0", 0)
		a.Announce(vips)
		synctest.Wait()
		if got := len(f.take(t)); got != 6 {
			t.Errorf("%d frames at once at the default rate, want 6", got)
		}
	})
}

// TestAnnouncerWithdrawWaits checks that Withdraw cannot return while a batch is on its way that may have an address of
// its own.
func TestAnnouncerWithdrawWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSegment()
		a := f.announcer(t)
		f.sending = func([][]byte) {
			if a.mu.TryLock() {
				a.mu.Unlock()
				t.Error("Withdraw is free to return while frames are sent")
			}
		}
		f.looking = func(string) {
			if !a.mu.TryLock() {
				t.Error("Announce has to wait while the kernel is asked for an interface")
				return
			}
			a.mu.Unlock()
		}
		a.Announce(mixedVIPs(1))
		synctest.Wait()
		if n := len(f.sent); n != 2 || f.looks != 1 {
			t.Errorf("%d frames, %d looks; want 2, 1", n, f.looks)
		}
	})
}
