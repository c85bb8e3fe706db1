// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lvs-ha/lvs-ha/internal/control"
)

// statusTimeout bounds the wait for a status: a daemon that is well has it at once.
const statusTimeout = 5 * time.Second

func statusCommand() *cobra.Command {
	var daemon daemonFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show roles, VIPs, virtual servers and the sync daemon",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), statusTimeout)
			defer cancel()
			var status control.Status
			err := daemon.ask(c, func(client *control.Client) (err error) {
				status, err = client.Status(ctx)
				return err
			})
			if err != nil {
				return fmt.Errorf("status: %w", err)
			}
			if asJSON {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(status)
			}
			return status.WriteText(c.OutOrStdout(), time.Now())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	daemon.add(c)
	return c
}
