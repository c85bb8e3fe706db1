// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"github.com/lvs-ha/lvs-ha/internal/speaker"
)

// SpeakerSocket is where a speaker of the daemon with this state_dir waits for a
// new director.
func SpeakerSocket(stateDir string) string { return filepath.Join(stateDir, "speaker.sock") }

// SpeakerOptions is what ServeSpeaker needs to know.
type SpeakerOptions struct {
	StateDir string
	// Cautious makes address owners listen first.
	Cautious bool
	Log      *slog.Logger
	// Terminate fires when the process is asked to end.
	Terminate <-chan struct{}
}

// ServeSpeaker is the whole process of the speaker, started by Serve with the
// connection to its director at speaker.DirectorFD.
func ServeSpeaker(ctx context.Context, o SpeakerOptions) (err error) {
	file := os.NewFile(speaker.DirectorFD, "director")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return fmt.Errorf("take over the connection to the director: %w: the speaker is started by `lvs-ha run`, not by hand", err)
	}
	memory := os.NewFile(speaker.PulseFD, "pulse")
	defer memory.Close() // not before: a new director opens it through /proc
	_, pulse, err := speaker.MapPulse(memory)
	if err != nil {
		return err
	}
	// One goroutine does nearly all the work: a second processor would only be
	// woken in vain.
	runtime.GOMAXPROCS(1)
	path := SpeakerSocket(o.StateDir)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove stale socket %s: %w", path, err)
	}
	successors, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listen for a new director: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("set mode of socket %s: %w", path, err)
	}
	system, stop, err := speaker.OpenSystem(o.StateDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	turned := make(chan struct{}, 1)
	system.Beat = func() {
		pulse.Beat()
		select {
		case turned <- struct{}{}:
		default:
		}
	}
	priority := 0
	return speaker.Serve(ctx, speaker.ServeOptions{
		Director: conn, Successors: successors, Pulse: pulse, Turned: turned, Terminate: o.Terminate, Log: o.Log,
		Tell: func(e speaker.Event) {
			if said, ok := spoken(e); ok {
				said.log(ctx, o.Log)
			}
		},
		Speaker: func(commands <-chan speaker.Command, events chan<- speaker.Event) *speaker.Speaker {
			s := speaker.New(system, commands, events)
			if o.Cautious {
				s.Cautious()
			}
			return s
		},
		Apply: func(s speaker.Settings) error {
			if s.RealtimePriority == priority {
				return nil
			}
			priority = s.RealtimePriority
			return speaker.SetRealtime(priority)
		},
	})
}
