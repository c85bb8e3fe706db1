// SPDX-License-Identifier: Apache-2.0

package pair

import (
	"context"
	"strings"
)

// Established returns the clients (address:port) of the established TCP
// connections to a virtual address that a node's kernel knows.
func (p *Pair) Established(ctx context.Context, node, virtual string) (map[string]bool, error) {
	out, err := p.Output(ctx, node, "ipvsadm", "-Lnc")
	if err != nil {
		return nil, err
	}
	clients := make(map[string]bool)
	for line := range strings.Lines(out) {
		// TCP 14:59  ESTABLISHED 10.0.1.2:40852 10.0.1.100:7 10.0.2.21:7
		f := strings.Fields(line)
		if len(f) == 6 && f[0] == "TCP" && f[2] == "ESTABLISHED" && f[4] == virtual {
			clients[f[3]] = true
		}
	}
	return clients, nil
}

// WaitReplicated waits until a node knows n established connections to a
// virtual address beside those of before.
func (p *Pair) WaitReplicated(ctx context.Context, node, virtual string, n int, before map[string]bool) error {
	return Wait(ctx, "replicated connections on "+node, func() (bool, error) {
		now, err := p.Established(ctx, node, virtual)
		for client := range before {
			delete(now, client)
		}
		return len(now) >= n, err
	})
}
