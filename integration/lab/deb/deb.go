// SPDX-License-Identifier: Apache-2.0

// Package deb installs the Debian packages that the lab runs on.
package deb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Install installs those of the packages that are missing, without asking anything. What apt-get prints goes to log.
// When nothing is missing it needs neither root nor apt-get; otherwise the error says which packages to install.
func Install(ctx context.Context, log io.Writer, packages ...string) error {
	missing := Missing(ctx, packages...)
	if len(missing) == 0 {
		return nil
	}
	names := strings.Join(missing, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("install Debian packages %s: %w: install what they hold by hand", names, err)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("install Debian packages %s: not root: run `apt-get install %s` as root once", names, names)
	}
	install := append([]string{"install", "--yes", "--no-install-recommends"}, missing...)
	first := aptGet(ctx, log, install...)
	if first == nil {
		return nil
	}
	// The package lists may be absent or older than the archive.
	if err := aptGet(ctx, log, "update"); err != nil {
		return fmt.Errorf("install Debian packages %s: %w", names, errors.Join(first, err))
	}
	if err := aptGet(ctx, log, install...); err != nil {
		return fmt.Errorf("install Debian packages %s: %w", names, err)
	}
	return nil
}

// Missing returns those of the packages that are not installed; all of them on a system without dpkg.
func Missing(ctx context.Context, packages ...string) []string {
	var missing []string
	for _, p := range packages {
		out, err := exec.CommandContext(ctx, "dpkg-query", "--show", "--showformat=${db:Status-Status}", p).Output()
		if err != nil || string(out) != "installed" {
			missing = append(missing, p)
		}
	}
	return missing
}

// aptGet runs apt-get; another one that is at work is waited for.
func aptGet(ctx context.Context, log io.Writer, args ...string) error {
	args = append([]string{"--quiet", "--option=DPkg::Lock::Timeout=120"}, args...)
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return nil
}
