// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// filteredDumps is how many interfaces have their addresses read one by one; of more than that all are read at once.
const filteredDumps = 16

// skipStatistics keeps the statistics out of the description of a link, most of which they are
// (RTEXT_FILTER_SKIP_STATS, linux/rtnetlink.h).
const skipStatistics = 1 << 3

// links implements kernel.
func (r *rtnetlink) links() (snapshot, error) {
	request := append(make([]byte, unix.SizeofIfInfomsg), attribute(unix.IFLA_EXT_MASK, skipStatistics)...)
	messages, err := r.dump(unix.RTM_GETLINK, request)
	if err != nil {
		return snapshot{}, fmt.Errorf("read network interfaces: %w", err)
	}
	var links []link
	for _, m := range messages {
		l, err := parseLink(m.Data)
		if err != nil {
			return snapshot{}, fmt.Errorf("read network interfaces: %w", err)
		}
		links = append(links, l)
	}
	return newSnapshot(links), nil
}

// addresses implements kernel.
func (r *rtnetlink) addresses(s snapshot, on []int) ([]entry, error) {
	if len(on) > filteredDumps {
		return r.addressesOf(s, 0)
	}
	var all []entry
	for _, index := range on {
		entries, err := r.addressesOf(s, index)
		if err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	return all, nil
}

// allAddresses returns the addresses of all links.
func (r *rtnetlink) allAddresses(s snapshot) ([]entry, error) { return r.addressesOf(s, 0) }

// addressesOf returns the addresses of one link, or of all for index 0.
func (r *rtnetlink) addressesOf(s snapshot, index int) ([]entry, error) {
	request := make([]byte, unix.SizeofIfAddrmsg)
	binary.NativeEndian.PutUint32(request[4:], uint32(index))
	messages, err := r.dump(unix.RTM_GETADDR, request)
	if errors.Is(err, unix.ENODEV) {
		return nil, nil // gone since the links were read
	}
	if err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	var entries []entry
	for _, m := range messages {
		a, err := parseAddress(m.Data)
		if err != nil {
			return nil, fmt.Errorf("read addresses: %w", err)
		}
		if name := s.name(a.index); name != "" { // else on a link that appeared since the links were read
			entries = append(entries, entry{Address{name, a.prefix}, a.flags, a.label, a.scope, m.Data})
		}
	}
	return entries, nil
}

// routes implements kernel.
func (r *rtnetlink) routes(s snapshot) ([]Route, error) {
	var ours []Route
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		request := make([]byte, unix.SizeofRtMsg)
		request[0], request[5] = family, Protocol
		messages, err := r.dump(unix.RTM_GETROUTE, request)
		if errors.Is(err, unix.EOPNOTSUPP) {
			continue // a kernel without this family
		}
		if err != nil {
			return nil, fmt.Errorf("read routes: %w", err)
		}
		for _, m := range messages {
			x, err := parseRoute(m.Data)
			if err != nil {
				return nil, fmt.Errorf("read routes: %w", err)
			}
			if x.protocol == Protocol && x.unicast {
				x.route.Interface = s.name(x.index)
				ours = append(ours, x.route)
			}
		}
	}
	return ours, nil
}

// rules implements kernel.
func (r *rtnetlink) rules() ([]parsedRule, error) {
	var all []parsedRule
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		request := make([]byte, sizeofRuleHeader)
		request[0] = family
		messages, err := r.dump(unix.RTM_GETRULE, request)
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
			continue // a kernel without rules of this family
		}
		if err != nil {
			return nil, fmt.Errorf("read routing rules: %w", err)
		}
		for _, m := range messages {
			x, err := parseRule(m.Data)
			if err != nil {
				return nil, fmt.Errorf("read routing rules: %w", err)
			}
			all = append(all, x)
		}
	}
	return all, nil
}
