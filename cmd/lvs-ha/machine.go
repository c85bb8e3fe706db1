// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"net/netip"
	"os/user"
	"strconv"
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

// UserExists implements config.Host. Any number can be a user, named or not.
func (machine) UserExists(name string) bool {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return true
	}
	_, err := user.Lookup(name)
	return err == nil
}
