// SPDX-License-Identifier: Apache-2.0

package netif

import "golang.org/x/sys/unix"

// opKind is what an op does.
type opKind uint8

const (
	opRemove  opKind = iota // remove an address of ours
	opRestore               // put back an address of somebody else that an opRemove before it may have taken along
	opAdd                   // add an address
	opRenew                 // renew an address of ours, or put it back if an opRemove before it took it along
)

// foreignOf returns the wanted addresses that somebody else has put there.
func foreignOf(want []Lease, have []entry, owned ownership) []Address {
	foreign := make(map[key]bool)
	for _, e := range have {
		if !owned.owns(e) {
			foreign[e.key()] = true
		}
	}
	var found []Address
	for _, l := range want {
		if foreign[l.key()] {
			found = append(found, l.Address)
		}
	}
	return found
}

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

// plan returns the operations, in order, that turn what the kernel has into what is wanted, as far as it is ours.
//
// A wanted IP address that somebody else has put on the interface stays theirs, whatever its prefix length. Of leases
// for the same IP address on the same interface the first one counts.
//
// Removing an IPv4 primary takes its secondaries along, unless promote_secondaries is set. So removals come first;
// then the secondaries of others that may have gone are put back, then every wanted address is added or renewed,
// which puts back those of ours.
func plan(want []Lease, have []entry, owned ownership) []op {
	ours := make(map[Address]bool)
	foreign := make(map[key]bool)
	for _, e := range have {
		if owned.owns(e) {
			ours[e.Address] = true
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
		wanted[l.Address] = true
		switch {
		case ours[l.Address]:
			upserts = append(upserts, op{kind: opRenew, lease: l})
		case !foreign[l.key()]:
			upserts = append(upserts, op{kind: opAdd, lease: l})
		}
	}

	var removals, restorations []op
	for _, e := range have {
		if ours[e.Address] && !wanted[e.Address] {
			removals = append(removals, op{kind: opRemove, lease: Lease{Address: e.Address}})
			restorations = append(restorations, restore(e, have, owned)...)
		}
	}
	return append(append(removals, restorations...), upserts...)
}

// restore returns the operations that put back the addresses of others that removing gone may take along.
func restore(gone entry, have []entry, owned ownership) []op {
	if !gone.Prefix.Addr().Is4() || gone.has(unix.IFA_F_SECONDARY) {
		return nil
	}
	var ops []op
	for _, e := range have {
		follows := e.has(unix.IFA_F_SECONDARY) && e.Interface == gone.Interface &&
			e.Prefix.Masked() == gone.Prefix.Masked()
		if follows && e.Prefix.Addr().Is4() && !owned.owns(e) {
			ops = append(ops, op{kind: opRestore, lease: Lease{Address: e.Address}, raw: e.raw})
		}
	}
	return ops
}
