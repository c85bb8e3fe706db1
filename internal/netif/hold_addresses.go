// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// holdAddresses makes the wanted leases the addresses of ours, but for those on barred interfaces.
func (p *pass) holdAddresses(want []Lease, barred map[string]bool) {
	want = p.usable(want, barred)
	have, err := p.kernel.addresses(p.links, p.concerned(want))
	if err != nil {
		p.fail(err)
		return
	}
	ops, foreign := plan(want, have, p.held.addresses)
	p.done.Foreign = foreign

	p.held.addresses = make(ownership)
	operations := make([]operation, len(ops))
	for i, o := range ops {
		operations[i] = o
		if o.kind != opRestore {
			p.own(o.lease.Address)
		}
	}
	p.record()

	outcomes := p.apply(operations)
	p.held.addresses = make(ownership)
	for i, o := range ops {
		err := outcomes[i]
		switch {
		case o.kind == opRemove && err == nil:
			p.done.Removed = append(p.done.Removed, o.lease.Address)
		case o.kind == opAdd && err == nil:
			p.done.Added = append(p.done.Added, o.lease.Address)
			p.own(o.lease.Address)
		case o.kind == opRemove, o.kind == opRenew, o.kind == opAdd && !refused(err):
			p.own(o.lease.Address)
		}
	}
	p.record()
}

func (p *pass) own(a Address) { p.held.addresses[a] = p.links.index(a.Interface) }

// usable returns the leases that can be held.
func (p *pass) usable(want []Lease, barred map[string]bool) []Lease {
	var ok []Lease
	for _, l := range want {
		switch {
		case !l.Prefix.IsValid() || l.Prefix.Addr().Is4In6():
			p.fail(fmt.Errorf("add address %s: not an IPv4 or IPv6 prefix", l))
		case barred[l.Interface]: // which has been told
		case p.links.index(l.Interface) == 0:
			p.fail(fmt.Errorf("add address %s: no such interface", l))
		default:
			ok = append(ok, l)
		}
	}
	return ok
}

// concerned returns the indexes of the links that have or shall have addresses of ours.
func (p *pass) concerned(want []Lease) []int {
	var indexes []int
	for _, l := range want {
		indexes = append(indexes, p.links.index(l.Interface))
	}
	for a := range p.held.addresses {
		indexes = append(indexes, p.links.index(a.Interface))
	}
	slices.Sort(indexes)
	indexes = slices.Compact(indexes)
	return slices.DeleteFunc(indexes, func(index int) bool { return index == 0 })
}

// outcome implements operation: what is gone need not be removed, and what survived need not be put back.
func (o op) outcome(err error) error {
	is6 := o.lease.Prefix.Addr().Is6()
	switch {
	case o.kind == opRemove && (errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV)):
		return nil
	case o.kind == opRestore && errors.Is(err, unix.EEXIST):
		return nil
	case errors.Is(err, unix.EACCES) && is6:
		err = fmt.Errorf("%w (is net.ipv6.conf.%s.disable_ipv6 set?)", err, o.lease.Interface)
	case errors.Is(err, unix.EOPNOTSUPP) && is6:
		err = fmt.Errorf("%w (this kernel has no IPv6; is its module loaded?)", err)
	}
	return fmt.Errorf("%s address %s: %w", o.kind, o.lease, explain(err))
}
