// SPDX-License-Identifier: Apache-2.0

package syncd

import (
	"errors"
	"fmt"
	"math"

	"github.com/mdlayher/netlink"

	"github.com/lvs-ha/lvs-ha/internal/genl"
)

// Commands of the family: IPVS_CMD_… of linux/ip_vs.h.
const (
	cmdNewDaemon = 9
	cmdDelDaemon = 10
	cmdGetDaemon = 11
)

// attrDaemon is IPVS_CMD_ATTR_DAEMON, inside of which are the attributes of a daemon: IPVS_DAEMON_ATTR_…
const attrDaemon = 3

const (
	daemonState     = 1
	daemonInterface = 2
	daemonID        = 3
)

func startRequest(d Daemon) (genl.Request, error) {
	return encode(cmdNewDaemon, func(ae *netlink.AttributeEncoder) error {
		ae.Uint32(daemonState, uint32(d.Role))
		ae.String(daemonInterface, d.Config.Interface)
		ae.Uint32(daemonID, uint32(d.Config.ID))
		return nil
	})
}

func stopRequest(r Role) (genl.Request, error) {
	return encode(cmdDelDaemon, func(ae *netlink.AttributeEncoder) error {
		ae.Uint32(daemonState, uint32(r))
		return nil
	})
}

func encode(cmd uint8, daemon func(*netlink.AttributeEncoder) error) (genl.Request, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Nested(attrDaemon, daemon)
	attrs, err := ae.Encode()
	if err != nil {
		return genl.Request{}, fmt.Errorf("encode netlink attributes: %w", err)
	}
	return genl.Request{Command: cmd, Attributes: attrs}, nil
}

// parseDaemon decodes an element of the kernel's list of daemons.
func parseDaemon(b []byte) (Daemon, error) {
	outer, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return Daemon{}, fmt.Errorf("decode netlink attributes: %w", err)
	}
	var (
		d         Daemon
		state, id uint32
	)
	for outer.Next() {
		if outer.Type() != attrDaemon {
			continue
		}
		outer.Nested(func(ad *netlink.AttributeDecoder) error {
			for ad.Next() {
				switch ad.Type() {
				case daemonState:
					state = ad.Uint32()
				case daemonInterface:
					d.Config.Interface = ad.String()
				case daemonID:
					id = ad.Uint32()
				}
			}
			return nil
		})
	}
	if err := outer.Err(); err != nil {
		return Daemon{}, fmt.Errorf("decode netlink attributes: %w", err)
	}
	if state > math.MaxUint8 || id > math.MaxUint8 {
		return Daemon{}, fmt.Errorf("decode sync daemon: state %d, sync id %d", state, id)
	}
	d.Role, d.Config.ID = Role(state), uint8(id)
	if d.check() != nil {
		return Daemon{}, errors.New("decode sync daemon: state or interface is missing")
	}
	return d, nil
}
