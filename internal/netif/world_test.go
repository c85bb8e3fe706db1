// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for something that must happen.
const patience = 10 * time.Second

// world is a network namespace of a test's own, with the veth pair eth0 and peer0, both up.
type world struct {
	t       *testing.T
	ns      netns.NsHandle
	eth0    netlink.Link
	journal string
}

// newWorld moves the test's goroutine into a new world until the test ends.
func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Getenv("LVSHA_LAYER") != "namespaces" {
		t.Skip("namespaces layer: run `make test-namespaces`")
	}
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	runtime.LockOSThread()
	origin, err := netns.Get()
	must(t, err)
	name := fmt.Sprintf("niftst-%d-%s", os.Getpid(), strings.NewReplacer("/", "-", " ", "-").Replace(strings.ToLower(t.Name())))
	ns, err := netns.NewNamed(name)
	must(t, err)
	t.Cleanup(func() {
		must(t, errors.Join(netns.Set(origin), origin.Close(), ns.Close(), netns.DeleteNamed(name)))
		runtime.UnlockOSThread()
	})

	lo, err := netlink.LinkByName("lo")
	must(t, err)
	must(t, netlink.LinkSetUp(lo))
	w := &world{t: t, ns: ns, journal: filepath.Join(t.TempDir(), "addresses.json")}
	w.eth0 = w.veth("eth0", "peer0")
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// veth adds a pair of links, sets both up, and returns the first.
func (w *world) veth(name, peer string) netlink.Link {
	w.t.Helper()
	must(w.t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: peer}))
	for _, n := range []string{peer, name} {
		l, err := netlink.LinkByName(n)
		must(w.t, err)
		must(w.t, netlink.LinkSetUp(l))
	}
	l, err := netlink.LinkByName(name)
	must(w.t, err)
	return l
}

// keeper opens a keeper on the world's journal.
func (w *world) keeper() *Keeper {
	w.t.Helper()
	k, err := OpenKeeper(w.journal)
	must(w.t, err)
	w.t.Cleanup(func() { must(w.t, k.Close()) })
	return k
}

// watcher runs a watcher in the world until the test ends.
func (w *world) watcher() *Watcher { return w.watcherIn(w.ns) }

// watcherIn runs a watcher in another namespace.
func (w *world) watcherIn(ns netns.NsHandle) *Watcher {
	watcher := NewWatcher()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		if err := netns.Set(ns); err != nil {
			ended <- err
			return
		}
		ended <- watcher.Run(ctx)
	}()
	w.t.Cleanup(func() {
		cancel()
		must(w.t, <-ended)
	})
	return watcher
}

// await waits until a condition holds, looking again after each notification.
func (w *world) await(watcher *Watcher, what string, holds func() bool) {
	w.t.Helper()
	limit := time.After(patience)
	for !holds() {
		select {
		case <-watcher.Changed():
		case <-limit:
			w.t.Fatalf("not after %s: %s", patience, what)
		}
	}
}

// awaitUp waits until eth0 carries packets.
func (w *world) awaitUp() { w.awaitCarrier("eth0") }

// awaitCarrier waits until a link carries packets.
func (w *world) awaitCarrier(name string) {
	w.t.Helper()
	k := w.keeper()
	w.await(w.watcher(), name+" up", func() bool {
		all, err := k.Interfaces()
		must(w.t, err)
		return all[name].Up
	})
}

// lists returns the addresses of eth0 in the kernel's order, without the automatic link-local one.
func (w *world) lists() []netlink.Addr {
	w.t.Helper()
	all, err := netlink.AddrList(w.eth0, netlink.FAMILY_ALL)
	must(w.t, err)
	return slices.DeleteFunc(all, func(a netlink.Addr) bool { return a.IP.IsLinkLocalUnicast() })
}

// expect checks the addresses of eth0.
func (w *world) expect(when string, prefixes ...string) {
	w.t.Helper()
	var got []string
	for _, a := range w.lists() {
		got = append(got, a.IPNet.String())
	}
	slices.Sort(got)
	slices.Sort(prefixes)
	if diff := cmp.Diff(prefixes, got); diff != "" {
		w.t.Errorf("%s: addresses of eth0 (-want +got):\n%s", when, diff)
	}
}

// add adds an address as an administrator would.
func (w *world) add(prefix string) {
	w.t.Helper()
	a, err := netlink.ParseAddr(prefix)
	must(w.t, err)
	must(w.t, netlink.AddrAdd(w.eth0, a))
}

// remove removes an address as an administrator would.
func (w *world) remove(prefix string) {
	w.t.Helper()
	a, err := netlink.ParseAddr(prefix)
	must(w.t, err)
	must(w.t, netlink.AddrDel(w.eth0, a))
}

// neighbour moves a link into a new namespace, which ends with the test, and returns a handle to it.
func (w *world) neighbour(link string) (*netlink.Handle, netns.NsHandle) {
	w.t.Helper()
	ns, err := netns.New() // enters it
	must(w.t, err)
	must(w.t, netns.Set(w.ns))
	host, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	must(w.t, err)
	w.t.Cleanup(func() {
		host.Close()
		must(w.t, ns.Close())
	})
	l, err := netlink.LinkByName(link)
	must(w.t, err)
	must(w.t, netlink.LinkSetNsFd(l, int(ns)))
	return host, ns
}
