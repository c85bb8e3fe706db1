// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// wire is the far end of the world's segment.
type wire struct {
	*packet.Conn
	t     *testing.T
	names *strings.Replacer // link-layer addresses
}

// wire opens the far end, which reads each of the named links' addresses as its name.
func (w *world) wire(links ...string) *wire {
	w.t.Helper()
	ifi, err := net.InterfaceByName("peer0")
	must(w.t, err)
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
	must(w.t, err)
	w.t.Cleanup(func() { conn.Close() })
	raw, err := conn.SyscallConn()
	must(w.t, err)
	must(w.t, raw.Control(func(fd uintptr) { // room for a round, should the reader come late
		must(w.t, unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20))
	}))
	var names []string
	for _, name := range links {
		l, err := netlink.LinkByName(name)
		must(w.t, err)
		names = append(names, l.Attrs().HardwareAddr.String(), strings.ToUpper(name))
	}
	return &wire{Conn: conn, t: w.t, names: strings.NewReplacer(names...)}
}

// next returns the next ARP packet or neighbour advertisement that arrives.
func (r *wire) next() []byte {
	r.t.Helper()
	must(r.t, r.SetReadDeadline(time.Now().Add(patience)))
	b := make([]byte, 2048)
	for {
		n, _, err := r.ReadFrom(b)
		if err != nil {
			r.t.Fatalf("no announcement arrives: %v", err)
		}
		if announces(b[:n]) {
			return b[:n]
		}
	}
}

// read returns the next n announcements.
func (r *wire) read(n int) []string {
	r.t.Helper()
	var got []string
	for range n {
		got = append(got, r.names.Replace(describe(r.t, r.next())))
	}
	return got
}

// announces reports whether a frame is ARP or a neighbour advertisement.
func announces(frame []byte) bool {
	switch {
	case len(frame) > 54 && frame[12] == 0x86 && frame[13] == 0xdd:
		return frame[20] == unix.IPPROTO_ICMPV6 && frame[54] == 136
	default:
		return len(frame) > 14 && frame[12] == 0x08 && frame[13] == 0x06
	}
}

// awaitFailure waits for an announcer's next error.
func awaitFailure(t *testing.T, a *Announcer) error {
	t.Helper()
	select {
	case err := <-a.Failures():
		return err
	case <-time.After(patience):
		t.Fatal("no failure is told")
		return nil
	}
}

// requestForm, replyForm and advertisement are what a wire reads of announcements from a link.
func requestForm(link, vip string) string {
	return fmt.Sprintf("%s > ff:ff:ff:ff:ff:ff ARP Ethernet/IPv4 op 1, sender %[1]s %[2]s, target 00:00:00:00:00:00 %[2]s", link, vip)
}

func replyForm(link, vip string) string {
	return fmt.Sprintf("%s > ff:ff:ff:ff:ff:ff ARP Ethernet/IPv4 op 2, sender %[1]s %[2]s, target %[1]s %[2]s", link, vip)
}

func advertisement(link, vip string, router bool) string {
	return fmt.Sprintf("%s > 33:33:00:00:00:01 IPv6 %[2]s > ff02::1 hop limit 255, NeighborAdvertisement "+
		"router %[3]t solicited false override true target %[2]s, option TargetAddress %[1]s", link, vip, router)
}
