// SPDX-License-Identifier: Apache-2.0

package syncd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/internal/genl"
)

// ErrNoAnswer says that a command was sent whose acknowledgement did not come: it may have been carried out or not.
var ErrNoAnswer = genl.ErrNoAnswer

const (
	// answerTimeout bounds the wait for the kernel's answer, which is there as soon as the command is carried out.
	answerTimeout = 3 * time.Second
	// stopTimeout bounds it for a stop, whose answer may be lost: a daemon that is stopped before its thread ever ran ends
	// with EINTR, which netlink takes for a request to be silent (netlink_rcv_skb in net/netlink/af_netlink.c). A wait that
	// was too short does no harm where the outcome is read back.
	stopTimeout = 250 * time.Millisecond
)

// Kernel is the sync daemons of the network namespace of the calling thread. Not safe for concurrent use: it has one owner.
// After a failed call it can be used on.
type Kernel struct{ conn *genl.Conn }

// OpenKernel connects to the kernel's IPVS, loading its module if need be. Where that cannot be done, the error says what to
// do.
func OpenKernel(ctx context.Context) (*Kernel, error) {
	conn, err := genl.Open(ctx, answerTimeout)
	if err != nil {
		return nil, fmt.Errorf("open IPVS: %w", err)
	}
	return &Kernel{conn}, nil
}

// Close releases the connection; the daemons run on.
func (k *Kernel) Close() error { return k.conn.Close() }

// Daemons returns the daemons that run, the master first.
func (k *Kernel) Daemons(ctx context.Context) ([]Daemon, error) {
	list, err := k.conn.Dump(ctx, genl.Request{Command: cmdGetDaemon})
	if err != nil {
		return nil, fmt.Errorf("list sync daemons: %w", err)
	}
	daemons := make([]Daemon, 0, len(list))
	for _, b := range list {
		d, err := parseDaemon(b)
		if err != nil {
			return nil, fmt.Errorf("list sync daemons: %w", err)
		}
		daemons = append(daemons, d)
	}
	slices.SortFunc(daemons, func(a, b Daemon) int { return int(a.Role) - int(b.Role) })
	return daemons, nil
}

// Start starts a daemon. The error is [unix.EEXIST] while one of its role runs.
func (k *Kernel) Start(ctx context.Context, d Daemon) error {
	if err := d.check(); err != nil {
		return fmt.Errorf("start %v: %w", d, err)
	}
	req, err := startRequest(d)
	if err == nil {
		err = k.do(ctx, req)
	}
	if err != nil {
		return fmt.Errorf("start %v: %w%s", d, err, meaning(d, err))
	}
	return nil
}

// Stop stops the daemon of a role. The error is [unix.ESRCH] when there is none, and may be [ErrNoAnswer] though the daemon
// has stopped, if it had only just been started.
func (k *Kernel) Stop(ctx context.Context, r Role) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	req, err := stopRequest(r)
	if err == nil {
		err = k.do(ctx, req)
	}
	if err != nil {
		return fmt.Errorf("stop %v sync daemon: %w", r, err)
	}
	return nil
}

func (k *Kernel) do(ctx context.Context, req genl.Request) error {
	outcomes, err := k.conn.Do(ctx, []genl.Request{req})
	if err != nil {
		return err
	}
	return outcomes[0]
}

// meaning tells what an error number means in answer to a start (net/netfilter/ipvs/ip_vs_sync.c), in parentheses.
func meaning(d Daemon, err error) string {
	switch {
	case errors.Is(err, unix.EPERM):
		return " (CAP_NET_ADMIN is needed)"
	case errors.Is(err, unix.EEXIST):
		return fmt.Sprintf(" (another %v runs)", d.Role)
	case errors.Is(err, unix.ENODEV):
		return fmt.Sprintf(" (there is no interface %s)", d.Config.Interface)
	case errors.Is(err, unix.ENETUNREACH):
		return fmt.Sprintf(" (is %s up?)", d.Config.Interface)
	case errors.Is(err, unix.EINVAL):
		return " (impossible while a service has destinations of the other address family)"
	default:
		return ""
	}
}
