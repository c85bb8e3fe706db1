// SPDX-License-Identifier: Apache-2.0

// Lvs-ha is a high-availability cluster manager for Linux Virtual Server.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// version is set at build time.
var version = "devel"

const defaultConfig = "/etc/lvs-ha/lvs-ha.toml"

func main() {
	if err := rootCommand().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "lvs-ha:", err)
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "lvs-ha",
		Short:         "High availability for Linux Virtual Server directors",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(runCommand(), checkCommand(), statusCommand(), reloadCommand(),
		standbyCommand(), resumeCommand(), priorityCommand(), speakerCommand(), versionCommand())
	return root
}
