// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lvs-ha/lvs-ha/internal/control"
)

// reloadTimeout bounds the wait for a reload, in which the kernel's table may have
// to be written.
const reloadTimeout = time.Minute

func reloadCommand() *cobra.Command {
	var daemon daemonFlags
	c := &cobra.Command{
		Use:   "reload",
		Short: "Make the daemon read its configuration again",
		Long: "Make the daemon read its configuration again. A bad file changes nothing; the answer names every problem.\n" +
			"Warnings about a good one are printed.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), reloadTimeout)
			defer cancel()
			if err := daemon.ask(c, func(client *control.Client) error { return client.Reload(ctx) }); err != nil {
				return fmt.Errorf("reload: %w", err)
			}
			return nil
		},
	}
	daemon.add(c)
	return c
}
