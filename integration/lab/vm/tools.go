// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bufio"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/lvs-ha/lvs-ha/integration/lab/deb"
)

// module is the module that the build folder belongs to.
const module = "github.com/lvs-ha/lvs-ha"

// sources are compiled into the build folder under names that carry their hash, so that each version is built once.
//
//go:embed init/*.go job/*.go shim/umlshim.c
var sources embed.FS

// tools are the files that make a machine.
type tools struct {
	kernel string // linux.uml
	shim   string // loaded into the kernel's process
	init   string // the guest's process 1
	build  string // the repository's build folder
}

// prepareTools installs and compiles what is missing.
func prepareTools(ctx context.Context, log io.Writer) (tools, error) {
	var t tools
	root, err := moduleRoot()
	if err != nil {
		return t, err
	}
	if err := deb.Install(ctx, log, neededPackages()...); err != nil {
		return t, err
	}
	if t.kernel, err = exec.LookPath(kernelProgram); err != nil {
		return t, fmt.Errorf("find user-mode Linux: %w", err)
	}
	t.build = filepath.Join(root, "build")
	dir := filepath.Join(t.build, "lab")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return t, fmt.Errorf("make build folder: %w", err)
	}
	t.shim, err = compileOnce(dir, "umlshim", []string{"shim/umlshim.c"}, func(out string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "cc", "-O2", "-Wall", "-shared", "-fPIC", "-x", "c", "-o", out, "-")
		cmd.Stdin, err = sources.Open("shim/umlshim.c")
		return cmd
	})
	if err != nil {
		return t, fmt.Errorf("compile shim: %w", err)
	}
	t.init, err = compileOnce(dir, "init", []string{"init", "job"}, func(out string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, module+"/integration/lab/vm/init")
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		return cmd
	})
	if err != nil {
		return t, fmt.Errorf("build init: %w", err)
	}
	return t, nil
}

// neededPackages returns the Debian packages to have: none that only builds what is there by other means.
func neededPackages() []string {
	packages := []string{}
	if _, err := exec.LookPath(kernelProgram); err != nil {
		packages = append(packages, "user-mode-linux")
	}
	if _, err := exec.LookPath("cc"); err != nil {
		packages = append(packages, "gcc", "libc6-dev")
	}
	return packages
}

// compileOnce returns dir/NAME-HASH, where HASH stands for the sources and the Go version, and compiles it if need be.
// Two processes may do so at once: each writes a file of its own and renames it.
func compileOnce(dir, name string, from []string, compiler func(out string) *exec.Cmd) (string, error) {
	hash, err := hashSources(from)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, name+"-"+hash)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	temp, err := os.MkdirTemp(dir, name+"-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	out := filepath.Join(temp, name)
	cmd := compiler(out)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, text)
	}
	if err := os.Rename(out, file); err != nil {
		return "", err
	}
	return file, nil
}

// hashSources returns a short hash of embedded files and folders.
func hashSources(from []string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version())
	for _, path := range from {
		err := fs.WalkDir(sources, path, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := sources.ReadFile(path)
			fmt.Fprintln(h, path, len(text))
			h.Write(text)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("hash %s: %w", path, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

// moduleRoot finds the repository that the working directory is in.
func moduleRoot() (string, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find working directory: %w", err)
	}
	for dir := cwd; ; dir = filepath.Dir(dir) {
		if isOurs(filepath.Join(dir, "go.mod")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside the repository of %s: the machine is built there", cwd, module)
		}
	}
}

// isOurs reports whether a file is our module's go.mod.
func isOurs(goMod string) bool {
	f, err := os.Open(goMod)
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.TrimSpace(lines.Text()) == "module "+module {
			return true
		}
	}
	return false
}
