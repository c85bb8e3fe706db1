// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// kernel is what a Keeper needs of the kernel.
type kernel interface {
	// snapshot reads all links and addresses.
	snapshot() (snapshot, error)
	// apply performs the operations in order, on the links of s, and returns an error or nil for each of them.
	apply(s snapshot, ops []op) []error
	Close() error
}

// Keeper makes the VIPs in the kernel match what is wanted. It touches only addresses that its journal names.
// It is not safe for concurrent use: one goroutine owns it. Its calls wait for the kernel's network configuration lock
// (RTNL), which another program may hold for some time.
type Keeper struct {
	kernel  kernel
	journal *journal
}

// OpenKeeper returns the keeper of the VIPs of the calling thread's network namespace. The file at journalPath, in a
// folder that exists, says which addresses an earlier process left behind; a missing file means none. Addresses can be
// changed only with CAP_NET_ADMIN.
func OpenKeeper(journalPath string) (*Keeper, error) {
	j, err := openJournal(journalPath)
	if err != nil {
		return nil, err
	}
	k, err := dialRTNetlink()
	if err != nil {
		return nil, err
	}
	return &Keeper{kernel: k, journal: j}, nil
}

// Close releases the keeper's socket. It leaves the VIPs to their leases.
func (k *Keeper) Close() error { return k.kernel.Close() }

// Hold makes the wanted leases, and only these, what this director holds: it adds those that are missing, renews those
// that are there, and removes what is ours and not wanted. A wanted address that somebody else has put on the
// interface is left to them.
//
// One address that fails does not stop the others. Nor does a journal that cannot be written, since service now is
// worth more than a tidy restart: the addresses are then gone with their leases. All errors come back joined; the
// changes are those that were made.
func (k *Keeper) Hold(want []Lease) (Changes, error) {
	s, err := k.kernel.snapshot()
	if err != nil {
		return Changes{}, err
	}
	want, failed := usable(want, s)
	ops := plan(want, s.addresses, k.journal.owned)
	done := Changes{Foreign: foreignOf(want, s.addresses, k.journal.owned)}

	owned := make(ownership)
	for _, o := range ops {
		if o.kind != opRestore {
			owned[o.lease.Address] = struct{}{}
		}
	}
	failed = append(failed, k.journal.record(owned))

	settled := make(ownership)
	for i, err := range k.kernel.apply(s, ops) {
		o := ops[i]
		err = o.judge(err)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s address %s: %w", o.kind, o.lease, err))
		}
		switch {
		case o.kind == opRemove && err == nil:
			done.Removed = append(done.Removed, o.lease.Address)
		case o.kind == opAdd && err == nil:
			done.Added = append(done.Added, o.lease.Address)
			settled[o.lease.Address] = struct{}{}
		case o.kind == opRemove, o.kind == opRenew, o.kind == opAdd && !refused(err):
			settled[o.lease.Address] = struct{}{}
		}
	}
	failed = append(failed, k.journal.record(settled))
	return done, errors.Join(failed...)
}

// usable returns the leases that can be held, and an error for each of the others.
func usable(want []Lease, s snapshot) ([]Lease, []error) {
	var ok []Lease
	var failed []error
	for _, l := range want {
		switch {
		case !l.Prefix.IsValid() || l.Prefix.Addr().Is4In6():
			failed = append(failed, fmt.Errorf("add address %s: not an IPv4 or IPv6 prefix", l))
		case s.index(l.Interface) == 0:
			failed = append(failed, fmt.Errorf("add address %s: no such interface", l))
		default:
			ok = append(ok, l)
		}
	}
	return ok, failed
}

// judge returns what the kernel's answer means for the operation: what is gone need not be removed, and what survived
// need not be put back.
func (o op) judge(err error) error {
	switch {
	case o.kind == opRemove && (errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV)):
		return nil
	case o.kind == opRestore && errors.Is(err, unix.EEXIST):
		return nil
	case errors.Is(err, unix.EACCES) && o.lease.Prefix.Addr().Is6():
		return fmt.Errorf("%w (is net.ipv6.conf.%s.disable_ipv6 set?)", err, o.lease.Interface)
	case errors.Is(err, unix.EOPNOTSUPP) && o.lease.Prefix.Addr().Is6():
		return fmt.Errorf("%w (this kernel has no IPv6; is its module loaded?)", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (this needs CAP_NET_ADMIN)", err)
	}
	return err
}
