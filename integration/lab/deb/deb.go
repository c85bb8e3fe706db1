// SPDX-License-Identifier: Apache-2.0

// Package deb installs the Debian packages that the lab runs on.
package deb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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
	err := withLists(ctx, log, func() error {
		return aptGet(ctx, log, "", append([]string{"install", "--yes", "--no-install-recommends"}, missing...)...)
	})
	if err != nil {
		return fmt.Errorf("install Debian packages %s: %w", names, err)
	}
	return nil
}

// DownloadDependency downloads, into a folder, the package whose name begins with prefix and that another package, one
// without content of its own, depends on. Nothing is installed.
func DownloadDependency(ctx context.Context, log io.Writer, of, prefix, folder string) (name, file string, err error) {
	err = withLists(ctx, log, func() error {
		out, err := exec.CommandContext(ctx, "apt-cache", "depends", "--important", of).Output()
		if err != nil {
			return fmt.Errorf("apt-cache depends %s: %w", of, err)
		}
		if name = dependency(string(out), prefix); name == "" {
			return fmt.Errorf("the package lists know no dependency %s* of %s", prefix, of)
		}
		return aptGet(ctx, log, folder, "download", name)
	})
	if err != nil {
		return "", "", fmt.Errorf("download what %s stands for: %w", of, err)
	}
	files, err := filepath.Glob(filepath.Join(folder, name+"_*.deb"))
	if err != nil || len(files) != 1 {
		return "", "", fmt.Errorf("download %s: found %d files of it afterwards", name, len(files))
	}
	return name, files[0], nil
}

// dependency returns the first package that begins with prefix in what apt-cache(8) prints for depends.
func dependency(depends, prefix string) string {
	for line := range strings.Lines(depends) {
		relation, name, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if ok && relation == "Depends" && strings.HasPrefix(name, prefix) {
			return name
		}
	}
	return ""
}

// withLists does something that takes the archive's package lists, twice if need be: they may be absent or out of date.
func withLists(ctx context.Context, log io.Writer, do func() error) error {
	first := do()
	if first == nil {
		return nil
	}
	if err := aptGet(ctx, log, "", "update"); err != nil {
		return errors.Join(first, err)
	}
	return do()
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

// aptGet runs apt-get in a folder; another one that is at work is waited for.
func aptGet(ctx context.Context, log io.Writer, folder string, args ...string) error {
	options := []string{"--quiet", "--option=DPkg::Lock::Timeout=120"}
	if os.Geteuid() == 0 {
		options = append(options, "--option=APT::Sandbox::User=root") // its own user could not write to most folders
	}
	cmd := exec.CommandContext(ctx, "apt-get", append(options, args...)...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	var out bytes.Buffer
	cmd.Stdout = io.MultiWriter(log, &out)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}
