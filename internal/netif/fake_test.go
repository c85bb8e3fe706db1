// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// fakeKernel models what the kernel does with addresses: an IPv4 address in the subnet of an earlier one with the same
// mask is secondary and, unless promoted, goes when its primary goes; IPv6 knows an address whatever its prefix length.
type fakeKernel struct {
	devices   []link
	entries   []entry
	promote   bool // promote_secondaries
	refusing  map[Address]error
	refused   []netip.Addr
	settings  map[string]string
	kept      []Route
	nextIndex int
	said      []parsedRule
	history   []string // what was done, in order
}

func (f *fakeKernel) links() (snapshot, error) { return newSnapshot(slices.Clone(f.devices)), nil }

func (f *fakeKernel) addresses(snapshot, []int) ([]entry, error) { return slices.Clone(f.entries), nil }

func (f *fakeKernel) routes(snapshot) ([]Route, error) { return slices.Clone(f.kept), nil }

func (f *fakeKernel) rules() ([]parsedRule, error) { return slices.Clone(f.said), nil }

func (f *fakeKernel) get(path string) (string, error) {
	if value, ok := f.settings[path]; ok {
		return value, nil
	}
	return "0", nil
}

func (f *fakeKernel) set(path, value string) error {
	f.history = append(f.history, "set "+path+" "+value)
	f.settings[path] = value
	return nil
}

func (f *fakeKernel) refuse(addrs []netip.Addr) error {
	if !slices.Equal(f.refused, addrs) {
		f.history = append(f.history, fmt.Sprint("refuse ", addrs))
	}
	f.refused = addrs
	return nil
}

func (f *fakeKernel) Close() error { return nil }

func (f *fakeKernel) apply(s snapshot, ops []operation) []error {
	failed := make([]error, len(ops))
	for i, o := range ops {
		switch o := o.(type) {
		case op:
			failed[i] = f.perform(o)
			f.history = append(f.history, fmt.Sprint(o.kind, " ", o.lease))
		case linkOp:
			failed[i] = f.performLink(s, o)
			f.history = append(f.history, fmt.Sprint(o.kind, " ", o.mac.Name))
		case routeOp:
			failed[i] = f.performRoute(o)
			f.history = append(f.history, verb(o.remove)+" route "+o.route.String())
		case ruleOp:
			failed[i] = f.performRule(o)
			f.history = append(f.history, verb(o.remove)+" rule "+o.rule.String())
		}
	}
	return failed
}

func verb(remove bool) string {
	if remove {
		return "remove"
	}
	return "add"
}

func (f *fakeKernel) performLink(s snapshot, o linkOp) error {
	at := slices.IndexFunc(f.devices, func(l link) bool { return l.name == o.mac.Name })
	switch {
	case o.kind == linkCreate && at >= 0:
		return refusal{errno: unix.EEXIST}
	case o.kind == linkCreate:
		f.nextIndex++
		f.devices = append(f.devices, link{
			index: 100 + f.nextIndex, name: o.mac.Name, kind: macvlan,
			base: s.index(o.mac.Interface), hardware: o.mac.HardwareAddr,
		})
	case at < 0:
		return refusal{errno: unix.ENODEV}
	case o.kind == linkDelete:
		f.devices = slices.Delete(f.devices, at, at+1)
		f.entries = slices.DeleteFunc(f.entries, func(e entry) bool { return e.Interface == o.mac.Name })
	case o.kind == linkUp:
		f.devices[at].flags |= unix.IFF_UP
	case o.kind == linkDown:
		f.devices[at].flags &^= unix.IFF_UP
	}
	return nil
}

func (f *fakeKernel) performRoute(o routeOp) error {
	at := slices.Index(f.kept, o.route)
	switch {
	case o.remove && at < 0:
		return refusal{errno: unix.ESRCH}
	case o.remove:
		f.kept = slices.Delete(f.kept, at, at+1)
	default:
		f.kept = append(f.kept, o.route)
	}
	return nil
}

func (f *fakeKernel) performRule(o ruleOp) error {
	x := parsedRule{rule: o.rule, protocol: Protocol, plain: true}
	at := slices.Index(f.said, x)
	switch {
	case o.remove && at < 0:
		return refusal{errno: unix.ENOENT}
	case o.remove:
		f.said = slices.Delete(f.said, at, at+1)
	default:
		f.said = append(f.said, x)
	}
	return nil
}

func (f *fakeKernel) perform(o op) error {
	if err := f.refusing[o.lease.Address]; err != nil {
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
		e := &f.entries[len(f.entries)-1]
		e.label, e.scope = o.lease.label(), o.lease.Scope
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
	f.entries = append(f.entries, entry{Address: a, flags: flags, label: Lease{Address: a}.label()})
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
		o[a] = 0
	}
	return o
}

// prefixes lets cmp compare the types of net/netip.
var prefixes = cmp.Options{
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

// names returns the addresses in a stable order.
func (o ownership) names() []Address {
	return slices.SortedFunc(maps.Keys(o), func(a, b Address) int {
		if c := strings.Compare(a.Interface, b.Interface); c != 0 {
			return c
		}
		return a.Prefix.Compare(b.Prefix)
	})
}
