// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// protocolVersion is that of the messages between the two processes. Both
	// say theirs first; they part when it is not the same.
	protocolVersion = 2
	// maxFrame bounds the memory that the other process can ask for: enough for
	// the status of 1000 instances with 4000 VIPs each.
	maxFrame = 256 << 20
)

// hello is the first message in each direction.
type hello struct {
	Version int
	PID     int
}

func (hello) command() {}
func (hello) event()   {}

// envelope is one message on the wire: behind its length in 4 octets, most
// significant first, as JSON.
type envelope struct {
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
}

// kindOf names the type of a message.
func kindOf(message any) (string, error) {
	switch message.(type) {
	case hello:
		return "hello", nil
	case Configure:
		return "configure", nil
	case Tracked:
		return "tracked", nil
	case Query:
		return "query", nil
	case Shutdown:
		return "shutdown", nil
	case Transition:
		return "transition", nil
	case Fault:
		return "fault", nil
	case Recovered:
		return "recovered", nil
	case Moved:
		return "moved", nil
	case Restored:
		return "restored", nil
	case Foreign:
		return "foreign", nil
	case Contested:
		return "contested", nil
	case Conflict:
		return "conflict", nil
	case Claimed:
		return "claimed", nil
	case PriorityChanged:
		return "priority_changed", nil
	case StandbyRefused:
		return "standby_refused", nil
	case Stalled:
		return "stalled", nil
	case Discarded:
		return "discarded", nil
	case Failed:
		return "failed", nil
	case Stopped:
		return "stopped", nil
	case Status:
		return "status", nil
	default:
		return "", fmt.Errorf("%T is no message", message)
	}
}

// appendFrame appends a message as it goes over the wire.
func appendFrame(b []byte, message any) ([]byte, error) {
	kind, err := kindOf(message)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	frame, err := json.Marshal(envelope{kind, body})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	if len(frame) > maxFrame {
		return nil, fmt.Errorf("encode %s: %d bytes, more than a message may have", kind, len(frame))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(frame)))
	return append(b, frame...), nil
}

// readFrame reads the frame of one message.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxFrame {
		return nil, fmt.Errorf("garbled message: length %d", n)
	}
	// It grows with what really comes, whatever the length says.
	var frame bytes.Buffer
	if _, err := io.CopyN(&frame, r, int64(n)); err != nil {
		return nil, fmt.Errorf("message of %d bytes ends early: %w", n, err)
	}
	return frame.Bytes(), nil
}

// decodeCommand is the inverse of appendFrame for what the director sends.
func decodeCommand(frame []byte) (Command, error) {
	e, err := open(frame)
	if err != nil {
		return nil, err
	}
	switch e.Kind {
	case "hello":
		return body[hello](e)
	case "configure":
		c, err := body[Configure](e)
		if err != nil {
			return nil, err
		}
		return c, c.validate()
	case "tracked":
		return body[Tracked](e)
	case "query":
		return body[Query](e)
	case "shutdown":
		return body[Shutdown](e)
	}
	return nil, fmt.Errorf("garbled message: unknown command %q", e.Kind)
}

// decodeEvent is the inverse of appendFrame for what the speaker sends.
func decodeEvent(frame []byte) (Event, error) {
	e, err := open(frame)
	if err != nil {
		return nil, err
	}
	switch e.Kind {
	case "hello":
		return body[hello](e)
	case "transition":
		return body[Transition](e)
	case "fault":
		return body[Fault](e)
	case "recovered":
		return body[Recovered](e)
	case "moved":
		return body[Moved](e)
	case "restored":
		return body[Restored](e)
	case "foreign":
		return body[Foreign](e)
	case "contested":
		return body[Contested](e)
	case "conflict":
		return body[Conflict](e)
	case "claimed":
		return body[Claimed](e)
	case "priority_changed":
		return body[PriorityChanged](e)
	case "standby_refused":
		return body[StandbyRefused](e)
	case "stalled":
		return body[Stalled](e)
	case "discarded":
		return body[Discarded](e)
	case "failed":
		return body[Failed](e)
	case "stopped":
		return body[Stopped](e)
	case "status":
		return body[Status](e)
	}
	return nil, fmt.Errorf("garbled message: unknown event %q", e.Kind)
}

func open(frame []byte) (envelope, error) {
	var e envelope
	if err := strict(frame, &e); err != nil {
		return e, fmt.Errorf("garbled message: %w", err)
	}
	return e, nil
}

func body[T any](e envelope) (T, error) {
	var message T
	if err := strict(e.Body, &message); err != nil {
		return message, fmt.Errorf("garbled %s: %w", e.Kind, err)
	}
	return message, nil
}

// strict decodes one JSON value that is all of b and has no unknown fields.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows the value")
	}
	return nil
}

// validate refuses what no director asks for, so that a garbled message cannot
// become a configuration.
func (c Configure) validate() error {
	names := make(map[string]bool)
	for _, i := range c.Instances {
		switch {
		case i.Name == "" || names[i.Name]:
			return fmt.Errorf("garbled configure: instance %q without a name of its own", i.Name)
		case i.Interface == "" || i.VRID == 0 || i.Priority == 0 || i.AdvertInterval <= 0 || i.Lease < 0:
			return fmt.Errorf("garbled configure: instance %s has values out of range", i.Name)
		case len(i.Addresses) == 0:
			return fmt.Errorf("garbled configure: instance %s has no addresses", i.Name)
		}
		names[i.Name] = true
		for v := range i.vips() {
			if !v.Prefix.IsValid() || v.Interface == "" {
				return fmt.Errorf("garbled configure: instance %s has a VIP without address or interface", i.Name)
			}
		}
	}
	if s := c.Settings; s.Heartbeat < 0 || s.Hold < 0 || s.RealtimePriority < 0 || s.RealtimePriority > 99 {
		return errors.New("garbled configure: settings out of range")
	}
	return nil
}
