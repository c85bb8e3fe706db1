// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/director"
	"github.com/lvs-ha/lvs-ha/internal/journal"
)

// speakerCommand is the second process of `lvs-ha run`, which starts it.
func speakerCommand() *cobra.Command {
	var o director.SpeakerOptions
	c := &cobra.Command{
		Use:    "speaker",
		Short:  "The process that speaks VRRP, started by run",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			handler, err := journal.New(os.Stderr, os.Getenv, slog.LevelInfo)
			if err != nil {
				return err
			}
			o.Log = slog.New(handler)
			// Signals are the director's to obey, as long as there is one.
			signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
			asked, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			o.Terminate = asked.Done()
			return director.ServeSpeaker(c.Context(), o)
		},
	}
	c.Flags().StringVar(&o.StateDir, "state-dir", config.DefaultStateDir, "the daemon's director.state_dir")
	c.Flags().BoolVar(&o.Cautious, "cautious", false, "listen to the network before becoming master")
	return c
}

// speakerCommandLine is how run starts it.
func speakerCommandLine(stateDir string, cautious bool) []string {
	line := []string{"lvs-ha", "speaker", "--state-dir", stateDir}
	if cautious {
		line = append(line, "--cautious")
	}
	return line
}
