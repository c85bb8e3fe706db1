// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/mdlayher/packet"
)

// Announcer tells the segment which link-layer address a VIP is at: by gratuitous ARP, in both the request and the reply
// form, and by unsolicited neighbour advertisements. Use [NewAnnouncer]; not safe for concurrent use.
type Announcer struct {
	sockets map[string]*socket // by interface name
}

// socket sends frames on one interface.
type socket struct {
	conn  *packet.Conn
	index int
}

// NewAnnouncer returns an announcer for the calling thread's network namespace. Announcing needs CAP_NET_RAW.
func NewAnnouncer() *Announcer { return &Announcer{sockets: make(map[string]*socket)} }

// Close closes the announcer's sockets.
func (a *Announcer) Close() error {
	var failed []error
	for name := range a.sockets {
		failed = append(failed, a.drop(name))
	}
	return errors.Join(failed...)
}

// Announce sends one round of announcements for all addrs, from the link-layer address of each one's interface. Interfaces
// without such an address (loopback, point-to-point) have nobody to tell. One failing interface does not stop the
// others.
func (a *Announcer) Announce(addrs []Address) error {
	byInterface := make(map[string][]netip.Addr)
	var names []string
	for _, addr := range addrs {
		if _, ok := byInterface[addr.Interface]; !ok {
			names = append(names, addr.Interface)
		}
		byInterface[addr.Interface] = append(byInterface[addr.Interface], addr.Prefix.Addr())
	}
	var failed []error
	for _, name := range names {
		if err := a.announceOn(name, byInterface[name]); err != nil {
			failed = append(failed, fmt.Errorf("announce %d addresses on %s: %w", len(byInterface[name]), name, err))
		}
	}
	return errors.Join(failed...)
}

func (a *Announcer) announceOn(name string, vips []netip.Addr) error {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return errors.Join(err, a.drop(name))
	}
	if !hasEthernetAddress(ifi) {
		return nil
	}
	conn, err := a.socket(ifi)
	if err != nil {
		return err
	}
	router := forwards6(name)
	for _, vip := range vips {
		frames, err := announcement(vip, ifi.HardwareAddr, router)
		if err != nil {
			return fmt.Errorf("%s: %w", vip, err)
		}
		for _, f := range frames {
			// A raw socket takes the destination from the frame; the address serves the socket call only.
			if _, err := conn.WriteTo(f, &packet.Addr{HardwareAddr: net.HardwareAddr(f[:6])}); err != nil {
				return errors.Join(fmt.Errorf("%s: %w", vip, err), a.drop(name))
			}
		}
	}
	return nil
}

// announcement returns the frames that announce one VIP.
func announcement(vip netip.Addr, mac net.HardwareAddr, router bool) ([][]byte, error) {
	if vip.Is4() {
		return gratuitousARP(vip, mac)
	}
	f, err := unsolicitedAdvertisement(vip, mac, router)
	return [][]byte{f}, err
}

// socket returns the socket of an interface, and opens it again when the interface is another one of the same name.
func (a *Announcer) socket(ifi *net.Interface) (*packet.Conn, error) {
	if s, ok := a.sockets[ifi.Name]; ok {
		if s.index == ifi.Index {
			return s.conn, nil
		}
		if err := a.drop(ifi.Name); err != nil {
			return nil, err
		}
	}
	conn, err := packet.Listen(ifi, packet.Raw, 0, nil) // protocol 0 receives nothing
	if err != nil {
		return nil, fmt.Errorf("open packet socket (this needs CAP_NET_RAW): %w", err)
	}
	a.sockets[ifi.Name] = &socket{conn: conn, index: ifi.Index}
	return conn, nil
}

// drop closes the socket of an interface, if there is one.
func (a *Announcer) drop(name string) error {
	s, ok := a.sockets[name]
	if !ok {
		return nil
	}
	delete(a.sockets, name)
	return s.conn.Close()
}

// hasEthernetAddress reports whether an interface has an Ethernet address that is not zero, as loopback's is.
func hasEthernetAddress(ifi *net.Interface) bool {
	return len(ifi.HardwareAddr) == 6 && !bytes.Equal(ifi.HardwareAddr, make([]byte, 6))
}

// forwards6 reports whether an interface forwards IPv6, so that this node is a router there (RFC 4861 section 2.1) and
// its neighbour advertisements must say so.
func forwards6(name string) bool {
	b, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + name + "/forwarding")
	return err == nil && len(bytes.TrimSpace(b)) > 0 && b[0] != '0'
}
