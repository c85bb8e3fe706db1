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
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// module is the module that the build folder belongs to.
const module = "github.com/lvs-ha/lvs-ha"

// buildFolder is the repository's folder for what is made from it.
const buildFolder = "build"

// sources are compiled into the build folder under names that carry their hash, so that each version is built once.
//
//go:embed init/*.go job/*.go kmod/kmod.go shim/umlshim.c
var sources embed.FS

// labFolder returns the folder of what makes machines, inside the build folder.
func labFolder() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, buildFolder, "lab")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make build folder: %w", err)
	}
	return dir, nil
}

// compileInit returns the guest's process 1.
func compileInit(ctx context.Context, dir string) (string, error) {
	init, err := compileOnce(dir, "init", []string{"init", "job", "kmod/kmod.go"}, func(out string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, module+"/integration/lab/vm/init")
		cmd.Dir = filepath.Dir(filepath.Dir(dir))
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		return cmd
	})
	if err != nil {
		return "", fmt.Errorf("build init: %w", err)
	}
	return init, nil
}

// compileOnce returns dir/NAME-HASH, where HASH stands for the sources and the Go version, and compiles it if need be.
func compileOnce(dir, name string, from []string, compiler func(out string) *exec.Cmd) (string, error) {
	hash, err := hashSources(from)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, name+"-"+hash)
	return file, makeOnce(file, func(temp string) error {
		cmd := compiler(temp)
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, text)
		}
		return nil
	})
}

// makeOnce makes a file, if it is not there. Two processes may do so at once: each writes a file of its own and renames it.
func makeOnce(file string, maker func(temp string) error) error {
	if _, err := os.Stat(file); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, name := filepath.Split(file)
	temp, err := os.MkdirTemp(dir, name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	made := filepath.Join(temp, name)
	if err := maker(made); err != nil {
		return err
	}
	return os.Rename(made, file)
}

// hashSources returns a short hash of embedded files and folders.
func hashSources(from []string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version())
	for _, path := range from {
		err := fs.WalkDir(sources, path, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
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
