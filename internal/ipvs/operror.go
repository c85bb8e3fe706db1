// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// An OpError is an operation that was not carried out, and why: an error number of the kernel ([unix.EEXIST], ...), or what
// is wrong with the operation.
type OpError struct {
	Op  Op
	Err error
}

// Error names the operation, the reason, and where the kernel's error number says little what it means here.
func (e *OpError) Error() string {
	if meaning := meaning(e.Op, e.Err); meaning != "" {
		return fmt.Sprintf("%v: %v (%s)", e.Op, e.Err, meaning)
	}
	return fmt.Sprintf("%v: %v", e.Op, e.Err)
}

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

// meaning tells what an error number means in answer to an operation (net/netfilter/ipvs/ip_vs_ctl.c).
func meaning(op Op, err error) string {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return ""
	}
	switch errno {
	case unix.EPERM:
		return "CAP_NET_ADMIN is needed"
	case unix.EEXIST:
		return "somebody else has added it"
	case unix.ESRCH:
		return "somebody else has deleted the service"
	case unix.ENOENT:
		switch o := op.(type) {
		case AddService:
			return "the kernel has no scheduler " + o.Service.Scheduler
		case EditService:
			return "the kernel has no scheduler " + o.Service.Scheduler
		default:
			return "somebody else has deleted it"
		}
	case unix.ERANGE:
		return "the lower threshold is above the upper one"
	case unix.EINVAL:
		return meaningOfInvalid(op)
	}
	return ""
}

func meaningOfInvalid(op Op) string {
	var service ServiceKey
	var dest Destination
	switch o := op.(type) {
	case AddDestination:
		service, dest = o.Service, o.Destination
	case EditDestination:
		service, dest = o.Service, o.Destination
	default:
		return ""
	}
	if service.Address.Addr().Is4() != dest.Address.Addr().Is4() {
		return "a destination of the other address family must be a tunnel, and none is possible while a sync daemon runs"
	}
	return "not a unicast address; where the interface lo is down the kernel takes every address for such"
}
