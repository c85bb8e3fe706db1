// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lvs-ha/lvs-ha/internal/control"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lvs-ha": main})
}

// TestScripts runs each script beside a daemon with state_dir $WORK/daemon that
// carries out whatever it is told, and has a note to it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: startObedient})
}

// obedient is that daemon.
type obedient struct{}

func (obedient) Status(context.Context) (control.Status, error) {
	return control.Status{Name: "obedient"}, nil
}

func (obedient) Reload(context.Context) ([]string, error) {
	return []string{"lvs-ha.toml:5:13: warning: odd"}, nil
}

func (obedient) Standby(context.Context, string) ([]string, error) { return []string{"noted"}, nil }
func (obedient) Resume(context.Context, string) error              { return nil }

func (obedient) SetPriority(context.Context, string, uint8) ([]string, error) {
	return []string{"first", "second"}, nil
}

func startObedient(e *testscript.Env) error {
	dir := filepath.Join(e.WorkDir, "daemon")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	server, err := control.Listen(control.SocketPath(dir), obedient{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	e.Defer(func() {
		cancel()
		<-ended
	})
	return nil
}
