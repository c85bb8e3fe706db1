// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"golang.org/x/sys/unix"
)

// announcement returns the frames that announce one VIP.
func announcement(vip netip.Addr, mac net.HardwareAddr, router bool) ([][]byte, error) {
	if vip.Is4() {
		return gratuitousARP(vip, mac)
	}
	f, err := unsolicitedAdvertisement(vip, mac, router)
	return [][]byte{f}, err
}

// gratuitousARP returns the two frames that say that vip is at mac (RFC 5944 section 4.6): a request, whose target
// hardware address is zero, and a reply to everybody, whose target hardware address is mac (RFC 9568 erratum 7949; Linux
// takes a reply for gratuitous only then). Hosts differ in which of the two they believe.
func gratuitousARP(vip netip.Addr, mac net.HardwareAddr) ([][]byte, error) {
	var frames [][]byte
	for _, form := range []struct {
		operation arp.Operation
		target    net.HardwareAddr
	}{
		{arp.OperationRequest, make(net.HardwareAddr, len(mac))},
		{arp.OperationReply, mac},
	} {
		p, err := arp.NewPacket(form.operation, mac, vip, form.target, vip)
		if err != nil {
			return nil, fmt.Errorf("build ARP packet: %w", err)
		}
		b, err := p.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("build ARP packet: %w", err)
		}
		f, err := frame(ethernet.Broadcast, mac, ethernet.EtherTypeARP, b)
		if err != nil {
			return nil, err
		}
		frames = append(frames, f)
	}
	return frames, nil
}

// allNodes is the group of all nodes on the link (RFC 4291 section 2.7.1), allNodesMAC its Ethernet address (RFC 2464
// section 7).
var (
	allNodes    = netip.IPv6LinkLocalAllNodes()
	allNodesMAC = net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
)

// unsolicitedAdvertisement returns the frame that says that vip is at mac (RFC 4861 section 7.2.6): a neighbour
// advertisement from vip itself to all nodes, solicited flag clear, override flag set, router flag as given.
func unsolicitedAdvertisement(vip netip.Addr, mac net.HardwareAddr, router bool) ([]byte, error) {
	message, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{
		Router:        router,
		Override:      true,
		TargetAddress: vip,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: mac}},
	}, vip, allNodes)
	if err != nil {
		return nil, fmt.Errorf("build neighbour advertisement: %w", err)
	}
	header := make([]byte, 8, 40+len(message)) // RFC 8200 section 3
	header[0] = 6 << 4
	binary.BigEndian.PutUint16(header[4:], uint16(len(message)))
	header[6] = unix.IPPROTO_ICMPV6
	header[7] = ndp.HopLimit
	packet := append(header, vip.AsSlice()...)
	packet = append(packet, allNodes.AsSlice()...)
	return frame(allNodesMAC, mac, ethernet.EtherTypeIPv6, append(packet, message...))
}

// frame returns an Ethernet frame, padded to the least length of one.
func frame(destination, source net.HardwareAddr, t ethernet.EtherType, payload []byte) ([]byte, error) {
	f := ethernet.Frame{Destination: destination, Source: source, EtherType: t, Payload: payload}
	b, err := f.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("build Ethernet frame: %w", err)
	}
	return b, nil
}
