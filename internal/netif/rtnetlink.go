// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// address is one address in a message of rtnetlink.
type address struct {
	index  int
	prefix netip.Prefix
	flags  uint32 // IFA_F_*
	label  string // IPv4
	scope  int    // RT_SCOPE_*
}

// attribute returns one attribute with a number of 32 bits.
func attribute(kind uint16, value uint32) []byte {
	b := binary.NativeEndian.AppendUint16(nil, 8)
	b = binary.NativeEndian.AppendUint16(b, kind)
	return binary.NativeEndian.AppendUint32(b, value)
}

// message implements operation.
func (o op) message(s snapshot) (netlink.Message, error) {
	index := s.index(o.lease.Interface)
	m := netlink.Message{Header: netlink.Header{Type: unix.RTM_NEWADDR, Flags: netlink.Request}}
	var err error
	switch o.kind {
	case opRemove:
		m.Header.Type = unix.RTM_DELADDR
		m.Data, err = removalMessage(index, o.lease.Prefix)
	case opRestore:
		m.Header.Flags |= netlink.Create | netlink.Excl
		m.Data = o.raw
	case opAdd, opRenew:
		m.Header.Flags |= netlink.Create | netlink.Replace
		m.Data, err = leaseMessage(index, o.lease)
	}
	return m, err
}

// leaseMessage returns the body of the RTM_NEWADDR that adds or renews a lease on the link of this index: no broadcast
// address, preferred lifetime zero, and in IPv6 no duplicate address detection.
func leaseMessage(index int, l Lease) ([]byte, error) {
	e := addressAttributes(l.Prefix)
	if l.Prefix.Addr().Is6() {
		e.Uint32(unix.IFA_FLAGS, unix.IFA_F_NODAD)
	} else if l.Label != "" {
		e.String(unix.IFA_LABEL, l.Label)
	}
	info := make([]byte, unix.SizeofIfaCacheinfo) // struct ifa_cacheinfo: ifa_prefered, ifa_valid, two times stamps
	binary.NativeEndian.PutUint32(info[4:], l.seconds())
	e.Bytes(unix.IFA_CACHEINFO, info)
	return addressMessage(index, l.Prefix, l.Scope, e)
}

// removalMessage returns the body of the RTM_DELADDR that removes an address from the link of this index.
func removalMessage(index int, p netip.Prefix) ([]byte, error) {
	return addressMessage(index, p, 0, addressAttributes(p))
}

func addressAttributes(p netip.Prefix) *netlink.AttributeEncoder {
	e := netlink.NewAttributeEncoder()
	e.Bytes(unix.IFA_LOCAL, p.Addr().AsSlice())
	e.Bytes(unix.IFA_ADDRESS, p.Addr().AsSlice())
	return e
}

// addressMessage prepends a struct ifaddrmsg: family, prefix length, flags, scope, index.
func addressMessage(index int, p netip.Prefix, scope int, e *netlink.AttributeEncoder) ([]byte, error) {
	attributes, err := e.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode attributes: %w", err)
	}
	b := make([]byte, unix.SizeofIfAddrmsg, unix.SizeofIfAddrmsg+len(attributes))
	b[0] = unix.AF_INET
	if p.Addr().Is6() {
		b[0] = unix.AF_INET6
	}
	b[1] = uint8(p.Bits())
	b[3] = uint8(scope)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	return append(b, attributes...), nil
}

// parseAddress reads the body of an RTM_NEWADDR or RTM_DELADDR.
func parseAddress(b []byte) (address, error) {
	if len(b) < unix.SizeofIfAddrmsg {
		return address{}, fmt.Errorf("address message of %d bytes, shorter than its header", len(b))
	}
	bits := int(b[1])
	a := address{flags: uint32(b[2]), scope: int(b[3]), index: int(binary.NativeEndian.Uint32(b[4:]))}
	d, err := netlink.NewAttributeDecoder(b[unix.SizeofIfAddrmsg:])
	if err != nil {
		return address{}, fmt.Errorf("address message: %w", err)
	}
	// IPv4 sends both addresses, and they differ on a point-to-point link; IPv6 sends IFA_LOCAL only there.
	var local, remote netip.Addr
	for d.Next() {
		switch d.Type() {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(d.Bytes())
		case unix.IFA_ADDRESS:
			remote, _ = netip.AddrFromSlice(d.Bytes())
		case unix.IFA_FLAGS:
			a.flags = d.Uint32()
		case unix.IFA_LABEL:
			a.label = d.String()
		}
	}
	if err := d.Err(); err != nil {
		return address{}, fmt.Errorf("address message: %w", err)
	}
	if !local.IsValid() {
		local = remote
	}
	a.prefix = netip.PrefixFrom(local, bits)
	if !a.prefix.IsValid() {
		return address{}, errors.New("address message without a valid address and prefix length")
	}
	return a, nil
}

// parseLink reads the body of an RTM_NEWLINK or RTM_DELLINK: a struct ifinfomsg (family, type, index, flags, change) and
// attributes.
func parseLink(b []byte) (link, error) {
	if len(b) < unix.SizeofIfInfomsg {
		return link{}, fmt.Errorf("link message of %d bytes, shorter than its header", len(b))
	}
	l := link{
		index: int(int32(binary.NativeEndian.Uint32(b[4:]))),
		flags: binary.NativeEndian.Uint32(b[8:]),
	}
	d, err := netlink.NewAttributeDecoder(b[unix.SizeofIfInfomsg:])
	if err != nil {
		return link{}, fmt.Errorf("link message: %w", err)
	}
	for d.Next() {
		switch d.Type() {
		case unix.IFLA_IFNAME:
			l.name = d.String()
		case unix.IFLA_ADDRESS:
			l.hardware = net.HardwareAddr(d.Bytes())
		case unix.IFLA_LINK:
			l.base = int(d.Uint32())
		case unix.IFLA_LINKINFO:
			d.Nested(func(info *netlink.AttributeDecoder) error {
				for info.Next() {
					if info.Type() == unix.IFLA_INFO_KIND {
						l.kind = info.String()
					}
				}
				return nil
			})
		}
	}
	if err := d.Err(); err != nil {
		return link{}, fmt.Errorf("link message: %w", err)
	}
	if l.name == "" {
		return link{}, errors.New("link message without a name")
	}
	return l, nil
}
