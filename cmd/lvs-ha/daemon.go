// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/control"
	"github.com/lvs-ha/lvs-ha/internal/director"
)

// daemonFlags say which daemon a command speaks to.
type daemonFlags struct{ stateDir, config string }

func (f *daemonFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&f.config, "config", "c", "", "configuration `FILE` of the daemon, which says where its state_dir is (default "+defaultConfig+")")
	c.Flags().StringVarP(&f.stateDir, "state-dir", "s", "", "`STATE_DIR` of the daemon, where its control socket is (default: as the configuration file says, or "+config.DefaultStateDir+")")
	c.MarkFlagsMutuallyExclusive("config", "state-dir")
}

// ask lets do speak to the daemon. What the daemon notes is written out.
func (f *daemonFlags) ask(c *cobra.Command, do func(*control.Client) error) error {
	dir, err := f.find()
	if err != nil {
		return err
	}
	client := control.NewClient(control.SocketPath(dir))
	client.Note = func(line string) { fmt.Fprintln(c.OutOrStdout(), line) }
	err = do(client)
	if !errors.Is(err, control.ErrNoDaemon) {
		return err
	}
	if left := leftSpeaker(director.SpeakerSocket(dir)); left != "" {
		return fmt.Errorf("%w; %s", err, left)
	}
	return err
}

// find returns the daemon's state_dir. Without a flag and without a file that
// can be read it is the default.
func (f *daemonFlags) find() (string, error) {
	switch {
	case f.stateDir != "":
		return f.stateDir, nil
	case f.config == "":
		if dir, err := config.StateDir(defaultConfig); err == nil {
			return dir, nil
		}
		return config.DefaultStateDir, nil
	}
	dir, err := config.StateDir(f.config)
	if err != nil {
		return "", fmt.Errorf("find the daemon's state_dir: %w; give it by -s", err)
	}
	return dir, nil
}
