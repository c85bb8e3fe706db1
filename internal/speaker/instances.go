// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/lvs-ha/lvs-ha/internal/netif"
)

// instanceOf returns the instance that an address is a VIP of, or nil.
func (s *Speaker) instanceOf(a netip.Addr, ifname string) *instance {
	for _, i := range s.instances {
		for v := range i.config.vips() {
			if v.Prefix.Addr() == a && v.Interface == ifname {
				return i
			}
		}
	}
	return nil
}

// router is what a packet is for.
type router struct {
	wire
	vrid uint8
}

func (s *Speaker) index() {
	clear(s.routers)
	clear(s.machines)
	for _, i := range s.instances {
		s.machines[i.machine] = i
		for f := range i.groups {
			s.routers[router{wire{i.config.Interface, f}, i.config.VRID}] = i
		}
	}
}

// forget drops the instances that were told to leave and have, VIPs included,
// and reports whether there were any.
func (s *Speaker) forget() bool {
	gone := func(i *instance) bool {
		return i.leaving && !i.running() && !s.dirty && !s.keeper.busy
	}
	if !slices.ContainsFunc(s.instances, gone) {
		return false
	}
	s.instances = slices.DeleteFunc(s.instances, gone)
	s.index()
	s.closeUnusedConns()
	return true
}

func (s *Speaker) status() Status {
	st := Status{Instances: make([]InstanceStatus, 0, len(s.instances)), Unclaimed: make(map[string]map[string]uint64)}
	for ifname, counts := range s.strays {
		st.Unclaimed[ifname] = maps.Clone(counts)
	}
	for _, i := range s.instances {
		is := i.status()
		is.Held = s.present(i)
		st.Instances = append(st.Instances, is)
	}
	return st
}

// present returns the VIPs of an instance that are in the kernel.
func (s *Speaker) present(i *instance) []netif.Address {
	var present []netif.Address
	for v := range i.config.vips() {
		if s.held[v.Address] {
			present = append(present, v.Address)
		}
	}
	return present
}
