// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net/netip"
	"slices"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// fakeKernel models what the kernel does with addresses: an IPv4 address in the subnet of an earlier one with the same
// mask is secondary and, unless promoted, goes when its primary goes; IPv6 knows an address whatever its prefix length.
type fakeKernel struct {
	links   []link
	entries []entry
	promote bool // promote_secondaries
	refuse  map[Address]error
	applied [][]op
}

func (f *fakeKernel) snapshot() (snapshot, error) {
	return snapshot{links: f.links, addresses: slices.Clone(f.entries)}, nil
}

func (f *fakeKernel) Close() error { return nil }

func (f *fakeKernel) apply(_ snapshot, ops []op) []error {
	f.applied = append(f.applied, ops)
	failed := make([]error, len(ops))
	for i, o := range ops {
		failed[i] = f.perform(o)
	}
	return failed
}

func (f *fakeKernel) perform(o op) error {
	if err := f.refuse[o.lease.Address]; err != nil {
		return err
	}
	at := slices.IndexFunc(f.entries, func(e entry) bool { return same(e.Address, o.lease.Address) })
	switch {
	case o.kind == opRemove && at < 0:
		return refusal{errno: unix.EADDRNOTAVAIL}
	case o.kind == opRemove:
		f.remove(at)
	case o.kind == opRestore && at >= 0:
		return refusal{errno: unix.EEXIST}
	case o.kind == opRestore:
		f.add(o.lease.Address, 0)
	case at < 0:
		f.add(o.lease.Address, unix.IFA_F_DEPRECATED)
	default:
		f.entries[at].flags |= unix.IFA_F_DEPRECATED
	}
	return nil
}

// add inserts an address as the kernel would.
func (f *fakeKernel) add(a Address, flags uint32) {
	if slices.ContainsFunc(f.entries, func(e entry) bool { return siblings(e.Address, a) }) {
		flags |= unix.IFA_F_SECONDARY
	}
	f.entries = append(f.entries, entry{Address: a, flags: flags})
}

func (f *fakeKernel) remove(at int) {
	gone := f.entries[at]
	f.entries = slices.Delete(f.entries, at, at+1)
	if gone.has(unix.IFA_F_SECONDARY) {
		return
	}
	if !f.promote {
		f.entries = slices.DeleteFunc(f.entries, func(e entry) bool { return siblings(e.Address, gone.Address) })
		return
	}
	next := slices.IndexFunc(f.entries, func(e entry) bool { return siblings(e.Address, gone.Address) })
	if next >= 0 {
		f.entries[next].flags &^= unix.IFA_F_SECONDARY
	}
}

// same reports whether the kernel takes two addresses for one.
func same(a, b Address) bool {
	if a.Prefix.Addr().Is6() {
		return a.key() == b.key()
	}
	return a == b
}

// siblings reports whether two IPv4 addresses share a subnet on one interface.
func siblings(a, b Address) bool {
	return a.Prefix.Addr().Is4() && a.Interface == b.Interface && a.Prefix.Masked() == b.Prefix.Masked()
}

func addr(iface, prefix string) Address {
	return Address{Interface: iface, Prefix: netip.MustParsePrefix(prefix)}
}

func owning(addrs ...Address) ownership {
	o := make(ownership)
	for _, a := range addrs {
		o[a] = struct{}{}
	}
	return o
}

// prefixes lets cmp compare the types of net/netip.
var prefixes = cmp.Options{
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}
