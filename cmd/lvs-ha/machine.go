// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"net/netip"
)

// machine answers the validator's questions about this machine.
type machine struct{}

// InterfaceAddresses implements config.Host.
func (machine) InterfaceAddresses(name string) ([]netip.Prefix, bool) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, false
	}
	addrs, err := i.Addrs()
	if err != nil {
		return nil, true
	}
	var prefixes []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes, true
}
