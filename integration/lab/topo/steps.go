// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// step is one change to what a node sees of the file system. It is made by a thread in the node's mount namespace: a
// node has a dozen, and a process for each would take most of the time in which a lab comes up.
type step interface {
	do() error
	String() string // the shell command that does the same
}

// makeFolder makes a folder, and those that it is in, where they are missing.
type makeFolder struct{ path string }

func (s makeFolder) do() error      { return os.MkdirAll(s.path, 0o755) }
func (s makeFolder) String() string { return "mkdir -p " + shellQuote(s.path) }

// makeFile makes an empty file, unless there is one.
type makeFile struct{ path string }

func (s makeFile) do() error {
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
func (s makeFile) String() string { return "touch " + shellQuote(s.path) }

// copyLink makes a symbolic link like another one.
type copyLink struct{ from, to string }

func (s copyLink) do() error {
	text, err := os.Readlink(s.from)
	if err != nil {
		return err
	}
	return os.Symlink(text, s.to)
}
func (s copyLink) String() string { return "cp -P " + shellQuote(s.from) + " " + shellQuote(s.to) }

// mountNew mounts a file system of its own.
type mountNew struct{ kind, target, options string }

func (s mountNew) do() error {
	if err := unix.Mount(s.kind, s.target, s.kind, 0, s.options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", s.kind, s.target, err)
	}
	return nil
}

func (s mountNew) String() string {
	command := "mount -t " + s.kind
	if s.options != "" {
		command += " -o " + shellQuote(s.options)
	}
	return command + " " + s.kind + " " + shellQuote(s.target)
}

// bind shows a file or folder at another path, with what is mounted below it.
type bind struct{ from, to string }

func (s bind) do() error {
	if err := unix.Mount(s.from, s.to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s to %s: %w", s.from, s.to, err)
	}
	return nil
}
func (s bind) String() string { return "mount --rbind " + shellQuote(s.from) + " " + shellQuote(s.to) }

// makeReadOnly makes a bind read-only.
type makeReadOnly struct{ path string }

func (s makeReadOnly) do() error {
	if err := unix.Mount("", s.path, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", s.path, err)
	}
	return nil
}
func (s makeReadOnly) String() string { return "mount -o remount,bind,ro " + shellQuote(s.path) }

// moveMount moves a mount to another path.
type moveMount struct{ from, to string }

func (s moveMount) do() error {
	if err := unix.Mount(s.from, s.to, "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move mount %s to %s: %w", s.from, s.to, err)
	}
	return nil
}
func (s moveMount) String() string {
	return "mount --move " + shellQuote(s.from) + " " + shellQuote(s.to)
}

// enterRoot makes a folder the root folder and detaches the old one.
type enterRoot struct{ path string }

func (s enterRoot) do() error {
	if err := unix.Chdir(s.path); err != nil {
		return fmt.Errorf("enter %s: %w", s.path, err)
	}
	if err := unix.PivotRoot(".", "."); err != nil { // the old root now lies over the new one (pivot_root(2), NOTES)
		return fmt.Errorf("make %s the root folder: %w", s.path, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("detach the old root folder: %w", err)
	}
	return unix.Chdir("/")
}
func (s enterRoot) String() string {
	return "cd " + shellQuote(s.path) + "; pivot_root . .; umount -l .; cd /"
}

// clearMounts detaches what is mounted below a folder. A mount goes with the one that it is inside of.
type clearMounts struct{ folder string }

func (s clearMounts) do() error {
	points, err := osView{}.MountPoints()
	if err != nil {
		return err
	}
	for _, point := range outermostWithin(s.folder, points) {
		if err := unix.Unmount(point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("detach mount %s: %w", point, err)
		}
	}
	return nil
}
func (s clearMounts) String() string { return "umount -l " + filepath.Join(s.folder, "*") }

// shellQuote quotes a word for the shell, if it must be.
func shellQuote(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-=,") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
