// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// BenchmarkSendRound is one round of 1,000 VIPs through the kernel, onto a link whose other end nobody reads.
func BenchmarkSendRound(b *testing.B) {
	if os.Getenv("LVSHA_LAYER") != "namespaces" {
		b.Skip("namespaces layer: run `make test-namespaces`")
	}
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the benchmark
	ns, err := netns.New()
	check(err)
	defer ns.Close()
	check(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "peer0"}))
	for _, name := range []string{"peer0", "eth0"} {
		l, err := netlink.LinkByName(name)
		check(err)
		check(netlink.LinkSetUp(l))
	}
	s, err := look("eth0")
	check(err)
	p, err := openPort(s.index)
	check(err)
	o := &outlet{backlog: newBacklog(1e9), frames: make(map[netip.Addr][][]byte), station: s, port: p}
	defer o.close()
	vips := mixedVIPs(1000)
	b.ReportAllocs()
	for b.Loop() {
		for _, v := range vips {
			o.add(v.Prefix.Addr())
		}
		for len(o.waiting) > 0 {
			check(o.send(time.Now()))
		}
	}
}
