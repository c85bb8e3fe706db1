// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Fake is an IPVS table in memory for tests: it answers as the kernel does. Safe for concurrent use.
type Fake struct {
	mu       sync.Mutex
	services map[ServiceKey]*fakeService
	counts   map[DestinationKey]Connections
	refuse   func(Op) error
	applied  []Op
}

type fakeService struct {
	service      Service
	destinations map[netip.AddrPort]Destination
}

// NewFake returns a fake that holds the table t.
func NewFake(t Table) *Fake {
	f := &Fake{counts: make(map[DestinationKey]Connections)}
	f.Replace(t)
	return f
}

// Replace sets the table as somebody else would behind our back (ipvsadm -C, ipvsadm -R).
func (f *Fake) Replace(t Table) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.services = make(map[ServiceKey]*fakeService)
	for _, e := range t.Normalize() {
		s := &fakeService{e.Service, make(map[netip.AddrPort]Destination)}
		for _, d := range e.Destinations {
			s.destinations[d.Address] = d
		}
		f.services[e.Service.Key] = s
	}
}

// SetConnections sets the counts that a snapshot reports for a destination while it exists.
func (f *Fake) SetConnections(key DestinationKey, c Connections) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[key] = c
}

// Refuse makes operations fail for which the function returns an error; nil ends that.
func (f *Fake) Refuse(refuse func(Op) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = refuse
}

// Applied returns the operations carried out so far, in order, without those that failed.
func (f *Fake) Applied() []Op {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.applied)
}

// Snapshot is [Kernel.Snapshot].
func (f *Fake) Snapshot(ctx context.Context) (Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return Snapshot{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	snap := Snapshot{Connections: make(map[DestinationKey]Connections)}
	for key, s := range f.services {
		e := Entry{Service: s.service}
		for _, d := range s.destinations {
			e.Destinations = append(e.Destinations, d)
			dk := DestinationKey{Service: key, Address: d.Address}
			snap.Connections[dk] = f.counts[dk]
		}
		snap.Table = append(snap.Table, e)
	}
	snap.Table = snap.Table.Normalize()
	return snap, nil
}

// Apply is [Kernel.Apply].
func (f *Fake) Apply(ctx context.Context, ops []Op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, op := range ops {
		if err := f.apply(op); err != nil {
			errs = append(errs, &OpError{op, err})
			continue
		}
		f.applied = append(f.applied, op)
	}
	return errors.Join(errs...)
}

// Close is [Kernel.Close]: the table stays as it is.
func (f *Fake) Close() error { return nil }

func (f *Fake) apply(op Op) error {
	if _, err := request(op); err != nil {
		return err // what the kernel's messages cannot say
	}
	if f.refuse != nil {
		if err := f.refuse(op); err != nil {
			return err
		}
	}
	switch o := op.(type) {
	case AddService:
		s := o.Service.normalize()
		if f.services[s.Key] != nil {
			return unix.EEXIST
		}
		f.services[s.Key] = &fakeService{s, make(map[netip.AddrPort]Destination)}
	case EditService:
		s := o.Service.normalize()
		if f.services[s.Key] == nil {
			return unix.ESRCH
		}
		f.services[s.Key].service = s
	case DeleteService:
		if f.services[o.Key.normalize()] == nil {
			return unix.ESRCH
		}
		delete(f.services, o.Key.normalize())
	case AddDestination:
		return f.setDestination(o.Service, o.Destination, false)
	case EditDestination:
		return f.setDestination(o.Service, o.Destination, true)
	case DeleteDestination:
		s := f.services[o.Service.normalize()]
		if s == nil {
			return unix.ESRCH
		}
		if _, exists := s.destinations[unmap(o.Address)]; !exists {
			return unix.ENOENT
		}
		delete(s.destinations, unmap(o.Address))
	}
	return nil
}

func (f *Fake) setDestination(key ServiceKey, d Destination, exists bool) error {
	key, d = key.normalize(), d.normalize()
	s := f.services[key]
	if s == nil {
		return unix.ESRCH
	}
	if key.Address.Addr().Is4() != d.Address.Addr().Is4() && d.Forward != Tunnel {
		return unix.EINVAL
	}
	if d.LowerThreshold > d.UpperThreshold {
		return unix.ERANGE
	}
	switch _, found := s.destinations[d.Address]; {
	case exists && !found:
		return unix.ENOENT
	case !exists && found:
		return unix.EEXIST
	}
	s.destinations[d.Address] = d
	return nil
}
