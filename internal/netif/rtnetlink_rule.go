// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// sizeofRuleHeader is the size of struct fib_rule_hdr (linux/fib_rules.h): family, lengths, tos, table, two reserved
// bytes, action, flags.
const sizeofRuleHeader = 12

// ruleOp adds or removes a rule of ours. The rule is a normal one.
type ruleOp struct {
	remove bool
	rule   Rule
}

// message implements operation.
func (o ruleOp) message(snapshot) (netlink.Message, error) {
	m := netlink.Message{Header: netlink.Header{Type: unix.RTM_NEWRULE, Flags: netlink.Request | netlink.Create | netlink.Excl}}
	if o.remove {
		m.Header.Type, m.Header.Flags = unix.RTM_DELRULE, netlink.Request
	}
	r := o.rule
	b := make([]byte, sizeofRuleHeader)
	b[0], b[7] = unix.AF_INET, unix.FR_ACT_TO_TBL
	if r.IPv6 {
		b[0] = unix.AF_INET6
	}
	e := netlink.NewAttributeEncoder()
	if r.To.IsValid() {
		b[1] = uint8(r.To.Bits())
		e.Bytes(unix.FRA_DST, r.To.Addr().AsSlice())
	}
	if r.From.IsValid() {
		b[2] = uint8(r.From.Bits())
		e.Bytes(unix.FRA_SRC, r.From.Addr().AsSlice())
	}
	if r.IIF != "" {
		e.String(unix.FRA_IIFNAME, r.IIF)
	}
	if r.OIF != "" {
		e.String(unix.FRA_OIFNAME, r.OIF)
	}
	if r.FWMark != 0 {
		e.Uint32(unix.FRA_FWMARK, r.FWMark)
	}
	e.Uint32(unix.FRA_TABLE, uint32(r.Table))
	e.Uint32(unix.FRA_PRIORITY, uint32(r.Priority))
	e.Uint8(unix.FRA_PROTOCOL, Protocol)
	attributes, err := e.Encode()
	if err != nil {
		return m, fmt.Errorf("encode attributes: %w", err)
	}
	m.Data = append(b, attributes...)
	return m, nil
}

// parsedRule is a rule in a message of the kernel.
type parsedRule struct {
	rule     Rule
	protocol uint8 // FRA_PROTOCOL
	plain    bool  // it has nothing that a Rule cannot say
}

// parseRule reads the body of an RTM_NEWRULE.
func parseRule(b []byte) (parsedRule, error) {
	if len(b) < sizeofRuleHeader {
		return parsedRule{}, fmt.Errorf("rule message of %d bytes, shorter than its header", len(b))
	}
	x := parsedRule{
		rule:  Rule{IPv6: b[0] == unix.AF_INET6, Table: int(b[4])},
		plain: b[3] == 0 && b[7] == unix.FR_ACT_TO_TBL && binary.NativeEndian.Uint32(b[8:])&unix.FIB_RULE_INVERT == 0,
	}
	d, err := netlink.NewAttributeDecoder(b[sizeofRuleHeader:])
	if err != nil {
		return parsedRule{}, fmt.Errorf("rule message: %w", err)
	}
	var to, from netip.Addr
	for d.Next() {
		switch d.Type() {
		case unix.FRA_DST:
			to, _ = netip.AddrFromSlice(d.Bytes())
		case unix.FRA_SRC:
			from, _ = netip.AddrFromSlice(d.Bytes())
		case unix.FRA_IIFNAME:
			x.rule.IIF = d.String()
		case unix.FRA_OIFNAME:
			x.rule.OIF = d.String()
		case unix.FRA_FWMARK:
			x.rule.FWMark = d.Uint32()
		case unix.FRA_FWMASK:
			x.plain = x.plain && d.Uint32() == 1<<32-1
		case unix.FRA_TABLE:
			x.rule.Table = int(d.Uint32())
		case unix.FRA_PRIORITY:
			x.rule.Priority = int(d.Uint32())
		case unix.FRA_PROTOCOL:
			x.protocol = d.Uint8()
		case unix.FRA_SUPPRESS_PREFIXLEN:
			x.plain = x.plain && d.Uint32() == 1<<32-1
		default:
			x.plain = false
		}
	}
	if err := d.Err(); err != nil {
		return parsedRule{}, fmt.Errorf("rule message: %w", err)
	}
	for _, p := range []struct {
		prefix *netip.Prefix
		addr   netip.Addr
		bits   uint8
	}{{&x.rule.To, to, b[1]}, {&x.rule.From, from, b[2]}} {
		if p.bits == 0 {
			continue
		}
		if *p.prefix = netip.PrefixFrom(p.addr, int(p.bits)).Masked(); !p.prefix.IsValid() {
			return parsedRule{}, errors.New("rule message with a length and no address for it")
		}
	}
	return x, nil
}
