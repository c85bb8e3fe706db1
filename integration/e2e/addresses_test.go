// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

// moves follows the addresses of a director, but for link-local ones, by the
// kernel's notifications.
type moves struct {
	*node

	mu    sync.Mutex
	held  map[netip.Addr]bool
	moved []time.Time   // when an address came or left
	more  chan struct{} // closed and replaced at each
}

// follow follows until the test ends.
func (n *node) follow() *moves {
	n.t.Helper()
	m := &moves{node: n, held: make(map[netip.Addr]bool), more: make(chan struct{})}
	updates, stop := make(chan netlink.AddrUpdate, 64), make(chan struct{})
	n.must(netlink.AddrSubscribeWithOptions(updates, stop, netlink.AddrSubscribeOptions{
		Namespace: &n.ns, ReceiveBufferSize: 16 << 20, ReceiveBufferForceSize: true,
		ErrorCallback: func(err error) {
			select {
			case <-stop:
			default:
				n.t.Errorf("follow addresses of %s: %v", n.name, err)
			}
		},
	}))
	var following sync.WaitGroup
	following.Go(func() {
		for u := range updates {
			address, _ := netip.AddrFromSlice(u.LinkAddress.IP)
			m.take(address.Unmap(), u.NewAddr, time.Now())
		}
	})
	n.t.Cleanup(func() {
		close(stop)
		following.Wait()
	})
	return m
}

func (m *moves) take(address netip.Addr, came bool, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held[address] == came || address.IsLinkLocalUnicast() {
		return // a lease was renewed, or the kernel's own address is ready
	}
	if came {
		m.held[address] = true
	} else {
		delete(m.held, address)
	}
	m.moved = append(m.moved, now)
	close(m.more)
	m.more = make(chan struct{})
}

// wait waits until the director has all of the addresses, or none of them.
func (m *moves) wait(what string, all []netip.Addr, held bool) {
	m.t.Helper()
	for late := time.After(patience); ; {
		m.mu.Lock()
		n, more := 0, m.more
		for _, a := range all {
			if m.held[a] {
				n++
			}
		}
		m.mu.Unlock()
		if held && n == len(all) || !held && n == 0 {
			return
		}
		select {
		case <-more:
		case <-late:
			m.t.Fatalf("%s: %s has %d of %d VIPs", what, m.name, n, len(all))
		}
	}
}

// span returns how many addresses moved since from, and the time from the first
// to the last of them.
func (m *moves) span(from time.Time) (n int, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, at := range m.moved {
		if !at.Before(from) {
			last := m.moved[len(m.moved)-1]
			return len(m.moved) - i, last.Sub(at)
		}
	}
	return 0, 0
}
