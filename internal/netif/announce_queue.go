// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net/netip"
	"slices"
	"time"
)

// defaultRate is how many announcement frames leave an interface in a second.
const defaultRate = 5000

// largestBatch is the most frames that are handed to the kernel at once: less than the shortest queue of a usual network
// card, 256.
const largestBatch = 64

// backlog is what waits to be announced on one interface, and when the next of it may leave. The first frame of every
// address leaves before the second of any. An address of which a frame still waits is not taken again.
type backlog struct {
	rate    int // frames per second
	first   []netip.Addr
	second  []netip.Addr
	waiting map[netip.Addr]struct{}
	ready   time.Time
}

// turn is one frame of an address's announcement.
type turn struct {
	vip  netip.Addr
	form int // 0: the ARP request or the neighbour advertisement, 1: the ARP reply
}

func newBacklog(rate int) backlog { return backlog{rate: rate, waiting: make(map[netip.Addr]struct{})} }

// add takes an address, unless it is waiting.
func (b *backlog) add(vip netip.Addr) {
	if _, ok := b.waiting[vip]; ok {
		return
	}
	b.waiting[vip] = struct{}{}
	b.first = append(b.first, vip)
	if vip.Is4() {
		b.second = append(b.second, vip)
	}
}

// withdraw forgets addresses.
func (b *backlog) withdraw(gone map[netip.Addr]struct{}) {
	left := func(vip netip.Addr) bool {
		_, ok := gone[vip]
		return ok
	}
	b.first, b.second = slices.DeleteFunc(b.first, left), slices.DeleteFunc(b.second, left)
	for vip := range gone {
		delete(b.waiting, vip)
	}
}

// batch appends the frames to send next to turns: what the rate allows in ten milliseconds.
func (b *backlog) batch(turns []turn) []turn {
	n := min(max(b.rate/100, 1), largestBatch)
	for _, vip := range b.first[:min(n, len(b.first))] {
		turns = append(turns, turn{vip, 0})
	}
	n -= min(n, len(b.first))
	for _, vip := range b.second[:min(n, len(b.second))] {
		turns = append(turns, turn{vip, 1})
	}
	return turns
}

// sent takes the first n frames of the batch off. A sender that is late may make up for one batch, not for more.
func (b *backlog) sent(n int, now time.Time) {
	cost := time.Duration(n) * time.Second / time.Duration(b.rate)
	if earliest := now.Add(-cost); b.ready.Before(earliest) {
		b.ready = earliest
	}
	b.ready = b.ready.Add(cost)

	firsts := min(n, len(b.first))
	for _, vip := range b.first[:firsts] {
		if !vip.Is4() {
			delete(b.waiting, vip)
		}
	}
	for _, vip := range b.second[:n-firsts] {
		delete(b.waiting, vip)
	}
	b.first, b.second = b.first[firsts:], b.second[n-firsts:]
}

// due reports whether a frame waits that may leave at now.
func (b *backlog) due(now time.Time) bool { return len(b.waiting) > 0 && !now.Before(b.ready) }
