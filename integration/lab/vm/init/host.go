// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/vm/job"
)

// host is how a machine reaches the host's files.
type host struct {
	root    string                             // where the host's root folder is mounted
	job     string                             // where the job folder is, until the machine has its root folder
	modules []string                           // names of modules to load before that, from the job's folder of them
	share   func(tag, folder, to string) mount // shows a folder of the job
}

// connector makes the host's files reachable.
type connector func(jobDir string) (host, error)

// hostfsMagic is the type of a file system that only user-mode Linux has (linux/magic.h, HOSTFS_SUPER_MAGIC).
const hostfsMagic = 0x00c0ffee

// guard finds out which kind of machine this is process 1 of. It reports an error where it is of none, and has then
// changed nothing.
func guard() (connector, error) {
	if os.Getpid() != 1 {
		return nil, errors.New("not process 1: this program only runs inside the lab's virtual machine")
	}
	if os.Getenv(job.Param) == "" {
		return nil, fmt.Errorf("no kernel parameter %s: this is not the lab's virtual machine", job.Param)
	}
	var root unix.Statfs_t
	if err := unix.Statfs("/", &root); err != nil {
		return nil, fmt.Errorf("find the type of the root file system: %w", err)
	}
	switch root.Type {
	case hostfsMagic:
		return connectUML, nil
	case unix.RAMFS_MAGIC, unix.TMPFS_MAGIC:
		return connectQEMU, guardQEMU()
	default:
		return nil, fmt.Errorf("the root file system has type %#x: this is neither user-mode Linux nor an initramfs", root.Type)
	}
}

// guardQEMU reports an error unless the kernel was started by us on a processor that QEMU emulates. Our initramfs has no
// /proc, and a container has one.
func guardQEMU() error {
	if _, err := os.Lstat("/proc"); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is a /proc (%v): this is not the lab's initramfs", err)
	}
	proc := mount{"proc", "/proc", "proc", 0, ""}
	if err := proc.do(); err != nil {
		return err
	}
	for file, word := range map[string]string{"/proc/cmdline": job.Param + "=", "/proc/cpuinfo": "QEMU"} {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte(word)) {
			return errors.Join(fmt.Errorf("%s has no %s (%v): this is not the lab's virtual machine", file, word, err),
				unix.Unmount("/proc", 0), os.Remove("/proc"))
		}
	}
	return nil
}
