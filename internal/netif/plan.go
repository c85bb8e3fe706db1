// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"slices"

	"golang.org/x/sys/unix"
)

// opKind is what an op does.
type opKind uint8

const (
	opRemove  opKind = iota // remove an address of ours
	opRestore               // put back an address of somebody else that an opRemove before it may have taken along
	opAdd                   // add an address
	opRenew                 // renew an address of ours, or put it back if an opRemove before it took it along
)

// String returns the verb of an error message.
func (k opKind) String() string {
	return [...]string{"remove", "put back", "add", "renew"}[k]
}

// op is one change of an address in the kernel.
type op struct {
	kind  opKind
	lease Lease
	raw   []byte // opRestore: the kernel's own description of the address
}

// plan returns the operations, in order, that turn what the kernel has into what is wanted, as far as it is ours, and the
// wanted addresses that somebody else has put there.
//
// A wanted IP address that somebody else has put on the interface stays theirs, whatever its prefix length. Of leases
// for the same IP address on the same interface the first one counts.
//
// Removing an IPv4 primary takes its secondaries along, unless promote_secondaries is set. So removals come first;
// then the secondaries of others that may have gone are put back, then every wanted address is added or renewed,
// which puts back those of ours.
func plan(want []Lease, have []entry, owned ownership) (ops []op, theirs []Address) {
	ours := make(map[Address]entry)
	foreign := make(map[key]bool)
	for _, e := range have {
		if owned.owns(e) {
			ours[e.Address] = e
		} else {
			foreign[e.key()] = true
		}
	}

	var upserts []op
	wanted := make(map[Address]bool)
	seen := make(map[key]bool)
	for _, l := range want {
		if seen[l.key()] {
			continue
		}
		seen[l.key()] = true
		e, held := ours[l.Address]
		switch {
		case held && e.shows(l):
			wanted[l.Address] = true
			upserts = append(upserts, op{kind: opRenew, lease: l})
		case foreign[l.key()]:
			theirs = append(theirs, l.Address)
		default:
			upserts = append(upserts, op{kind: opAdd, lease: l})
		}
	}

	var removals, restorations []op
	secondaries := foreignSecondaries(have, owned)
	for _, e := range have {
		if _, held := ours[e.Address]; held && !wanted[e.Address] {
			removals = append(removals, op{kind: opRemove, lease: Lease{Address: e.Address}})
			restorations = append(restorations, restore(e, secondaries)...)
		}
	}
	return slices.Concat(removals, restorations, upserts), theirs
}

// foreignSecondaries returns the IPv4 secondaries of others.
func foreignSecondaries(have []entry, owned ownership) []entry {
	var found []entry
	for _, e := range have {
		if e.Prefix.Addr().Is4() && e.has(unix.IFA_F_SECONDARY) && !owned.owns(e) {
			found = append(found, e)
		}
	}
	return found
}

// restore returns the operations that put back the secondaries that removing gone may take along.
func restore(gone entry, secondaries []entry) []op {
	if !gone.Prefix.Addr().Is4() || gone.has(unix.IFA_F_SECONDARY) {
		return nil
	}
	var ops []op
	for _, e := range secondaries {
		if e.Interface == gone.Interface && e.Prefix.Masked() == gone.Prefix.Masked() {
			ops = append(ops, op{kind: opRestore, lease: Lease{Address: e.Address}, raw: e.raw})
		}
	}
	return ops
}
