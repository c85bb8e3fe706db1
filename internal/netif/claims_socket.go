// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// ownMACs returns the Ethernet addresses of all interfaces.
func ownMACs() (map[mac]struct{}, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	macs := make(map[mac]struct{}, len(all))
	for _, ifi := range all {
		if len(ifi.HardwareAddr) == len(mac{}) {
			macs[mac(ifi.HardwareAddr)] = struct{}{}
		}
	}
	return macs, nil
}

// mayListen tells whether packet sockets can be opened.
func mayListen() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // protocol 0 receives nothing
	if err != nil {
		return socketError(err)
	}
	return unix.Close(fd)
}

// listenForClaims opens a packet socket for one family only, so that a packet that is forwarded in the other costs nothing;
// such a socket does not see what this machine sends either (PACKET_OUTGOING).
func listenForClaims(s spot) (listener, error) {
	ifi, err := net.InterfaceByName(s.iface)
	if err != nil {
		return nil, err
	}
	protocol := unix.ETH_P_ARP
	if s.ipv6 {
		protocol = unix.ETH_P_IPV6
	}
	filter, err := claimFilter(ifi.Index, s.ipv6)
	if err != nil {
		return nil, err
	}
	conn, err := packet.Listen(ifi, packet.Raw, protocol, &packet.Config{Filter: filter})
	if err != nil {
		return nil, socketError(err)
	}
	return conn, nil
}
