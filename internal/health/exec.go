// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync"

	"github.com/lvs-ha/lvs-ha/internal/command"
)

// Exec is the program of an exec probe. It finds the target's address, if it has one, in the environment variables
// LVSHA_ADDRESS and LVSHA_PORT.
type Exec struct {
	Argv []string // program and arguments; the program is an absolute path
	User string   // name or number of the user that runs it
}

// execProber is content with exit status 0.
type execProber struct {
	spec command.Spec

	mu   sync.Mutex
	gone <-chan struct{} // of a program that the kernel did not end: see command.Error; nil: none
}

func newExecProber(c Check) *execProber {
	return &execProber{spec: command.Spec{Argv: c.Exec.Argv, User: c.Exec.User, Timeout: c.Timeout}}
}

func (p *execProber) Probe(ctx context.Context, target netip.AddrPort) error {
	if p.hangs() {
		return errors.New("the program of an earlier probe was killed, but the kernel has not ended it")
	}
	spec := p.spec
	if target.IsValid() {
		spec.Env = []string{
			"LVSHA_ADDRESS=" + target.Addr().String(),
			"LVSHA_PORT=" + strconv.Itoa(int(target.Port())),
		}
	}
	err := command.Run(ctx, spec)
	if err == nil {
		return nil
	}
	var failed *command.Error
	if !errors.As(err, &failed) {
		return explain(ctx, err, "")
	}
	if failed.Gone != nil {
		p.mu.Lock()
		p.gone = failed.Gone
		p.mu.Unlock()
	}
	if failed.Reason == command.Interrupted {
		return explain(ctx, context.Canceled, "")
	}
	return &failure{reason: clip(failed.Detail()), cause: err}
}

// hangs tells whether an earlier program is still there, so that another one would only join it.
func (p *execProber) hangs() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone == nil {
		return false
	}
	select {
	case <-p.gone:
		p.gone = nil
		return false
	default:
		return true
	}
}

func (e Exec) validate() error {
	switch {
	case len(e.Argv) == 0:
		return errors.New("command: expected a program and its arguments")
	case e.Argv[0] == "" || e.Argv[0][0] != '/':
		return fmt.Errorf("command %q: expected an absolute path", e.Argv[0])
	case e.User == "":
		return errors.New("user: expected who runs the command")
	}
	return nil
}
