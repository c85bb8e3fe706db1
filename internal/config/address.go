// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// parseAddress reads an IP address of a host, alone. Its errors say what the operator probably had in mind.
func parseAddress(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return netip.Addr{}, explainAddress(s)
	case a.Zone() != "":
		return netip.Addr{}, fmt.Errorf("leave out the zone %q: %q", "%"+a.Zone(), a.WithZone(""))
	case a.Is4In6():
		return netip.Addr{}, fmt.Errorf("an IPv4-mapped IPv6 address is the IPv4 address: %q", a.Unmap())
	case a.IsUnspecified():
		return netip.Addr{}, errors.New("expected the address of one host, not the unspecified address")
	case a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return netip.Addr{}, errors.New("expected the address of one host, not a multicast or broadcast address")
	}
	return a, nil
}

// explainAddress says why s is no IP address.
func explainAddress(s string) error {
	host, _, found := strings.Cut(s, ":")
	switch {
	case found && isIPv4(host):
		return fmt.Errorf("a port has no meaning here: %q", host)
	case strings.HasPrefix(s, "["):
		return errors.New("brackets belong around an IPv6 address only where a port follows")
	case strings.Trim(s, "0123456789.") == "":
		return errors.New("expected four numbers from 0 to 255 without leading zeros, such as 192.0.2.10")
	case strings.Trim(s, "0123456789abcdefABCDEF:") == "" && strings.Contains(s, ":"):
		return errors.New("expected up to eight groups of hexadecimal digits, such as 2001:db8::10")
	default:
		return errors.New("expected an IP address, such as 192.0.2.10 or 2001:db8::10; names are not looked up")
	}
}

// parsePrefix reads an address with its prefix length. Without one, the prefix is the address alone.
func parsePrefix(s string) (netip.Prefix, error) {
	text, length, found := strings.Cut(s, "/")
	a, err := parseAddress(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	if !found {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	bits, err := strconv.Atoi(length)
	if err != nil || bits < 1 || bits > a.BitLen() || strconv.Itoa(bits) != length {
		return netip.Prefix{}, fmt.Errorf("prefix length %q, expected a number from 1 to %d for %s", length, a.BitLen(), family(a))
	}
	p := netip.PrefixFrom(a, bits)
	if a.Is4() && bits <= 30 && (a == p.Masked().Addr() || a == broadcast(p)) {
		return netip.Prefix{}, fmt.Errorf("this is the network's or its broadcast address, expected a host in %s", p.Masked())
	}
	return p, nil
}

// parseNetwork reads a network with its prefix length; without one, the network is the address alone.
func parseNetwork(s string) (netip.Prefix, error) {
	text, length, found := strings.Cut(s, "/")
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return netip.Prefix{}, explainAddress(text)
	case a.Zone() != "":
		return netip.Prefix{}, fmt.Errorf("leave out the zone %q", "%"+a.Zone())
	case a.Is4In6():
		return netip.Prefix{}, fmt.Errorf("an IPv4-mapped IPv6 address is the IPv4 address: %q", a.Unmap())
	case !found && a.IsUnspecified():
		return netip.Prefix{}, fmt.Errorf("the prefix length is missing, expected %q", s+"/0")
	case !found:
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	bits, err := strconv.Atoi(length)
	if err != nil || bits < 0 || bits > a.BitLen() || strconv.Itoa(bits) != length {
		return netip.Prefix{}, fmt.Errorf("prefix length %q, expected a number from 0 to %d for %s", length, a.BitLen(), family(a))
	}
	p := netip.PrefixFrom(a, bits)
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("it has bits behind its prefix length, expected %s", p.Masked())
	}
	return p, nil
}

// broadcast returns the last address of an IPv4 prefix.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := range b {
		b[i] |= byte(0xff >> max(0, min(8, p.Bits()-8*i)))
	}
	return netip.AddrFrom4(b)
}

// parseEndpoint reads an address with a port from 1 to 65535; an IPv6 address stands in brackets.
func parseEndpoint(s string) (netip.AddrPort, error) {
	host, port, err := splitEndpoint(s)
	if err != nil {
		return netip.AddrPort{}, err
	}
	a, err := parseAddress(host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return netip.AddrPort{}, fmt.Errorf("port %q, expected a number from 1 to 65535", port)
	}
	return netip.AddrPortFrom(a, uint16(n)), nil
}

// splitEndpoint parts an endpoint into host and port.
func splitEndpoint(s string) (host, port string, err error) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		host, port, found := strings.Cut(inner, "]:")
		switch {
		case !found:
			return "", "", errors.New(`the port is missing, expected "[address]:port"`)
		case isIPv4(host):
			return "", "", fmt.Errorf("brackets are for IPv6: %q", host+":"+port)
		}
		return host, port, nil
	}
	colon := strings.LastIndexByte(s, ':')
	if _, err := netip.ParseAddr(s); err == nil && strings.Count(s, ":") != 1 {
		if colon > 0 {
			return "", "", fmt.Errorf("an IPv6 address stands in brackets and a port follows, expected %q", "["+s+"]:port")
		}
		return "", "", fmt.Errorf("the port is missing, expected %q", s+":port")
	}
	if colon < 0 {
		return "", "", fmt.Errorf("the port is missing, expected %q", s+":port")
	}
	if host := s[:colon]; strings.Contains(host, ":") {
		return "", "", fmt.Errorf("an IPv6 address with a port stands in brackets: %q", "["+host+"]"+s[colon:])
	}
	return s[:colon], s[colon+1:], nil
}

// isIPv4 tells whether s is an IPv4 address.
func isIPv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

// family names the address family of a.
func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}
