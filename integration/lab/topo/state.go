// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// stateRoot holds a folder for each lab that is up. The folder is a tmpfs of the lab's own, mounted private, since the
// kernel keeps a mount namespace alive only by a mount that is not propagated (mount_namespaces(7)).
const stateRoot = "/run/lvs-ha-lab"

// netnsRoot is where ip-netns(8) keeps named network namespaces.
const netnsRoot = "/run/netns"

// state is the folder of one lab.
type state string

func stateOf(lab string) state { return state(filepath.Join(stateRoot, lab)) }

func (s state) file() string            { return filepath.Join(string(s), "topology.json") }
func (s state) scratch(n string) string { return filepath.Join(string(s), "nodes", n) }
func (s state) mountNS(n string) string { return filepath.Join(s.scratch(n), "mnt") }
func (s state) utsNS(n string) string   { return filepath.Join(s.scratch(n), "uts") }
func (s state) log(n string) string     { return filepath.Join(s.scratch(n), "log") }
func (s state) lab() string             { return filepath.Base(string(s)) }
func (s state) lock() string            { return filepath.Join(stateRoot, "."+s.lab()+".lock") } // no lab name begins with a dot
func netnsPath(lab, node string) string { return filepath.Join(netnsRoot, netnsName(lab, node)) }

// create mounts the lab's tmpfs and writes the topology into it: from then on a later run can find what is to be removed.
func (s state) create(t *Topology) error {
	if err := os.MkdirAll(string(s), 0o755); err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	if err := unix.Mount("tmpfs", string(s), "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", s, err)
	}
	if err := unix.Mount("", string(s), "", unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mount %s private: %w", s, err)
	}
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return fmt.Errorf("encode topology %s: %w", t.Name, err)
	}
	if err := os.WriteFile(s.file(), text, 0o644); err != nil {
		return fmt.Errorf("write topology: %w", err)
	}
	return nil
}

// read returns the topology as it was when the lab came up; fs.ErrNotExist when there is no such lab.
func (s state) read() (*Topology, error) {
	text, err := os.ReadFile(s.file())
	if err != nil {
		return nil, fmt.Errorf("read topology: %w", err)
	}
	var t Topology
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("decode %s: %w", s.file(), err)
	}
	return &t, nil
}

// remove unmounts and removes the folder, however often something is mounted on it. None is no error.
func (s state) remove() error {
	for {
		err := unix.Unmount(string(s), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) { // not a mount point (any more), not there
			break
		}
		if err != nil {
			return fmt.Errorf("unmount %s: %w", s, err)
		}
	}
	if err := os.Remove(string(s)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove state folder: %w", err)
	}
	return nil
}

// owner is the lock that the process holds which brought a lab up; the kernel releases it when the process ends.
type owner struct{ file *os.File }

// acquire takes the lab's lock, or says who has it.
func (s state) acquire() (*owner, error) {
	if err := os.MkdirAll(stateRoot, 0o755); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	for {
		f, err := os.OpenFile(s.lock(), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, fmt.Errorf("open lock of lab: %w", err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			pid, _ := os.ReadFile(s.lock())
			f.Close()
			return nil, fmt.Errorf("lab %s is in use by process %s: %w", s.lab(), strings.TrimSpace(string(pid)), err)
		}
		if !sameFile(f, s.lock()) { // its last owner removed it between our open and our lock
			f.Close()
			continue
		}
		if err := f.Truncate(0); err != nil {
			f.Close()
			return nil, fmt.Errorf("write lock of lab: %w", err)
		}
		if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
			f.Close()
			return nil, fmt.Errorf("write lock of lab: %w", err)
		}
		return &owner{file: f}, nil
	}
}

// release removes the lock. On nil it does nothing.
func (o *owner) release() error {
	if o == nil {
		return nil
	}
	err := os.Remove(o.file.Name())
	return errors.Join(err, o.file.Close())
}

func sameFile(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Stat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}
