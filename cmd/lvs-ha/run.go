// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/lvs-ha/lvs-ha/internal/director"
	"github.com/lvs-ha/lvs-ha/internal/journal"
)

func runCommand() *cobra.Command {
	var file string
	var debug bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon in the foreground",
		Long: "Run the daemon in the foreground until SIGTERM or SIGINT, which hand the VIPs over first.\n" +
			"SIGHUP reloads the configuration. A second SIGTERM or SIGINT ends the daemon at once.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return run(c.Context(), file, debug) },
	}
	c.Flags().StringVarP(&file, "config", "c", defaultConfig, "configuration file")
	c.Flags().BoolVar(&debug, "debug", false, "log more")
	return c
}

func run(ctx context.Context, file string, debug bool) error {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	handler, err := journal.New(os.Stderr, os.Getenv, level)
	if err != nil {
		return err
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("read watchdog settings of the service manager: %w", err)
	}
	signal.Ignore(syscall.SIGPIPE) // a log reader that goes away is no reason to die
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, func() {
		stop() // a second signal ends the process
		notify(daemon.SdNotifyStopping)
	})
	// Caught to the end: its default action would cut a hand-over short.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return director.Serve(ctx, director.Options{
		ConfigFile: file, Version: version, Log: slog.New(handler), Host: machine{},
		Hangup: hangup, Watchdog: watchdog, Notify: notify, SpeakerCommand: speakerCommandLine,
	})
}

// notify reports to the service manager; without one it does nothing.
func notify(state string) {
	// A manager that does not listen is no reason to fail.
	_, _ = daemon.SdNotify(false, state)
}
