// SPDX-License-Identifier: Apache-2.0

package syncd

import (
	"fmt"
	"strings"
)

// A Role is what a sync daemon does: IP_VS_STATE_… of linux/ip_vs.h.
type Role uint8

// The roles. The kernel runs at most one daemon of each in a network namespace.
const (
	Master Role = 1 // sends the state of connections
	Backup Role = 2 // receives it
)

// String returns "master", "backup", or for any other number "role(3)".
func (r Role) String() string {
	switch r {
	case Master:
		return "master"
	case Backup:
		return "backup"
	default:
		return fmt.Sprintf("role(%d)", uint8(r))
	}
}

// maxInterface is the longest interface name: IFNAMSIZ without the terminating zero.
const maxInterface = 15

// A Config says where a daemon sends and receives. It is comparable.
type Config struct {
	Interface string // multicast interface (mcast_ifn); a master sends from its IPv4 address, and starts without one too
	ID        uint8  // syncid: a backup with an ID other than 0 takes only messages of the same ID
}

// A Daemon is a sync daemon that runs or shall run. It is comparable.
type Daemon struct {
	Role   Role
	Config Config
}

// String returns for example "master sync daemon on eth0 with id 7".
func (d Daemon) String() string {
	return fmt.Sprintf("%v sync daemon on %s with id %d", d.Role, d.Config.Interface, d.Config.ID)
}

func (d Daemon) check() error {
	if d.Role != Master && d.Role != Backup {
		return fmt.Errorf("want master or backup, not %v", d.Role)
	}
	if n := len(d.Config.Interface); n == 0 || n > maxInterface || strings.ContainsRune(d.Config.Interface, 0) {
		return fmt.Errorf("interface %q: want a name of 1 to %d bytes", d.Config.Interface, maxInterface)
	}
	return nil
}
