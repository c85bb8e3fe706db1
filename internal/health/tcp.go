// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// tcpProber is content with an accepted connection.
type tcpProber struct {
	timeout time.Duration
}

func (p *tcpProber) Probe(ctx context.Context, target netip.AddrPort) error {
	conn, err := dialTCP(ctx, target)
	if err != nil {
		return explain(ctx, err, fmt.Sprintf("no answer within %s", p.timeout))
	}
	_ = conn.Close() // the question is answered, and a reset cannot fail
	return nil
}
