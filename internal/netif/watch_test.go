// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// fakeSubscription delivers what a test puts into it.
type fakeSubscription struct {
	messages chan netlink.Message
	broken   chan error
	closed   context.Context
	close    context.CancelFunc
}

func newFakeSubscription() *fakeSubscription {
	f := &fakeSubscription{messages: make(chan netlink.Message), broken: make(chan error)}
	f.closed, f.close = context.WithCancel(context.Background())
	return f
}

func (f *fakeSubscription) Receive() ([]netlink.Message, error) {
	select {
	case m := <-f.messages:
		return []netlink.Message{m}, nil
	case err := <-f.broken:
		return nil, err
	case <-f.closed.Done():
		return nil, errors.New("closed")
	}
}

func (f *fakeSubscription) Close() error {
	f.close()
	return nil
}

// take reports whether there is a notification, and takes it.
func take(w *Watcher) bool {
	select {
	case <-w.Changed():
		return true
	default:
		return false
	}
}

func addressNews(t *testing.T, kind netlink.HeaderType, a Address) netlink.Message {
	t.Helper()
	body, err := leaseMessage(7, Lease{Address: a})
	if err != nil {
		t.Fatal(err)
	}
	return netlink.Message{Header: netlink.Header{Type: kind}, Data: body}
}

func TestWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFakeSubscription(), newFakeSubscription()
		subscriptions := []func() (subscription, error){
			func() (subscription, error) { return first, nil },
			func() (subscription, error) { return nil, unix.ENOBUFS },
			func() (subscription, error) { return second, nil },
		}
		w := NewWatcher()
		w.subscribe = func() (subscription, error) {
			next := subscriptions[0]
			subscriptions = subscriptions[1:]
			return next()
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()

		expect := func(what string, want bool) {
			t.Helper()
			synctest.Wait()
			if got := take(w); got != want {
				t.Errorf("%s: notified %t, want %t", what, got, want)
			}
		}
		expect("subscribed", true)
		expect("nothing since", false)

		added := addressNews(t, unix.RTM_NEWADDR, addr("eth0", "192.0.2.10/24"))
		first.messages <- added
		expect("address added", true)
		first.messages <- added
		expect("lease renewed", false)
		first.messages <- addressNews(t, unix.RTM_DELADDR, addr("eth0", "192.0.2.10/24"))
		first.messages <- added
		first.messages <- added
		expect("removed and added", true)
		expect("several changes are one notification", false)

		first.broken <- unix.ENOBUFS
		<-w.Changed() // the second attempt to subscribe again succeeds
		if first.closed.Err() == nil {
			t.Error("the broken subscription was not closed")
		}
		second.messages <- addressNews(t, unix.RTM_NEWADDR, addr("eth0", "192.0.2.11/24"))
		expect("address added after subscribing again", true)

		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v, want nil after its context ended", err)
		}
		if second.closed.Err() == nil {
			t.Error("the subscription was not closed")
		}
	})
}

func TestWatcherThatCannotSubscribe(t *testing.T) {
	w := NewWatcher()
	w.subscribe = func() (subscription, error) { return nil, unix.EMFILE }
	if err := w.Run(t.Context()); !errors.Is(err, unix.EMFILE) {
		t.Errorf("error %v, want the one of subscribing", err)
	}
}

func TestSightingsOfLinks(t *testing.T) {
	mac, other := net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}
	s := newSightings()
	for _, step := range []struct {
		name string
		kind netlink.HeaderType
		body []byte
		news bool
	}{
		{"first seen", unix.RTM_NEWLINK, linkBody(t, unix.AF_UNSPEC, link{index: 7, name: "eth0", flags: up, hardware: mac}), true},
		{"again", unix.RTM_NEWLINK, linkBody(t, unix.AF_UNSPEC, link{index: 7, name: "eth0", flags: up, hardware: mac}), false},
		{"another flag", unix.RTM_NEWLINK, linkBody(t, unix.AF_UNSPEC, link{index: 7, name: "eth0", flags: up | unix.IFF_PROMISC, hardware: mac}), false},
		{"carrier lost", unix.RTM_NEWLINK, linkBody(t, unix.AF_UNSPEC, link{index: 7, name: "eth0", flags: unix.IFF_UP, hardware: mac}), true},
		{"another address", unix.RTM_NEWLINK, linkBody(t, unix.AF_UNSPEC, link{index: 7, name: "eth0", flags: unix.IFF_UP, hardware: other}), true},
		{"renamed", unix.RTM_NEWLINK, linkBody(t, unix.AF_UNSPEC, link{index: 7, name: "wan", flags: unix.IFF_UP, hardware: other}), true},
		{"left a bridge", unix.RTM_DELLINK, linkBody(t, unix.AF_BRIDGE, link{index: 7, name: "wan", flags: unix.IFF_UP, hardware: other}), false},
		{"gone", unix.RTM_DELLINK, linkBody(t, unix.AF_UNSPEC, link{index: 7, name: "wan", flags: unix.IFF_UP, hardware: other}), true},
		{"back", unix.RTM_NEWLINK, linkBody(t, unix.AF_UNSPEC, link{index: 7, name: "wan", flags: unix.IFF_UP, hardware: other}), true},
		{"unreadable", unix.RTM_NEWLINK, []byte{0}, true},
		{"of another kind", unix.RTM_NEWROUTE, nil, false},
	} {
		got := s.changedBy(netlink.Message{Header: netlink.Header{Type: step.kind}, Data: step.body})
		if got != step.news {
			t.Errorf("%s: news %t, want %t", step.name, got, step.news)
		}
	}
}
