// SPDX-License-Identifier: Apache-2.0

// Package control is the daemon's control socket: JSON over HTTP on a unix
// socket in director.state_dir, mode 0660. Whoever may write to the socket may
// operate the daemon.
package control

import (
	"context"
	"net"
	"path/filepath"
)

// SocketName is the name of the control socket inside director.state_dir.
const SocketName = "control.sock"

// SocketPath returns where a daemon with the given state_dir listens.
func SocketPath(stateDir string) string { return filepath.Join(stateDir, SocketName) }

const (
	pathStatus = "/v1/status"
	pathReload = "/v1/reload"
	// An order names its instance in the query; without one it is for all.
	pathStandby  = "/v1/standby"
	pathResume   = "/v1/resume"
	pathPriority = "/v1/priority" // with the priority in the query; 0: as configured
)

// Daemon is what the control socket operates.
type Daemon interface {
	// Status describes the daemon at this moment.
	Status(ctx context.Context) (Status, error)
	// Reload reads the configuration again. A bad file changes nothing; the
	// error names every problem, one a line. notes are its warnings.
	Reload(ctx context.Context) (notes []string, err error)
	// Standby hands the role of an instance over and keeps it from mastership;
	// an empty name means all. It returns when that is done. Where nobody takes
	// a role over, the instance stays master and the error says so. notes are
	// lines for the operator.
	Standby(ctx context.Context, instance string) (notes []string, err error)
	// Resume ends Standby.
	Resume(ctx context.Context, instance string) error
	// SetPriority replaces the configured priority, 1-254; 0 brings it back.
	// notes are lines for the operator.
	SetPriority(ctx context.Context, instance string, priority uint8) (notes []string, err error)
}

// answer is what the daemon says to a request that it has carried out, if it
// has anything to say.
type answer struct {
	Notes []string `json:"notes"`
}

func dialer(path string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}
