// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// routeOp adds or removes a route of ours. The route is a normal one.
type routeOp struct {
	remove bool
	route  Route
}

// message implements operation.
func (o routeOp) message(s snapshot) (netlink.Message, error) {
	m := netlink.Message{Header: netlink.Header{Type: unix.RTM_NEWROUTE, Flags: netlink.Request | netlink.Create | netlink.Excl}}
	r := o.route
	b := make([]byte, unix.SizeofRtMsg) // struct rtmsg: family, lengths, tos, table, protocol, scope, type, flags
	b[0], b[1] = unix.AF_INET, uint8(r.Destination.Bits())
	b[5], b[6], b[7] = Protocol, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST
	if r.Destination.Addr().Is6() {
		b[0] = unix.AF_INET6
	} else if !r.Via.IsValid() {
		b[6] = unix.RT_SCOPE_LINK
	}
	if o.remove {
		m.Header.Type, m.Header.Flags = unix.RTM_DELROUTE, netlink.Request
		b[6] = unix.RT_SCOPE_NOWHERE // whatever it has
	}
	e := netlink.NewAttributeEncoder()
	e.Uint32(unix.RTA_TABLE, uint32(r.Table))
	if r.Destination.Bits() > 0 {
		e.Bytes(unix.RTA_DST, r.Destination.Addr().AsSlice())
	}
	if r.Via.IsValid() {
		e.Bytes(unix.RTA_GATEWAY, r.Via.AsSlice())
	}
	if index := s.index(r.Interface); index != 0 {
		e.Uint32(unix.RTA_OIF, uint32(index))
	} else if r.Interface != "" {
		return m, errors.New("no such interface")
	}
	if r.Source.IsValid() {
		e.Bytes(unix.RTA_PREFSRC, r.Source.AsSlice())
	}
	if r.Metric != 0 {
		e.Uint32(unix.RTA_PRIORITY, uint32(r.Metric))
	}
	attributes, err := e.Encode()
	if err != nil {
		return m, fmt.Errorf("encode attributes: %w", err)
	}
	m.Data = append(b, attributes...)
	return m, nil
}

// parsedRoute is a route in a message of the kernel.
type parsedRoute struct {
	route    Route // without its interface
	index    int   // of the interface; 0: several, or none
	protocol uint8 // RTPROT_*
	unicast  bool
}

// parseRoute reads the body of an RTM_NEWROUTE.
func parseRoute(b []byte) (parsedRoute, error) {
	if len(b) < unix.SizeofRtMsg {
		return parsedRoute{}, fmt.Errorf("route message of %d bytes, shorter than its header", len(b))
	}
	destination := netip.IPv4Unspecified()
	if b[0] == unix.AF_INET6 {
		destination = netip.IPv6Unspecified()
	}
	x := parsedRoute{protocol: b[5], unicast: b[7] == unix.RTN_UNICAST}
	x.route.Table = int(b[4])
	d, err := netlink.NewAttributeDecoder(b[unix.SizeofRtMsg:])
	if err != nil {
		return parsedRoute{}, fmt.Errorf("route message: %w", err)
	}
	for d.Next() {
		switch d.Type() {
		case unix.RTA_DST:
			destination, _ = netip.AddrFromSlice(d.Bytes())
		case unix.RTA_GATEWAY:
			x.route.Via, _ = netip.AddrFromSlice(d.Bytes())
		case unix.RTA_PREFSRC:
			x.route.Source, _ = netip.AddrFromSlice(d.Bytes())
		case unix.RTA_OIF:
			x.index = int(int32(d.Uint32()))
		case unix.RTA_PRIORITY:
			x.route.Metric = int(d.Uint32())
		case unix.RTA_TABLE:
			x.route.Table = int(d.Uint32())
		}
	}
	if err := d.Err(); err != nil {
		return parsedRoute{}, fmt.Errorf("route message: %w", err)
	}
	x.route.Destination = netip.PrefixFrom(destination, int(b[1])).Masked()
	if !x.route.Destination.IsValid() {
		return parsedRoute{}, errors.New("route message without a valid destination")
	}
	return x, nil
}
