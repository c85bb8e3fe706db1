// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// watchGroups are the multicast groups of link and address changes (linux/rtnetlink.h).
	watchGroups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR
	// watchBuffer is the size in bytes of the receive buffer: some thousand changes at once.
	watchBuffer = 4 << 20
	// resubscribeDelay is the pause between the end of a subscription and the next one. The storm of changes that
	// ended the first may then pass.
	resubscribeDelay = 100 * time.Millisecond
)

// subscription receives the kernel's notifications.
type subscription interface {
	Receive() ([]netlink.Message, error)
	Close() error
}

// Watcher tells when links or addresses have changed. The renewal of a lease is a notification of the kernel too, but not
// a change: a reader may answer every change with [Keeper.Hold]. Use [NewWatcher].
type Watcher struct {
	subscribe func() (subscription, error)
	changed   chan struct{}
}

// NewWatcher returns a watcher, which works while its Run does.
func NewWatcher() *Watcher {
	return &Watcher{subscribe: subscribe, changed: make(chan struct{}, 1)}
}

// Changed returns the channel that has a value after changes; several changes may share one.
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

// Run watches the network namespace of the calling thread until ctx ends, and returns nil then. It returns an error only
// when it cannot subscribe in the first place. A subscription that breaks (the kernel gives up on a receiver that is
// too slow, ENOBUFS) is replaced; since changes may be missed without one, each new subscription counts as a change.
func (w *Watcher) Run(ctx context.Context) error {
	s, err := w.subscribe()
	if err != nil {
		return err
	}
	for {
		w.receive(ctx, s)
		for s = nil; s == nil; {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(resubscribeDelay):
			}
			if next, err := w.subscribe(); err == nil {
				s = next
			}
		}
	}
}

// receive notifies of the subscription itself and of every change until the subscription breaks or ctx ends. It closes the
// subscription.
func (w *Watcher) receive(ctx context.Context, s subscription) {
	unblock := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer func() {
		unblock()
		_ = s.Close() // closing twice is harmless
	}()
	w.notify()
	known := newSightings()
	for {
		messages, err := s.Receive()
		if err != nil {
			return
		}
		for _, m := range messages {
			if known.changedBy(m) {
				w.notify()
			}
		}
	}
}

func (w *Watcher) notify() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// newsOnly drops the notifications of deprecated addresses in the kernel already: hundreds of leases may be renewed each
// second, and whoever adds such an address knows it.
func newsOnly() ([]bpf.RawInstruction, error) {
	var newAddress [2]byte // BPF reads the field in network byte order, netlink writes it in the machine's
	binary.NativeEndian.PutUint16(newAddress[:], unix.RTM_NEWADDR)
	return bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 4, Size: 2}, // nlmsghdr.nlmsg_type
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(binary.BigEndian.Uint16(newAddress[:])), SkipTrue: 3},
		bpf.LoadAbsolute{Off: unix.SizeofNlMsghdr + 2, Size: 1}, // ifaddrmsg.ifa_flags
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: unix.IFA_F_DEPRECATED, SkipFalse: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: watchBuffer},
	})
}

// subscribe opens a socket that receives the watched groups.
func subscribe() (subscription, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: watchGroups})
	if err != nil {
		return nil, fmt.Errorf("subscribe to changes of links and addresses: %w", err)
	}
	if err := conn.SetReadBuffer(watchBuffer); err != nil {
		return nil, errors.Join(fmt.Errorf("set receive buffer of route netlink socket: %w", err), conn.Close())
	}
	filter, err := newsOnly()
	if err == nil {
		err = conn.SetBPF(filter)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("filter route netlink socket: %w", err), conn.Close())
	}
	return conn, nil
}

// sightings is what the notifications said last about each link and address, to tell news from repetition.
type sightings struct {
	links     map[int]link
	addresses map[sighting]uint32 // flags
}

type sighting struct {
	index  int
	prefix netip.Prefix
}

func newSightings() *sightings {
	return &sightings{links: make(map[int]link), addresses: make(map[sighting]uint32)}
}

// changedBy takes note of a notification and reports whether it is news. One that cannot be read is.
func (s *sightings) changedBy(m netlink.Message) bool {
	switch m.Header.Type {
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		a, err := parseAddress(m.Data)
		if err != nil {
			return true
		}
		k := sighting{a.index, a.prefix}
		if m.Header.Type == unix.RTM_DELADDR {
			delete(s.addresses, k)
			return true
		}
		flags, ok := s.addresses[k]
		s.addresses[k] = a.flags
		return !ok || flags != a.flags
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		if len(m.Data) > 0 && m.Data[0] != unix.AF_UNSPEC {
			return false // a bridge port's state: joining and leaving a bridge looks like a new and a deleted link
		}
		l, err := parseLink(m.Data)
		if err != nil {
			return true
		}
		if m.Header.Type == unix.RTM_DELLINK {
			delete(s.links, l.index)
			return true
		}
		last, ok := s.links[l.index]
		s.links[l.index] = l
		return !ok || last.name != l.name || last.flags&up != l.flags&up || !bytes.Equal(last.hardware, l.hardware)
	}
	return false
}
