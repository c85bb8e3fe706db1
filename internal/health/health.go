// SPDX-License-Identifier: Apache-2.0

// Package health finds out whether real servers answer.
//
// A Prober asks one question of one address. A Monitor turns its answers into
// a Verdict by rise and fall. A Runner asks on schedule for many targets and
// reports each Result. What a verdict does to a real server's weight is
// decided elsewhere.
package health

import (
	"context"
	"fmt"
	"net/netip"
)

// A Prober asks once whether an address answers as it should.
type Prober interface {
	// Probe returns nil when target answers well, else why it does not, in
	// few words. It returns soon after ctx ends. The limit on the answer is
	// ctx's deadline; Check.Timeout is only how the reason words it.
	//
	// When ctx is cancelled, as opposed to timed out, the error wraps
	// context.Canceled and says nothing about target.
	Probe(ctx context.Context, target netip.AddrPort) error
}

// NewProber returns the prober that c describes, safe for concurrent use. The
// error names the field of c that is wrong, in the words of the configuration
// file. A CA file is read here, once.
func NewProber(c Check) (Prober, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	switch c.Type {
	case TypeTCP:
		return &tcpProber{timeout: c.Timeout}, nil
	case TypeHTTP, TypeHTTPS:
		return newHTTPProber(c)
	case TypeUDP:
		return newUDPProber(c), nil
	case TypeExec:
		return newExecProber(c), nil
	default:
		return nil, fmt.Errorf("type %q: expected tcp, http, https, udp or exec", c.Type)
	}
}
