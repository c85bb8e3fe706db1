// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A Protocol is the transport protocol of a virtual service: an IP protocol number that IPVS can balance.
type Protocol uint8

// The protocols that IPVS balances on addresses and ports.
const (
	TCP  Protocol = unix.IPPROTO_TCP
	UDP  Protocol = unix.IPPROTO_UDP
	SCTP Protocol = unix.IPPROTO_SCTP
)

// String returns "tcp", "udp", "sctp", or for any other number "protocol(89)".
func (p Protocol) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	default:
		return fmt.Sprintf("protocol(%d)", uint8(p))
	}
}

// MarshalText returns the name of a protocol that IPVS balances, an error for any other.
func (p Protocol) MarshalText() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return []byte(p.String()), nil
}

// UnmarshalText accepts "tcp", "udp" and "sctp".
func (p *Protocol) UnmarshalText(text []byte) error {
	for _, known := range []Protocol{TCP, UDP, SCTP} {
		if string(text) == known.String() {
			*p = known
			return nil
		}
	}
	return fmt.Errorf("unknown protocol %q: want tcp, udp or sctp", text)
}

func (p Protocol) check() error {
	switch p {
	case TCP, UDP, SCTP:
		return nil
	default:
		return fmt.Errorf("IPVS balances tcp, udp and sctp, not %v", p)
	}
}
