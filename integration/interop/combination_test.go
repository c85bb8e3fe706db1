// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// family is an address family as the configuration of each router names it.
type family string

const (
	familyIPv4 family = "IPv4"
	familyIPv6 family = "IPv6"
)

// addresses returns the VIPs of the family with their prefix lengths. The IPv6
// list begins with a virtual link-local address, as every side demands.
func (f family) addresses() []netip.Prefix {
	if f == familyIPv6 {
		return []netip.Prefix{netip.MustParsePrefix("fe80::100/64"), netip.MustParsePrefix("2001:db8::100/64")}
	}
	return []netip.Prefix{netip.MustParsePrefix("192.0.2.100/24"), netip.MustParsePrefix("192.0.2.101/24")}
}

// vip is the address that tells who holds the VIPs.
func (f family) vip() netip.Addr { return f.addresses()[1].Addr() }

// The counterparts.
const (
	keepalived = "keepalived"
	frr        = "FRR"
	itself     = "lvs-ha"
)

// checksum is a form of the IPv4 checksum of version 3.
type checksum string

const (
	// checksumFixed: the RFC leaves no choice.
	checksumFixed checksum = "-"
	// checksumPseudoHeader: RFC 5798 as most read it.
	checksumPseudoHeader checksum = "pseudo-header"
	// checksumMessage: the message only, RFC 9568.
	checksumMessage checksum = "message"
	// checksumGroup: the pseudo-header of unicast has the multicast group as
	// destination, as in keepalived before 2.0 or with old_unicast_checksum.
	checksumGroup checksum = "group"
)

// combination is a way for lvs-ha and another router to share a virtual router.
type combination struct {
	peer           string // the counterpart
	version        int
	family         family
	unicast        bool
	checksum       checksum
	password       bool // version 2: simple text authentication
	macOwn, macHis bool // virtual MAC of lvs-ha, of the counterpart
	higher         bool // lvs-ha has the higher priority
	preempt        bool // of both
}

// combinations returns the full product.
func combinations() []combination {
	var all []combination
	off := []bool{false, true}
	for _, peer := range []string{keepalived, frr, itself} {
		for _, version := range []int{2, 3} {
			for _, f := range []family{familyIPv4, familyIPv6} {
				for _, unicast := range off {
					for _, sum := range checksums(version, f, unicast) {
						for _, password := range off {
							for macs := range 4 {
								for roles := range 4 {
									all = append(all, combination{
										peer: peer, version: version, family: f, unicast: unicast, checksum: sum,
										password: password, macOwn: macs&1 != 0, macHis: macs&2 != 0,
										higher: roles&1 == 0, preempt: roles&2 == 0,
									})
								}
							}
						}
					}
				}
			}
		}
	}
	return all
}

func checksums(version int, f family, unicast bool) []checksum {
	switch {
	case version == 2, f == familyIPv6:
		return []checksum{checksumFixed}
	case unicast:
		return []checksum{checksumPseudoHeader, checksumMessage, checksumGroup}
	}
	return []checksum{checksumPseudoHeader, checksumMessage}
}

// leftOut says why a combination cannot exist or is not tried; empty: it is
// tried.
func (c combination) leftOut() string {
	switch {
	case c.version == 2 && c.family == familyIPv6:
		return "version 2 is IPv4 only"
	case c.version == 3 && c.password:
		return "version 3 has no authentication field"
	case c.peer == frr && c.unicast:
		return "FRR has no unicast"
	case c.peer == frr && c.password:
		return "FRR has no authentication"
	case c.peer == frr && !c.macHis:
		return "FRR has the virtual MAC always"
	case c.peer == frr && c.checksum == checksumMessage:
		return "FRR 8.4 has the pseudo-header always"
	case c.peer == keepalived && c.checksum == checksumMessage:
		return "keepalived 2.2.7 has no switch for it; lvs-ha stands in"
	case c.peer == itself && c.checksum != checksumMessage:
		return "left to keepalived"
	case c.peer == itself && c.macOwn != c.macHis:
		return "left to keepalived"
	case c.unicast && c.macOwn != c.macHis:
		return "unicast with one virtual MAC: left to none and both"
	case c.password && c.macOwn, c.password && c.macHis:
		return "a password with a virtual MAC: left to each alone"
	case c.checksum == checksumGroup && c.macOwn:
		return "the group's checksum with a virtual MAC: left to each alone"
	case c.version == 2 && c.unicast && c.macOwn:
		return "version 2, unicast, with a virtual MAC: left to version 3"
	}
	return ""
}

// interval returns the advertisement interval. Version 2 knows whole seconds.
func (c combination) interval() time.Duration {
	if c.version == 2 {
		return time.Second
	}
	return 200 * time.Millisecond
}

// priorities returns that of lvs-ha and that of the counterpart.
func (c combination) priorities() (own, his int) {
	if c.higher {
		return 200, 100
	}
	return 100, 200
}

// columns returns the combination as a line of the table.
func (c combination) columns() []string {
	onOff := map[bool]string{false: "off", true: "on"}
	cast := map[bool]string{false: "multicast", true: "unicast"}
	role := map[bool]string{false: "backup", true: "master"}
	password := map[bool]string{false: "none", true: "password"}
	return []string{
		c.peer, fmt.Sprint(c.version), string(c.family), cast[c.unicast], string(c.checksum), password[c.password],
		onOff[c.macOwn] + "/" + onOff[c.macHis], role[c.higher], onOff[c.preempt],
	}
}

// heading names the columns.
var heading = []string{"beside", "v", "family", "cast", "checksum", "auth", "MAC own/his", "role", "preempt", "result"}

// name is the combination as the name of a subtest.
func (c combination) name() string {
	parts := []string{c.peer, fmt.Sprintf("v%d", c.version), string(c.family)}
	if c.unicast {
		parts = append(parts, "unicast")
	}
	if c.checksum != checksumFixed {
		parts = append(parts, string(c.checksum))
	}
	for _, option := range []struct {
		on   bool
		name string
	}{{c.password, "password"}, {c.macOwn, "own-MAC"}, {c.macHis, "his-MAC"}, {c.higher, "master"}, {!c.higher, "backup"}, {!c.preempt, "no-preempt"}} {
		if option.on {
			parts = append(parts, option.name)
		}
	}
	return strings.Join(parts, "_")
}
