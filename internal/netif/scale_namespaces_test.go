// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// benchWorld moves a benchmark into a network namespace of its own, with the veth pair eth0 and peer0, both up, until it
// leaves.
func benchWorld(b *testing.B) (k *Keeper, leave func()) {
	b.Helper()
	if os.Getenv("LVSHA_LAYER") != "namespaces" {
		b.Skip("namespaces layer: LVSHA_LAYER=namespaces")
	}
	check := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	runtime.LockOSThread()
	origin, err := netns.Get()
	check(err)
	ns, err := netns.New()
	check(err)
	check(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "peer0"}))
	for _, name := range []string{"lo", "peer0", "eth0"} {
		l, err := netlink.LinkByName(name)
		check(err)
		check(netlink.LinkSetUp(l))
	}
	k, err = OpenKeeper(filepath.Join(b.TempDir(), "addresses.json"))
	check(err)
	return k, func() {
		check(k.Close())
		check(netns.Set(origin))
		check(origin.Close())
		check(ns.Close())
		runtime.UnlockOSThread()
	}
}

// manyVIPs returns n leases, of both families in turn unless one is asked for (4 or 6).
func manyVIPs(n, family int) []Lease {
	var all []Lease
	for i := range n {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
		if family == 6 || family == 0 && i%2 == 1 {
			p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)}), 128)
		}
		all = append(all, Lease{Address: Address{"eth0", p}, Valid: time.Hour})
	}
	return all
}

// BenchmarkHold measures what taking over, renewing and handing over take, beside ip(8), which adds and removes the same
// addresses from a batch file: LVSHA_LAYER=namespaces go test -run - -bench Hold ./internal/netif
func BenchmarkHold(b *testing.B) {
	for _, bench := range []struct{ n, family int }{{1000, 4}, {1000, 6}, {1000, 0}, {2000, 0}} {
		name := map[int]string{4: "IPv4", 6: "IPv6", 0: "both"}[bench.family]
		b.Run(fmt.Sprintf("%d %s", bench.n, name), func(b *testing.B) {
			want := manyVIPs(bench.n, bench.family)
			var add, renew, remove, ipAdd, ipRemove time.Duration
			timed := func(total *time.Duration, f func() error) {
				start := time.Now()
				if err := f(); err != nil {
					b.Fatal(err)
				}
				*total += time.Since(start)
			}
			for b.Loop() {
				k, leave := benchWorld(b)
				held := func(want []Lease) func() error {
					return func() error {
						_, err := k.Hold(Desired{Leases: want})
						return err
					}
				}
				timed(&add, held(want))
				timed(&renew, held(want))
				timed(&remove, held(nil))
				leave()
				_, leave = benchWorld(b) // another one: the kernel remembers IPv6 groups left for a while, and is slower then
				timed(&ipAdd, ipBatch(b, "add", want))
				timed(&ipRemove, ipBatch(b, "del", want))
				leave()
			}
			for unit, total := range map[string]time.Duration{
				"add": add, "renew": renew, "remove": remove, "ip-add": ipAdd, "ip-remove": ipRemove,
			} {
				b.ReportMetric(float64(total.Microseconds())/1000/float64(b.N), unit+"-ms")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// ipBatch returns the function that runs ip(8) over a batch file.
func ipBatch(b *testing.B, verb string, leases []Lease) func() error {
	b.Helper()
	var lines strings.Builder
	for _, l := range leases {
		fmt.Fprintf(&lines, "address %s %s dev %s\n", verb, l.Prefix, l.Interface)
	}
	file := filepath.Join(b.TempDir(), "batch")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return func() error { return exec.Command("ip", "-batch", file).Run() }
}

// TestInterfacesBesideHold holds and reads at the same time; the race detector looks on. A VIP of ours is never taken for
// an address of the interface's own.
func TestInterfacesBesideHold(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	want := manyVIPs(200, 0)
	done := make(chan struct{})
	held := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		defer close(done)
		if err := netns.Set(w.ns); err != nil {
			held <- err
			return
		}
		for range 20 {
			_, err := k.Hold(Desired{Leases: want})
			_, err2 := k.Hold(Desired{})
			if err = errors.Join(err, err2); err != nil {
				held <- err
				return
			}
		}
		held <- nil
	}()
	for reading := true; reading && !t.Failed(); {
		select {
		case <-done:
			reading = false
		default:
		}
		all, err := k.Interfaces()
		if i := all["eth0"]; err != nil || i.Primary4.IsValid() {
			t.Errorf("primary address %s, error %v", i.Primary4, err)
		}
	}
	must(t, <-held)
}

func TestThousandAddresses(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	want := manyVIPs(1000, 0)
	timed := func(what string, want []Lease) Changes {
		start := time.Now()
		c := hold(t, k, want)
		t.Logf("%s: %s", what, time.Since(start).Round(ms))
		return c
	}
	if c := timed("add", want); len(c.Added) != len(want) {
		t.Errorf("added %d of %d", len(c.Added), len(want))
	}
	if c := timed("renew", want); c.Added != nil || c.Removed != nil {
		t.Errorf("renewing changed %d addresses", len(c.Added)+len(c.Removed))
	}
	must(t, netlink.LinkSetDown(w.eth0))
	if c := timed("remove", nil); len(c.Removed) == 0 || len(w.lists()) != 0 {
		t.Errorf("removed %d, left %d", len(c.Removed), len(w.lists()))
	}
	// Every operation is refused: the answers must not overflow the socket.
	must(t, os.WriteFile("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", []byte("1"), 0o644))
	var v6 []Lease
	for _, l := range want {
		if l.Prefix.Addr().Is6() {
			v6 = append(v6, l)
		}
	}
	_, err := k.Hold(Desired{Leases: v6})
	if err == nil || strings.Count(err.Error(), "permission denied") != len(v6) {
		t.Errorf("refused %d of %d", strings.Count(fmt.Sprint(err), "permission denied"), len(v6))
	}
}
