// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

// Dropped returns how many VRRP packets did not fit into the daemon's sockets
// since it opened them.
func (d *Daemon) Dropped() (uint64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/net/raw", d.PID()))
	if err != nil {
		return 0, fmt.Errorf("count packets that the kernel dropped on %s: %w", d.node, err)
	}
	defer f.Close()
	n, err := rawDrops(f)
	if err != nil {
		return 0, fmt.Errorf("count packets that the kernel dropped on %s: %w", d.node, err)
	}
	return n, nil
}

// rawDrops adds up the drops of the VRRP sockets in /proc/net/raw. The port of
// their local addresses is the protocol, the last column the drops
// (raw_sock_seq_show in net/ipv4/raw.c).
func rawDrops(r io.Reader) (sum uint64, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		var address, protocol, drops uint64
		if len(fields) < 3 {
			continue
		}
		if n, _ := fmt.Sscanf(fields[1], "%x:%x", &address, &protocol); n < 2 || protocol != vrrpProtocol {
			continue
		}
		if _, err := fmt.Sscan(fields[len(fields)-1], &drops); err != nil {
			return 0, fmt.Errorf("read %q: %w", lines.Text(), err)
		}
		sum += drops
	}
	return sum, lines.Err()
}
