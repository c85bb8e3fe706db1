// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// ErrNoAnswer says that a command was sent and its acknowledgement did not come in time: it may have been carried out or not.
var ErrNoAnswer = errors.New("no answer from the kernel")

// version is IPVS_GENL_VERSION of linux/ip_vs.h.
const version = 1

// window is how many commands go out in one datagram. Only the last asks for an acknowledgement, but each may be refused:
// that many refusals (about 800 bytes of socket memory each) fit into the default receive buffer (net.core.rmem_default,
// 212992 bytes) twice over.
const window = 128

// A Request is one command of the family with its encoded attributes.
type Request struct {
	Command    uint8
	Attributes []byte
}

// A Conn is a socket of the IPVS family, opened anew by the call after one that failed. Each socket belongs to the network
// namespace of the thread that opens it. Not safe for concurrent use: it has one owner.
type Conn struct {
	timeout time.Duration
	netlink *netlink.Conn // nil when the next call has to connect
	family  uint16
}

// Open connects to the family, loading the kernel module ip_vs if need be. An answer that takes longer than timeout is
// given up with [ErrNoAnswer]. The error is [ErrNoIPVS] where the kernel cannot do IPVS.
func Open(ctx context.Context, timeout time.Duration) (*Conn, error) {
	c := &Conn{timeout: timeout}
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Close closes the socket. A later call would open another one.
func (c *Conn) Close() error {
	if c.netlink == nil {
		return nil
	}
	err := c.netlink.Close()
	c.netlink = nil
	return err
}

// Do carries out reqs in order; a refused one does not keep the next from being tried. It returns the outcome of each: nil,
// or the error number that the kernel answered (a [syscall.Errno]).
//
// When the connection fails, err says why and outcomes is shorter than reqs: of the missing ones the first up to 128 may
// have been carried out or not, the others were not sent.
func (c *Conn) Do(ctx context.Context, reqs []Request) (outcomes []error, err error) {
	outcomes = make([]error, 0, len(reqs))
	for len(reqs) > 0 {
		n := min(len(reqs), window)
		answered, err := c.doWindow(ctx, reqs[:n])
		if err != nil {
			return outcomes, err
		}
		outcomes = append(outcomes, answered...)
		reqs = reqs[n:]
	}
	return outcomes, nil
}

func (c *Conn) doWindow(ctx context.Context, reqs []Request) ([]error, error) {
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	msgs := make([]netlink.Message, len(reqs))
	for i, r := range reqs {
		m, err := c.message(r, netlink.Request)
		if err != nil {
			return nil, err
		}
		msgs[i] = m
	}
	last := len(msgs) - 1
	msgs[last].Header.Flags |= netlink.Acknowledge

	outcomes := make([]error, len(reqs))
	err := c.transact(ctx, msgs, func(nl *netlink.Conn, sent []netlink.Message) error {
		first := sent[0].Header.Sequence
		for {
			replies, err := nl.Receive()
			if refused := asRefusal(err); refused != nil {
				i := refused.Sequence - first // wraps as the sequence numbers do
				if int64(i) > int64(last) {
					return fmt.Errorf("answer to request %d of %d: %w", i, len(reqs), err)
				}
				outcomes[i] = refused.Err
				if int(i) == last {
					return nil
				}
				continue
			}
			if err != nil {
				return err
			}
			for _, r := range replies {
				if r.Header.Type == netlink.Error && r.Header.Sequence == sent[last].Header.Sequence {
					return nil
				}
			}
		}
	})
	return outcomes, err
}

// Dump asks for a list and returns the encoded attributes of each of its elements. The error is a [syscall.Errno] when the
// kernel refuses.
func (c *Conn) Dump(ctx context.Context, req Request) ([][]byte, error) {
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	msg, err := c.message(req, netlink.Request|netlink.Dump)
	if err != nil {
		return nil, err
	}
	var list [][]byte
	err = c.transact(ctx, []netlink.Message{msg}, func(nl *netlink.Conn, sent []netlink.Message) error {
		replies, err := nl.Receive()
		if err != nil {
			return err
		}
		if err := netlink.Validate(sent[0], replies); err != nil {
			return err
		}
		list = make([][]byte, 0, len(replies))
		for _, r := range replies {
			var m genetlink.Message
			if err := m.UnmarshalBinary(r.Data); err != nil {
				return fmt.Errorf("decode generic netlink header: %w", err)
			}
			list = append(list, m.Data)
		}
		return nil
	})
	if refused := asRefusal(err); refused != nil {
		return nil, refused.Err
	}
	return list, err
}

func (c *Conn) message(r Request, flags netlink.HeaderFlags) (netlink.Message, error) {
	data, err := genetlink.Message{
		Header: genetlink.Header{Command: r.Command, Version: version},
		Data:   r.Attributes,
	}.MarshalBinary()
	if err != nil {
		return netlink.Message{}, fmt.Errorf("encode generic netlink header: %w", err)
	}
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(c.family), Flags: flags},
		Data:   data,
	}, nil
}

// transact sends msgs and lets receive read the answers until the deadline or the end of ctx. Unless receive succeeds or
// the kernel refuses, answers may still be under way: the socket is closed, so that nobody takes them for his own.
func (c *Conn) transact(ctx context.Context, msgs []netlink.Message, receive func(*netlink.Conn, []netlink.Message) error) error {
	nl := c.netlink
	sent, err := nl.SendMessages(msgs)
	if err != nil {
		c.giveUp()
		return fmt.Errorf("send %d netlink messages: %w", len(msgs), err)
	}
	// The kernel carries a command out while it is being sent, however long that takes: only now does the time count.
	if err := nl.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		c.giveUp()
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = nl.SetReadDeadline(time.Unix(1, 0)) })
	err = receive(nl, sent)
	interrupted := !stop()
	if asRefusal(err) != nil && !interrupted {
		return err
	}
	if err != nil || interrupted {
		c.giveUp()
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrNoAnswer, context.Cause(ctx))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w within %v", ErrNoAnswer, c.timeout)
	default:
		return fmt.Errorf("receive netlink messages: %w", err)
	}
}

func (c *Conn) giveUp() {
	_ = c.Close() // what made the connection useless is the error worth telling
}

// asRefusal returns the answer in err by which the kernel refused a request, or nil when err is something else.
func asRefusal(err error) *netlink.OpError {
	var op *netlink.OpError
	if errors.As(err, &op) && op.Sequence != 0 {
		return op
	}
	return nil
}
