// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestAnnouncerFailures(t *testing.T) {
	vips := []Address{addr("eth0", "192.0.2.1/24"), addr("eth0", "2001:db8::1/64")}
	run := func(name string, test func(t *testing.T, f *fakeSegment, a *Announcer)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeSegment()
				test(t, f, f.announcer(t))
			})
		})
	}
	expect := func(t *testing.T, f *fakeSegment, a *Announcer, failed string, sent ...string) {
		t.Helper()
		synctest.Wait()
		if got := failure(a); got != failed {
			t.Errorf("failure %q, want %q", got, failed)
		}
		if diff := cmp.Diff(sent, f.take(t)); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	}
	whole := []string{"192.0.2.1", "2001:db8::1", "192.0.2.1 again"}

	run("interfaces that are not there", func(t *testing.T, f *fakeSegment, a *Announcer) {
		a.Announce(append(slices.Clone(vips), addr("eth8", "192.0.2.8/24"), addr("eth9", "192.0.2.9/24")))
		expect(t, f, a, "announce 1 addresses on eth8: no such network interface; announce 1 addresses on eth9: no such network interface", whole...)
		time.Sleep(time.Minute)
		expect(t, f, a, "")
	})
	run("one failure waits for its reader", func(t *testing.T, f *fakeSegment, a *Announcer) {
		for _, name := range []string{"eth8", "eth9"} {
			a.Announce([]Address{addr(name, "192.0.2.9/24")})
			synctest.Wait()
		}
		expect(t, f, a, "announce 1 addresses on eth8: no such network interface")
		expect(t, f, a, "")
	})
	run("nobody to tell", func(t *testing.T, f *fakeSegment, a *Announcer) {
		a.Announce([]Address{addr("lo", "192.0.2.1/32")})
		expect(t, f, a, "")
		if f.open != 0 {
			t.Error("a socket was opened")
		}
	})
	run("not permitted", func(t *testing.T, f *fakeSegment, a *Announcer) {
		a.open = func(int) (port, error) { return nil, socketError(&net.OpError{Op: "listen", Err: unix.EPERM}) }
		a.Announce(vips)
		expect(t, f, a, "announce 2 addresses on eth0: open packet socket: operation not permitted; give the process CAP_NET_RAW")
	})
	run("down and up", func(t *testing.T, f *fakeSegment, a *Announcer) {
		f.refusing(unix.ENETDOWN, 1)
		a.Announce(vips)
		expect(t, f, a, "announce 2 addresses on eth0: network is down", "192.0.2.1")
		f.refusing(nil, 0)
		a.Announce(vips)
		expect(t, f, a, "", whole...)
	})
	run("asked again while it failed", func(t *testing.T, f *fakeSegment, a *Announcer) {
		a.look = func(name string) (station, error) {
			if f.looks++; f.looks == 1 {
				a.Announce(vips)
				return station{}, errors.New("no such network interface")
			}
			return f.stations[name], nil
		}
		a.Announce(vips)
		expect(t, f, a, "", whole...)
	})
	run("full queue", func(t *testing.T, f *fakeSegment, a *Announcer) {
		f.refusing(unix.ENOBUFS, 1)
		a.Announce(vips)
		expect(t, f, a, "", "192.0.2.1")
		f.refusing(unix.ENOBUFS, 0)
		time.Sleep(900 * ms)
		expect(t, f, a, "")
		f.refusing(nil, 0)
		time.Sleep(fullQueuePause)
		expect(t, f, a, "", whole[1:]...)
	})
	run("queue full for good", func(t *testing.T, f *fakeSegment, a *Announcer) {
		f.refusing(unix.EAGAIN, 0)
		a.Announce(vips)
		time.Sleep(time.Minute)
		expect(t, f, a, "announce 2 addresses on eth0: queue full for 1s: resource temporarily unavailable")
	})
	run("another interface of the same name", func(t *testing.T, f *fakeSegment, a *Announcer) {
		a.Announce(vips)
		expect(t, f, a, "", whole...)
		other := net.HardwareAddr{2, 0, 0x5e, 0, 0x53, 9}
		f.stations["eth0"] = station{index: 9, mac: other}
		a.Announce(vips)
		synctest.Wait()
		for _, s := range f.sent {
			if _, at, _ := claimIn(s.frame); at != mac(other) {
				t.Errorf("announced at %x, want the new address", at)
			}
		}
		if f.open != 1 {
			t.Errorf("%d sockets are open, want 1", f.open)
		}
	})
}

func TestSocketErrorNamesCapability(t *testing.T) {
	err := socketError(&net.OpError{Op: "listen", Err: unix.EPERM})
	if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_NET_RAW") {
		t.Errorf("error %v", err)
	}
	if err := socketError(unix.EMFILE); !errors.Is(err, unix.EMFILE) || strings.Contains(err.Error(), "CAP") {
		t.Errorf("error %v", err)
	}
}

// BenchmarkRound is one round of 1,000 VIPs without the kernel's part, frames of the round before at hand.
func BenchmarkRound(b *testing.B) {
	o := &outlet{
		backlog: newBacklog(1e9), frames: make(map[netip.Addr][][]byte),
		station: station{index: 2, mac: testMAC}, port: sink{},
	}
	vips := mixedVIPs(1000)
	now := time.Unix(1000, 0)
	b.ReportAllocs()
	for b.Loop() {
		for _, v := range vips {
			o.add(v.Prefix.Addr())
		}
		for len(o.waiting) > 0 {
			if err := o.send(now); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// sink takes all frames.
type sink struct{}

func (sink) send(frames [][]byte) (int, error) { return len(frames), nil }
func (sink) Close() error                      { return nil }
