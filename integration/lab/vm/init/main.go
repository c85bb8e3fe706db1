// SPDX-License-Identifier: Apache-2.0

// Command init is process 1 of the lab's virtual machine, of either kind. It turns the host's root folder, read-only and
// half alive, into a system of its own, runs one command, stores its exit code in the job folder and switches the
// machine off.
//
// It refuses to be anything but process 1 of such a machine, since on a host most of what it does would be fatal. It ends
// with reboot(2) and never touches /proc/sysrq-trigger: before the guest has a proc of its own, that path is the host's.
package main

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/vm/job"
)

func main() {
	connect, err := guard()
	if err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
		os.Exit(1)
	}
	if err := serve(connect, os.Getenv(job.Param)); err != nil {
		fmt.Fprintln(os.Stderr, "init:", err) // the kernel's console, which the host shows when there is no result
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Fprintln(os.Stderr, "init: switch off:", err) // returning from process 1 is a panic, which ends the machine too
	}
}

// serve runs the job of the host's folder jobDir and leaves the result there.
func serve(connect connector, jobDir string) error {
	h, err := connect(jobDir)
	if err != nil {
		return err
	}
	j, err := job.Read(h.job)
	if err != nil {
		return err
	}
	if err := buildRoot(h, jobDir, j); err != nil {
		return err
	}
	if err := prepare(); err != nil {
		return err
	}
	c, err := openConsoles(j.Guest)
	if err != nil {
		return err
	}
	result := c.run(j)
	c.drain()
	return result.Write(jobDir)
}

// exitCode returns a shell's exit code for the way a process ended.
func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
