// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/internal/genl"
)

// Commands of the family: IPVS_CMD_… of linux/ip_vs.h.
const (
	cmdNewService = 1
	cmdSetService = 2
	cmdDelService = 3
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8
)

// Attributes of the commands: IPVS_CMD_ATTR_…
const (
	attrService = 1
	attrDest    = 2
)

// Attributes of a service: IPVS_SVC_ATTR_…
const (
	svcFamily    = 1
	svcProtocol  = 2
	svcAddress   = 3
	svcPort      = 4 // network byte order
	svcFWMark    = 5
	svcScheduler = 6
	svcFlags     = 7 // struct ip_vs_flags: flags, mask
	svcTimeout   = 8 // seconds
	svcNetmask   = 9 // IPv4: mask in network byte order; IPv6: prefix length in host byte order
)

// Attributes of a destination: IPVS_DEST_ATTR_…
const (
	destAddress        = 1
	destPort           = 2 // network byte order
	destForward        = 3
	destWeight         = 4
	destUpperThreshold = 5
	destLowerThreshold = 6
	destActive         = 7
	destInactive       = 8
	destPersistent     = 9
	destFamily         = 11
)

// request encodes an operation. SET_SERVICE and SET_DEST replace all attributes, so each is sent whole.
func request(op Op) (genl.Request, error) {
	switch o := op.(type) {
	case AddService:
		return serviceRequest(cmdNewService, o.Service)
	case EditService:
		return serviceRequest(cmdSetService, o.Service)
	case DeleteService:
		key := o.Key.normalize()
		if err := key.check(); err != nil {
			return genl.Request{}, err
		}
		return encode(cmdDelService, func(ae *netlink.AttributeEncoder) { ae.Nested(attrService, key.encode) })
	case AddDestination:
		return destinationRequest(cmdNewDest, o.Service, o.Destination)
	case EditDestination:
		return destinationRequest(cmdSetDest, o.Service, o.Destination)
	case DeleteDestination:
		return destinationRequest(cmdDelDest, o.Service, Destination{Address: o.Address})
	default:
		return genl.Request{}, fmt.Errorf("unknown operation %T", op)
	}
}

func serviceRequest(cmd uint8, s Service) (genl.Request, error) {
	s = s.normalize()
	if err := s.check(); err != nil {
		return genl.Request{}, err
	}
	return encode(cmd, func(ae *netlink.AttributeEncoder) { ae.Nested(attrService, s.encode) })
}

func destinationRequest(cmd uint8, key ServiceKey, d Destination) (genl.Request, error) {
	key, d = key.normalize(), d.normalize()
	if err := key.check(); err != nil {
		return genl.Request{}, err
	}
	if err := d.check(); err != nil {
		return genl.Request{}, err
	}
	return encode(cmd, func(ae *netlink.AttributeEncoder) {
		ae.Nested(attrService, key.encode)
		ae.Nested(attrDest, d.encode)
	})
}

func encode(cmd uint8, fill func(*netlink.AttributeEncoder)) (genl.Request, error) {
	ae := netlink.NewAttributeEncoder()
	fill(ae)
	attrs, err := ae.Encode()
	if err != nil {
		return genl.Request{}, fmt.Errorf("encode netlink attributes: %w", err)
	}
	return genl.Request{Command: cmd, Attributes: attrs}, nil
}

func (k ServiceKey) encode(ae *netlink.AttributeEncoder) error {
	ae.Uint16(svcFamily, family(k.Address.Addr()))
	ae.Uint16(svcProtocol, uint16(k.Protocol))
	ae.Bytes(svcAddress, k.Address.Addr().AsSlice())
	ae.Bytes(svcPort, networkPort(k.Address))
	return nil
}

func (s Service) encode(ae *netlink.AttributeEncoder) error {
	if err := s.Key.encode(ae); err != nil {
		return err
	}
	ae.String(svcScheduler, s.Scheduler)
	flags := binary.NativeEndian.AppendUint32(nil, s.Flags)
	ae.Bytes(svcFlags, binary.NativeEndian.AppendUint32(flags, ^uint32(0)))
	ae.Uint32(svcTimeout, uint32(s.Timeout.Seconds()))
	if s.Key.Address.Addr().Is4() {
		mask := ^uint32(0) << (32 - s.Netmask)
		ae.Bytes(svcNetmask, binary.BigEndian.AppendUint32(nil, mask))
	} else {
		ae.Uint32(svcNetmask, uint32(s.Netmask))
	}
	return nil
}

func (d Destination) encode(ae *netlink.AttributeEncoder) error {
	ae.Uint16(destFamily, family(d.Address.Addr()))
	ae.Bytes(destAddress, d.Address.Addr().AsSlice())
	ae.Bytes(destPort, networkPort(d.Address))
	ae.Uint32(destForward, uint32(d.Forward))
	ae.Uint32(destWeight, uint32(d.Weight))
	ae.Uint32(destUpperThreshold, d.UpperThreshold)
	ae.Uint32(destLowerThreshold, d.LowerThreshold)
	return nil
}

func family(addr netip.Addr) uint16 {
	if addr.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func networkPort(a netip.AddrPort) []byte { return binary.BigEndian.AppendUint16(nil, a.Port()) }

// prefixLength turns the kernel's netmask attribute of an IPv4 service into a Netmask.
func prefixLength(mask uint32) uint8 {
	if ones := bits.LeadingZeros32(^mask); ones > 0 && bits.OnesCount32(mask) == ones {
		return uint8(ones)
	}
	return netmaskOther
}
