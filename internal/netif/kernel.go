// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// answerTimeout is how long the kernel may take to answer. It answers before sending returns, so only an answer that
	// was lost makes it pass.
	answerTimeout = 2 * time.Second
	// dumpTimeout is how long a dump is tried that changes interrupt, as a Hold of many VIPs does while it goes on.
	dumpTimeout = 2 * time.Second
	// batchSize is how many operations go out in one system call. If the kernel refuses all of them, its answers still
	// fit into the default receive buffer.
	batchSize = 128
)

// rtnetlink is the kernel, behind one netlink socket.
type rtnetlink struct {
	conn *netlink.Conn // nil after a failure of the socket itself; the next call opens a new one
}

func dialRTNetlink() (*rtnetlink, error) {
	r := &rtnetlink{}
	return r, r.open()
}

func (r *rtnetlink) open() error {
	if r.conn != nil {
		return nil
	}
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return fmt.Errorf("open route netlink socket: %w", err)
	}
	if err := conn.SetOption(netlink.ExtendedAcknowledge, true); err != nil {
		return errors.Join(fmt.Errorf("ask route netlink socket for extended answers: %w", err), conn.Close())
	}
	// Only a kernel older than 4.20 refuses; it answers with more than was asked for.
	_ = conn.SetOption(netlink.GetStrictCheck, true)
	r.conn = conn
	return nil
}

// Close closes the socket.
func (r *rtnetlink) Close() error {
	if r.conn == nil {
		return nil
	}
	conn := r.conn
	r.conn = nil
	return conn.Close()
}

// dump asks for all objects of a kind that fit the request, until it gets a consistent answer.
func (r *rtnetlink) dump(request netlink.HeaderType, body []byte) ([]netlink.Message, error) {
	for start := time.Now(); time.Since(start) < dumpTimeout; {
		if err := r.open(); err != nil {
			return nil, err
		}
		if err := r.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
			return nil, errors.Join(err, r.Close())
		}
		messages, err := r.conn.Execute(netlink.Message{
			Header: netlink.Header{Type: request, Flags: netlink.Request | netlink.Dump},
			Data:   body,
		})
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, errors.Join(err, r.Close())
		case !slices.ContainsFunc(messages, interrupted):
			return messages, nil
		}
	}
	return nil, fmt.Errorf("changes interrupted it for %s", dumpTimeout)
}

func interrupted(m netlink.Message) bool { return m.Header.Flags&netlink.DumpInterrupted != 0 }

// operation is one change of the kernel's.
type operation interface {
	// message returns the netlink message that makes the change, on the links of s.
	message(s snapshot) (netlink.Message, error)
	// outcome returns what the kernel's error means: nil if the change is made nevertheless, else what to tell.
	outcome(err error) error
}

// apply implements kernel.
func (r *rtnetlink) apply(s snapshot, ops []operation) []error {
	failed := make([]error, 0, len(ops))
	for batch := range slices.Chunk(ops, batchSize) {
		failed = append(failed, r.applyBatch(s, batch)...)
	}
	return failed
}

// applyBatch performs up to batchSize operations in one system call. The kernel goes through all of them, and answers
// those that fail and the last one, in order.
func (r *rtnetlink) applyBatch(s snapshot, ops []operation) []error {
	failed := make([]error, len(ops))
	messages := make([]netlink.Message, len(ops))
	for i, o := range ops {
		m, err := o.message(s)
		if err != nil {
			return fill(failed, err)
		}
		messages[i] = m
	}
	messages[len(ops)-1].Header.Flags |= netlink.Acknowledge

	sent, err := r.send(messages)
	if err != nil {
		return fill(failed, err)
	}
	first, last := sent[0].Header.Sequence, sent[len(sent)-1].Header.Sequence
	for {
		answers, err := r.conn.Receive()
		var e *netlink.OpError
		switch {
		case err == nil:
			if slices.ContainsFunc(answers, func(m netlink.Message) bool { return m.Header.Sequence == last }) {
				return failed
			}
		case errors.As(err, &e) && e.Sequence != 0:
			i := e.Sequence - first // the numbers are consecutive, modulo 2^32
			if i >= uint32(len(ops)) {
				continue
			}
			failed[i] = refusal{errno: e.Err, message: e.Message}
			if e.Sequence == last {
				return failed
			}
		default:
			return fill(failed, errors.Join(fmt.Errorf("no answer: %w", err), r.Close()))
		}
	}
}

func (r *rtnetlink) send(messages []netlink.Message) ([]netlink.Message, error) {
	if err := r.open(); err != nil {
		return nil, err
	}
	if err := r.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	sent, err := r.conn.SendMessages(messages)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return sent, nil
}

// fill sets the outcome of the operations that have none yet.
func fill(failed []error, err error) []error {
	for i := range failed {
		if failed[i] == nil {
			failed[i] = err
		}
	}
	return failed
}

// refusal is the kernel's own answer to one operation: it certainly was not done.
type refusal struct {
	errno   error
	message string // what the kernel says beyond the number (extended acknowledgement); mostly empty
}

// Error returns the error's text and the kernel's words.
func (r refusal) Error() string {
	if r.message == "" {
		return r.errno.Error()
	}
	return fmt.Sprintf("%v (%s)", r.errno, r.message)
}

// Unwrap returns the kernel's error number.
func (r refusal) Unwrap() error { return r.errno }

// refused reports whether err is the kernel's own answer.
func refused(err error) bool {
	var r refusal
	return errors.As(err, &r)
}
