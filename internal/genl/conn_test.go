// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"go.uber.org/goleak"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// controller returns a connection to the family that every kernel has, and that everybody may ask: generic netlink's own.
func controller(t *testing.T, timeout time.Duration) *Conn {
	t.Helper()
	nl, err := netlink.Dial(genetlink.Protocol, nil)
	if err != nil {
		t.Skipf("generic netlink is not to be had here: %v", err)
	}
	c := &Conn{timeout: timeout, netlink: nl, family: unix.GENL_ID_CTRL}
	t.Cleanup(func() { c.Close() })
	return c
}

// deafen makes the connection lose all answers.
func deafen(t *testing.T, c *Conn) {
	t.Helper()
	drop, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 0}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.netlink.SetBPF(drop); err != nil {
		t.Fatal(err)
	}
}

// ask returns a request for the family of the given name.
func ask(t *testing.T, name string) Request {
	t.Helper()
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.CTRL_ATTR_FAMILY_NAME, name)
	attrs, err := ae.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return Request{Command: unix.CTRL_CMD_GETFAMILY, Attributes: attrs}
}

func TestDoTellsEachOutcome(t *testing.T) {
	var (
		good    = ask(t, "nlctrl")
		empty   = Request{Command: unix.CTRL_CMD_GETFAMILY}
		unknown = Request{Command: 200}
	)
	tests := []struct {
		name string
		pick func(i int) (Request, error)
		n    int
	}{
		{"none", nil, 0},
		{"one good", func(int) (Request, error) { return good, nil }, 1},
		{"one bad", func(int) (Request, error) { return empty, unix.EINVAL }, 1},
		{"a window of bad ones", func(int) (Request, error) { return unknown, unix.EOPNOTSUPP }, window},
		{"many windows, good and bad", func(i int) (Request, error) {
			switch {
			case i%50 == 0:
				return good, nil
			case i%3 == 0:
				return empty, unix.EINVAL
			default:
				return unknown, unix.EOPNOTSUPP
			}
		}, 5*window + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := controller(t, time.Minute)
			reqs, want := make([]Request, tt.n), make([]error, tt.n)
			for i := range tt.n {
				reqs[i], want[i] = tt.pick(i)
			}
			outcomes, err := c.Do(t.Context(), reqs)
			if err != nil || len(outcomes) != tt.n {
				t.Fatalf("%d outcomes, %v; want %d", len(outcomes), err, tt.n)
			}
			for i, got := range outcomes {
				if !errors.Is(got, want[i]) {
					t.Errorf("request %d: %v, want %v", i, got, want[i])
				}
			}
		})
	}
}

func TestDump(t *testing.T) {
	c := controller(t, time.Minute)
	list, err := c.Dump(t.Context(), Request{Command: unix.CTRL_CMD_GETFAMILY})
	if err != nil || len(list) == 0 {
		t.Errorf("%d families, %v; want at least one", len(list), err)
	}
	if _, err := c.Dump(t.Context(), Request{Command: 200}); !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("unknown command: %v, want %v", err, unix.EOPNOTSUPP)
	}
	if c.netlink == nil {
		t.Error("a refusal cost the connection")
	}
}

// TestLostAnswer: the wait for an answer that never comes ends, and the socket it might still come to is given up.
func TestLostAnswer(t *testing.T) {
	calls := map[string]func(context.Context, *Conn) error{
		"do": func(ctx context.Context, c *Conn) error {
			outcomes, err := c.Do(ctx, []Request{{Command: 200}})
			if len(outcomes) > 0 {
				t.Errorf("outcomes %v, want none", outcomes)
			}
			return err
		},
		"dump": func(ctx context.Context, c *Conn) error {
			_, err := c.Dump(ctx, Request{Command: unix.CTRL_CMD_GETFAMILY})
			return err
		},
	}
	for name, call := range calls {
		t.Run(name+" until the deadline", func(t *testing.T) {
			c := controller(t, time.Millisecond)
			deafen(t, c)
			if err := call(t.Context(), c); !errors.Is(err, ErrNoAnswer) {
				t.Errorf("error %v, want %v", err, ErrNoAnswer)
			}
			if c.netlink != nil {
				t.Error("the socket is still in use")
			}
		})
		t.Run(name+" until the context ends", func(t *testing.T) {
			c := controller(t, time.Hour)
			deafen(t, c)
			why := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Millisecond, func() { cancel(why) })
			if err := call(ctx, c); !errors.Is(err, ErrNoAnswer) && !errors.Is(err, why) {
				t.Errorf("error %v, want %v for %v", err, ErrNoAnswer, why)
			}
			if c.netlink != nil {
				t.Error("the socket is still in use")
			}
		})
	}
}

func TestCancelledBefore(t *testing.T) {
	c := controller(t, time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Do(ctx, []Request{{Command: 200}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if c.netlink == nil {
		t.Error("the socket was given up though nothing was sent")
	}
}

func TestCloseTwice(t *testing.T) {
	c := controller(t, time.Minute)
	for range 2 {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}
