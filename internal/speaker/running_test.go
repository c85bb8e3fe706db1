// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// running is a Speaker at work on a fake host.
type running struct {
	*host
	t        *testing.T
	commands chan Command
	log
	done   chan error
	cancel context.CancelFunc
}

// log is the events of a speaker so far.
type log struct {
	mu     sync.Mutex
	events []Event
}

func (l *log) follow(events <-chan Event) {
	for e := range events {
		l.take(e)
	}
}

func (l *log) take(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// start runs a speaker on h; prepare is called before.
func start(t *testing.T, h *host, prepare ...func(*Speaker)) *running {
	t.Helper()
	events := make(chan Event)
	r := &running{host: h, t: t, commands: make(chan Command), done: make(chan error, 1)}
	s := New(h.system(), r.commands, events)
	for _, p := range prepare {
		p(s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() {
		r.done <- s.Run(ctx)
		close(events)
	}()
	go r.follow(events)
	t.Cleanup(func() {
		cancel()
		if err := <-r.done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return r
}

// configure makes the speaker run instances.
func (r *running) configure(instances ...Instance) { r.commands <- Configure{Instances: instances} }

// status asks for the status of an instance.
func (r *running) status(name string) InstanceStatus {
	r.t.Helper()
	before := len(seen[Status](&r.log))
	r.commands <- Query{}
	synctest.Wait()
	answers := seen[Status](&r.log)
	if len(answers) != before+1 {
		r.t.Fatalf("%d answers to a query", len(answers)-before)
	}
	for _, i := range answers[before].Instances {
		if i.Config.Name == name {
			return i
		}
	}
	r.t.Fatalf("status has no instance %s", name)
	return InstanceStatus{}
}

// seen returns the events of one type so far.
func seen[E Event](l interface{ all() []Event }) []E {
	var of []E
	for _, e := range l.all() {
		if e, ok := e.(E); ok {
			of = append(of, e)
		}
	}
	return of
}

func (l *log) all() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// masters returns which instances are master by the events so far, sorted.
func masters(l interface{ all() []Event }) []string {
	var names []string
	for _, t := range seen[Transition](l) {
		names = slices.DeleteFunc(names, func(n string) bool { return n == t.Instance })
		if t.To == vrrp.Master {
			names = append(names, t.Instance)
		}
	}
	slices.Sort(names)
	return names
}

func instanceOf(priority uint8, addresses ...string) Instance {
	i := Instance{Name: "web", Interface: "eth0", VRID: 51, Version: vrrp.Version3, Priority: priority, AdvertInterval: time.Second, Preempt: true, Lease: 6 * time.Second, Announce: netif.Schedule{Count: 5, Interval: 25 * time.Millisecond, Delay: 5 * time.Second}}
	for _, a := range addresses {
		i.Addresses = append(i.Addresses, vipOn("eth0", a))
	}
	return i
}

func vipOn(ifname, prefix string) VIP {
	return VIP{Address: netif.Address{Interface: ifname, Prefix: netip.MustParsePrefix(prefix)}}
}

// briefly is how long two hosts may hold a VIP when it moves.
const briefly = vrrp.Linger + 20*time.Millisecond

// newPair starts a speaker on each of two hosts with the interfaces eth0 and
// eth1.
func newPair(t *testing.T) (net *segment, a, b *running) {
	t.Helper()
	net = &segment{}
	for n, r := range []**running{&a, &b} {
		h := newHost(net, []string{"192.0.2.1", "192.0.2.2"}[n])
		h.back = interfaceOf("eth1", 3, []string{"10.0.0.1", "10.0.0.2"}[n], []string{"fe80::11", "fe80::12"}[n])
		*r = start(t, h)
	}
	return net, a, b
}

// wantMaster checks that the instances of one speaker are masters and that it
// alone holds VIPs.
func wantMaster(t *testing.T, r, other *running, names ...string) {
	t.Helper()
	if got := masters(r); !slices.Equal(got, names) {
		t.Errorf("masters on the one host: %v, want %v", got, names)
	}
	if got := masters(other); len(got) != 0 {
		t.Errorf("masters on the other host: %v, want none", got)
	}
	if r.vipCount() == 0 || other.vipCount() != 0 {
		t.Errorf("%d VIPs on the one host, %d on the other; want all on the one", r.vipCount(), other.vipCount())
	}
}
