// SPDX-License-Identifier: Apache-2.0

// Command init is process 1 of the lab's virtual machine. It turns the host's root folder, read-only and half alive,
// into a system of its own, runs one command, stores its exit code in the job folder and switches the machine off.
//
// It refuses to be anything but process 1 of a user-mode Linux kernel, since on a host most of what it does would be
// fatal. It ends with reboot(2) and never touches /proc/sysrq-trigger: before the guest has a proc of its own, that path
// is the host's.
package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/vm/job"
)

func main() {
	if err := guard(); err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
		os.Exit(1)
	}
	if err := serve(os.Getenv(job.Param)); err != nil {
		fmt.Fprintln(os.Stderr, "init:", err) // the kernel's console, which the host shows when there is no result
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Fprintln(os.Stderr, "init: switch off:", err) // returning from process 1 is a panic, which ends the machine too
	}
}

// hostfsMagic is the type of a file system that only user-mode Linux has (linux/magic.h, HOSTFS_SUPER_MAGIC).
const hostfsMagic = 0x00c0ffee

// guard reports an error unless this is process 1 of a user-mode Linux kernel, without any side effect.
func guard() error {
	if os.Getpid() != 1 {
		return errors.New("not process 1: this program only runs inside the lab's virtual machine")
	}
	var root unix.Statfs_t
	if err := unix.Statfs("/", &root); err != nil {
		return fmt.Errorf("find the type of the root file system: %w", err)
	}
	if root.Type != hostfsMagic {
		return fmt.Errorf("the root file system has type %#x, not hostfs: this is no user-mode Linux", root.Type)
	}
	return nil
}

// serve runs the job in dir and leaves the result there.
func serve(dir string) error {
	j, err := job.Read(dir)
	if err != nil {
		return err
	}
	if err := buildRoot(dir, j); err != nil {
		return err
	}
	if err := prepare(j); err != nil {
		return err
	}
	c, err := openConsoles()
	if err != nil {
		return err
	}
	result := c.run(j)
	c.drain()
	return result.Write(dir)
}

// exitCode returns a shell's exit code for the way a process ended.
func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
