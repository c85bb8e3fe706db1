// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lvs-ha/lvs-ha/internal/config"
)

func checkCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Validate a configuration file",
		Long:  "Validate a configuration file: every problem as file:line:column: message, exit status 1 if one is an error.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				file = args[0]
			}
			_, problems := config.Load(file, machine{})
			failed := false
			for _, p := range problems {
				fmt.Fprintln(c.OutOrStdout(), p)
				if p.Source != "" {
					fmt.Fprintln(c.OutOrStdout(), "\t"+p.Source)
				}
				failed = failed || !p.Warning
			}
			if failed {
				return errors.New(file + " cannot be used")
			}
			return nil
		},
	}
	c.Flags().StringVarP(&file, "config", "c", defaultConfig, "configuration file")
	return c
}
