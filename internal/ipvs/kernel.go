// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/lvs-ha/lvs-ha/internal/genl"
)

// ErrNoIPVS says that the running kernel has no IPVS and that its module could not be loaded.
var ErrNoIPVS = genl.ErrNoIPVS

// ErrNoAnswer says that operations were sent whose acknowledgement did not come: they may have been carried out or not.
var ErrNoAnswer = genl.ErrNoAnswer

// answerTimeout bounds the wait for the kernel's answer, which is there at once unless it is lost.
const answerTimeout = 3 * time.Second

// Kernel is the IPVS table of the network namespace of the calling thread. Not safe for concurrent use: it has one owner.
// After a failed call it can be used on.
type Kernel struct{ conn *genl.Conn }

// OpenKernel connects to the kernel's IPVS, loading its module if need be. Where that cannot be done, the error is
// [ErrNoIPVS] and says what to do.
func OpenKernel(ctx context.Context) (*Kernel, error) {
	conn, err := genl.Open(ctx, answerTimeout)
	if err != nil {
		return nil, fmt.Errorf("open IPVS: %w", err)
	}
	return &Kernel{conn}, nil
}

// Close releases the connection; the table stays as it is.
func (k *Kernel) Close() error { return k.conn.Close() }

// Snapshot reads the table, except services by firewall mark.
//
// It is one request per service: a change that somebody makes meanwhile may be seen in part.
func (k *Kernel) Snapshot(ctx context.Context) (Snapshot, error) {
	list, err := k.conn.Dump(ctx, genl.Request{Command: cmdGetService})
	if err != nil {
		return Snapshot{}, fmt.Errorf("list IPVS services: %w", err)
	}
	snap := Snapshot{Connections: make(map[DestinationKey]Connections)}
	for _, b := range list {
		service, err := parseService(b)
		if errors.Is(err, errFWMark) {
			continue
		}
		if err != nil {
			return Snapshot{}, fmt.Errorf("list IPVS services: %w", err)
		}
		entry := Entry{Service: service}
		if entry.Destinations, err = k.destinations(ctx, service.Key, snap.Connections); err != nil {
			return Snapshot{}, fmt.Errorf("list destinations of %v: %w", service.Key, err)
		}
		snap.Table = append(snap.Table, entry)
	}
	snap.Table = snap.Table.Normalize()
	return snap, nil
}

func (k *Kernel) destinations(ctx context.Context, key ServiceKey, counts map[DestinationKey]Connections) ([]Destination, error) {
	req, err := encode(cmdGetDest, func(ae *netlink.AttributeEncoder) { ae.Nested(attrService, key.encode) })
	if err != nil {
		return nil, err
	}
	list, err := k.conn.Dump(ctx, req)
	if err != nil {
		return nil, err
	}
	dests := make([]Destination, 0, len(list))
	for _, b := range list {
		d, conns, err := parseDestination(b)
		if err != nil {
			return nil, err
		}
		dests = append(dests, d)
		counts[DestinationKey{Service: key, Address: d.Address}] = conns
	}
	return dests, nil
}

// Apply carries out the operations in order. One that fails does not keep the others from being tried: the error joins an
// [*OpError] for each that failed, also where the table already is as the operation would make it (EEXIST on an addition,
// ENOENT or ESRCH on a deletion), since then somebody else has changed it meanwhile. The remedy is the same for all: take
// a new [Kernel.Snapshot], plan again, apply again.
//
// When the kernel's answers cease, the error is [ErrNoAnswer] or what broke the connection, and the operations from the one
// it names were not confirmed: the first of them may have been carried out.
func (k *Kernel) Apply(ctx context.Context, ops []Op) error {
	var (
		errs []error
		sent []Op
		reqs []genl.Request
	)
	for _, op := range ops {
		req, err := request(op)
		if err != nil {
			errs = append(errs, &OpError{op, err})
			continue
		}
		sent, reqs = append(sent, op), append(reqs, req)
	}
	outcomes, err := k.conn.Do(ctx, reqs)
	for i, outcome := range outcomes {
		if outcome != nil {
			errs = append(errs, &OpError{sent[i], outcome})
		}
	}
	if err != nil {
		open := sent[len(outcomes):]
		errs = append(errs, fmt.Errorf("%d of %d operations not confirmed, from %q on: %w", len(open), len(ops), open[0], err))
	}
	return errors.Join(errs...)
}
