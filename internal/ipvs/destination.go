// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"cmp"
	"fmt"
	"net/netip"
)

// MaxWeight is the greatest weight of a destination. The kernel stores any int that is not negative; ipvsadm and
// schedulers that multiply weights (wlc, sed) are made for 16 bits.
const MaxWeight = 65535

// A Destination is a real server of a service. Its address and port say which one it is. It is comparable.
type Destination struct {
	Address        netip.AddrPort
	Forward        Forward
	Weight         int    // 0 to MaxWeight; 0 gets no new connections and keeps the established ones
	UpperThreshold uint32 // connections from which on it gets no new ones; 0: no limit
	LowerThreshold uint32 // connections below which it gets new ones again; at most UpperThreshold; 0: three quarters of it
}

// A DestinationKey says which destination of which service is meant. It is comparable.
type DestinationKey struct {
	Service ServiceKey
	Address netip.AddrPort
}

// Connections counts the connections of a destination, as the kernel does.
type Connections struct {
	Active     uint32 // TCP: established; UDP: none
	Inactive   uint32 // all others that have not timed out
	Persistent uint32 // persistence templates
}

func (d Destination) normalize() Destination {
	d.Address = unmap(d.Address)
	return d
}

// check tells what the kernel's messages cannot carry, or the kernel would take silently for something else.
func (d Destination) check() error {
	if d.Weight < 0 || d.Weight > MaxWeight {
		return fmt.Errorf("weight %d: want 0 to %d", d.Weight, MaxWeight)
	}
	return cmp.Or(checkAddress(d.Address), d.Forward.check())
}

// describe returns the destination's attributes for people: "masquerade weight 100".
func (d Destination) describe() string {
	text := fmt.Sprintf("%v weight %d", d.Forward, d.Weight)
	if d.UpperThreshold != 0 || d.LowerThreshold != 0 {
		text += fmt.Sprintf(" thresholds %d-%d", d.LowerThreshold, d.UpperThreshold)
	}
	return text
}
