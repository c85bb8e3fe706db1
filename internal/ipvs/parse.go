// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// errFWMark says that a service is one by firewall mark, which has no [ServiceKey].
var errFWMark = errors.New("service by firewall mark")

// parseService decodes an element of the kernel's list of services.
func parseService(b []byte) (Service, error) {
	var (
		s       Service
		raw     rawAddress
		netmask []byte
		fwmark  bool
	)
	err := nested(b, attrService, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case svcFamily:
			raw.family = ad.Uint16()
		case svcProtocol:
			s.Key.Protocol = Protocol(ad.Uint16())
		case svcAddress:
			raw.address = ad.Bytes()
		case svcPort:
			raw.port = ad.Bytes()
		case svcFWMark:
			fwmark = true
		case svcScheduler:
			s.Scheduler = ad.String()
		case svcFlags:
			if f := ad.Bytes(); len(f) >= 4 {
				s.Flags = binary.NativeEndian.Uint32(f) &^ flagHashed
			}
		case svcTimeout:
			s.Timeout = time.Duration(ad.Uint32()) * time.Second
		case svcNetmask:
			netmask = ad.Bytes()
		}
	})
	if err != nil {
		return Service{}, err
	}
	if fwmark {
		return Service{}, errFWMark
	}
	if s.Key.Address, err = raw.addrPort(); err != nil {
		return Service{}, err
	}
	s.Netmask = netmaskOther
	if len(netmask) == 4 {
		if s.Key.Address.Addr().Is4() {
			s.Netmask = prefixLength(binary.BigEndian.Uint32(netmask))
		} else if n := binary.NativeEndian.Uint32(netmask); n >= 1 && n <= 128 {
			s.Netmask = uint8(n)
		}
	}
	return s, nil
}

// parseDestination decodes an element of the kernel's list of destinations of a service.
func parseDestination(b []byte) (Destination, Connections, error) {
	var (
		d    Destination
		conn Connections
		raw  rawAddress
	)
	err := nested(b, attrDest, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case destFamily:
			raw.family = ad.Uint16()
		case destAddress:
			raw.address = ad.Bytes()
		case destPort:
			raw.port = ad.Bytes()
		case destForward:
			d.Forward = Forward(ad.Uint32() & forwardMask)
		case destWeight:
			d.Weight = int(int32(ad.Uint32())) // an int in the kernel
		case destUpperThreshold:
			d.UpperThreshold = ad.Uint32()
		case destLowerThreshold:
			d.LowerThreshold = ad.Uint32()
		case destActive:
			conn.Active = ad.Uint32()
		case destInactive:
			conn.Inactive = ad.Uint32()
		case destPersistent:
			conn.Persistent = ad.Uint32()
		}
	})
	if err != nil {
		return Destination{}, Connections{}, err
	}
	d.Address, err = raw.addrPort()
	return d, conn, err
}

// nested hands each attribute inside the first attribute of type typ to visit.
func nested(b []byte, typ uint16, visit func(*netlink.AttributeDecoder)) error {
	outer, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return fmt.Errorf("decode netlink attributes: %w", err)
	}
	found := false
	for outer.Next() {
		if outer.Type() != typ || found {
			continue
		}
		found = true
		outer.Nested(func(inner *netlink.AttributeDecoder) error {
			for inner.Next() {
				visit(inner)
			}
			return nil
		})
	}
	if err := outer.Err(); err != nil {
		return fmt.Errorf("decode netlink attributes: %w", err)
	}
	if !found {
		return fmt.Errorf("decode netlink attributes: attribute %d is missing", typ)
	}
	return nil
}

// A rawAddress is an address and port as they are spread over attributes.
type rawAddress struct {
	family        uint16
	address, port []byte
}

// addrPort reads the address in the first bytes of its attribute: the kernel sends 16 for IPv4 as well.
func (r rawAddress) addrPort() (netip.AddrPort, error) {
	size := 0
	switch r.family {
	case unix.AF_INET:
		size = 4
	case unix.AF_INET6:
		size = 16
	default:
		return netip.AddrPort{}, fmt.Errorf("decode address: unknown address family %d", r.family)
	}
	if len(r.address) < size || len(r.port) != 2 {
		return netip.AddrPort{}, fmt.Errorf("decode address of family %d: %d address bytes and %d port bytes",
			r.family, len(r.address), len(r.port))
	}
	addr, _ := netip.AddrFromSlice(r.address[:size])
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(r.port)), nil
}
