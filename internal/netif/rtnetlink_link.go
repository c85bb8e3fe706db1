// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// macvlan is the kind of a virtual MAC's interface (IFLA_INFO_KIND).
const macvlan = "macvlan"

// The mode of a macvlan interface (linux/if_link.h). A private one would keep to itself what comes in from its own
// address: the base interface would never hear the adverts of another router that is master too.
const (
	iflaMACVLANMode   = 1
	macvlanModeBridge = 4
)

// linkKind is what a linkOp does.
type linkKind uint8

const (
	linkDelete linkKind = iota
	linkCreate
	linkUp
	linkDown
)

// String returns the verb of an error message.
func (k linkKind) String() string {
	return [...]string{"remove", "create", "set up", "set down"}[k]
}

// linkOp is one change of a macvlan interface of ours.
type linkOp struct {
	kind linkKind
	mac  VirtualMAC
}

// message implements operation.
func (o linkOp) message(s snapshot) (netlink.Message, error) {
	m := netlink.Message{
		Header: netlink.Header{Type: unix.RTM_NEWLINK, Flags: netlink.Request},
		Data:   make([]byte, unix.SizeofIfInfomsg), // struct ifinfomsg: family, type, index, flags, change
	}
	if o.kind != linkCreate {
		index := s.index(o.mac.Name)
		if index == 0 {
			return m, unix.ENODEV
		}
		binary.NativeEndian.PutUint32(m.Data[4:], uint32(index))
	}
	switch o.kind {
	case linkDelete:
		m.Header.Type = unix.RTM_DELLINK
	case linkUp:
		binary.NativeEndian.PutUint32(m.Data[8:], unix.IFF_UP)
		binary.NativeEndian.PutUint32(m.Data[12:], unix.IFF_UP)
	case linkDown:
		binary.NativeEndian.PutUint32(m.Data[12:], unix.IFF_UP)
	case linkCreate:
		m.Header.Flags |= netlink.Create | netlink.Excl
		e := netlink.NewAttributeEncoder()
		e.String(unix.IFLA_IFNAME, o.mac.Name)
		e.Uint32(unix.IFLA_LINK, uint32(s.index(o.mac.Interface)))
		e.Bytes(unix.IFLA_ADDRESS, o.mac.HardwareAddr)
		e.Nested(unix.IFLA_LINKINFO, func(info *netlink.AttributeEncoder) error {
			info.String(unix.IFLA_INFO_KIND, macvlan)
			info.Nested(unix.IFLA_INFO_DATA, func(data *netlink.AttributeEncoder) error {
				data.Uint32(iflaMACVLANMode, macvlanModeBridge)
				return nil
			})
			return nil
		})
		attributes, err := e.Encode()
		if err != nil {
			return m, fmt.Errorf("encode attributes: %w", err)
		}
		m.Data = append(m.Data, attributes...)
	}
	return m, nil
}
