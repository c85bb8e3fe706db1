// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"fmt"
	"net/netip"
	"strings"
)

// An Op is one change of the table: a plain, comparable value. Its String says what it does, for people.
type Op interface {
	fmt.Stringer
	op() // the set of operations is closed
}

// AddService creates a service, without destinations.
type AddService struct{ Service Service }

// EditService changes attributes of a service; its destinations and connections stay. Before is what they were.
type EditService struct{ Before, Service Service }

// DeleteService removes a service and all its destinations.
type DeleteService struct{ Key ServiceKey }

// AddDestination adds a destination to a service.
type AddDestination struct {
	Service     ServiceKey
	Destination Destination
}

// EditDestination changes attributes of a destination; its connections stay. Before is what they were.
type EditDestination struct {
	Service             ServiceKey
	Before, Destination Destination
}

// DeleteDestination removes a destination from a service.
type DeleteDestination struct {
	Service ServiceKey
	Address netip.AddrPort
}

func (AddService) op()        {}
func (EditService) op()       {}
func (DeleteService) op()     {}
func (AddDestination) op()    {}
func (EditDestination) op()   {}
func (DeleteDestination) op() {}

// String returns for example "add service tcp 192.0.2.10:80 wlc".
func (o AddService) String() string {
	return fmt.Sprintf("add service %v %s", o.Service.Key, o.Service.describe())
}

// String returns for example "change service tcp 192.0.2.10:80 from wlc to wrr".
func (o EditService) String() string {
	return fmt.Sprintf("change service %v from %s to %s", o.Service.Key, o.Before.describe(), o.Service.describe())
}

// String returns for example "delete service tcp 192.0.2.10:80".
func (o DeleteService) String() string { return fmt.Sprintf("delete service %v", o.Key) }

// String returns for example "add 10.0.1.11:80 masquerade weight 100 to tcp 192.0.2.10:80".
func (o AddDestination) String() string {
	return fmt.Sprintf("add %v %s to %v", o.Destination.Address, o.Destination.describe(), o.Service)
}

// String names what changes, for example "set weight 0 of 10.0.1.11:80 in tcp 192.0.2.10:80".
func (o EditDestination) String() string {
	var changes []string
	before, after := o.Before, o.Destination
	if after.Forward != before.Forward {
		changes = append(changes, "forward "+after.Forward.String())
	}
	if after.Weight != before.Weight {
		changes = append(changes, fmt.Sprintf("weight %d", after.Weight))
	}
	if after.UpperThreshold != before.UpperThreshold {
		changes = append(changes, fmt.Sprintf("upper threshold %d", after.UpperThreshold))
	}
	if after.LowerThreshold != before.LowerThreshold {
		changes = append(changes, fmt.Sprintf("lower threshold %d", after.LowerThreshold))
	}
	return fmt.Sprintf("set %s of %v in %v", strings.Join(changes, ", "), after.Address, o.Service)
}

// String returns for example "delete 10.0.1.11:80 from tcp 192.0.2.10:80".
func (o DeleteDestination) String() string {
	return fmt.Sprintf("delete %v from %v", o.Address, o.Service)
}
