// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"fmt"

	"github.com/moby/ipvs"
)

// A Forward is the way packets travel to a destination. The numbers are the kernel's IP_VS_CONN_F_MASQ, _TUNNEL and
// _DROUTE (linux/ip_vs.h); a table that others have written may contain the kernel's other two, "local node" and "bypass".
type Forward uint8

// The forwarding methods. The zero value is masquerading, as it is the kernel's.
const (
	Masquerade Forward = ipvs.ConnectionFlagMasq        // network address translation, replies come back through the director
	Tunnel     Forward = ipvs.ConnectionFlagTunnel      // IP in IP, replies go to the client directly
	Direct     Forward = ipvs.ConnectionFlagDirectRoute // direct routing on a shared link (gatewaying), replies go to the client directly
)

// forwardMask is IP_VS_CONN_F_FWD_MASK: other bits of the kernel's connection flags are not the forwarding method.
const forwardMask = ipvs.ConnectionFlagFwdMask

// String returns "masquerade", "tunnel", "direct", or for any other number "forward(4)".
func (f Forward) String() string {
	switch f {
	case Masquerade:
		return "masquerade"
	case Tunnel:
		return "tunnel"
	case Direct:
		return "direct"
	default:
		return fmt.Sprintf("forward(%d)", uint8(f))
	}
}

// MarshalText returns the name of a forwarding method, an error for a number that is none.
func (f Forward) MarshalText() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return []byte(f.String()), nil
}

// UnmarshalText accepts "masquerade", "direct" and "tunnel".
func (f *Forward) UnmarshalText(text []byte) error {
	for _, known := range []Forward{Masquerade, Direct, Tunnel} {
		if string(text) == known.String() {
			*f = known
			return nil
		}
	}
	return fmt.Errorf("unknown forwarding method %q: want masquerade, direct or tunnel", text)
}

func (f Forward) check() error {
	switch f {
	case Masquerade, Tunnel, Direct:
		return nil
	default:
		return fmt.Errorf("want masquerade, direct or tunnel, not %v", f)
	}
}
