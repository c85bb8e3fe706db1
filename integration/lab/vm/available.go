// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/lvs-ha/lvs-ha/integration/lab/vm/job"
)

// Available reports whether real IPVS can be had here, and how, or why not: the running kernel has it, or its module
// can be loaded, or a virtual machine can run (Run installs what it needs).
func Available() (bool, string) {
	switch {
	case hasIPVS():
		return true, "the running kernel has IPVS"
	case InGuest():
		return false, "the virtual machine's kernel cannot load ip_vs: are its modules complete?"
	case runtime.GOARCH != "amd64":
		return false, "the running kernel has no IPVS, and the virtual machine is for x86-64 only"
	}
	have := func(program string) bool { _, err := exec.LookPath(program); return err == nil }
	if !have(umlProgram) && !have(qemuProgram) && !(have("apt-get") && os.Geteuid() == 0) {
		return false, "the running kernel has no IPVS; install Debian's package user-mode-linux or qemu-system-x86 to run one that has"
	}
	return true, "a virtual machine"
}

// InGuest reports whether this process runs inside the virtual machine.
func InGuest() bool {
	text, err := os.ReadFile("/proc/cmdline")
	return err == nil && bytes.Contains(text, []byte(job.Param+"="))
}

// RerunIfNeeded returns if the running kernel has IPVS, or its module can be loaded. Otherwise it runs the same program
// with the same arguments in a virtual machine, passes SIGINT, SIGTERM and SIGQUIT on to it, and exits with its exit
// code. Call it first thing in TestMain or main: the program is then run from its start, in the guest.
func RerunIfNeeded(opt Options) {
	if hasIPVS() {
		return
	}
	if ok, why := Available(); !ok {
		fmt.Fprintln(os.Stderr, "lab:", why)
		os.Exit(ExitMachine)
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab: find own program:", err)
		os.Exit(ExitMachine)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	opt.Signals = signals
	code, err := Run(context.Background(), opt, append([]string{self}, os.Args[1:]...)...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
	}
	os.Exit(code)
}

// hasIPVS reports whether the kernel has IPVS in this network namespace, after trying to load its module.
func hasIPVS() bool {
	const table = "/proc/net/ip_vs" // in each namespace once the module is there (net/netfilter/ipvs/ip_vs_ctl.c)
	if _, err := os.Stat(table); err == nil {
		return true
	}
	if os.Geteuid() != 0 {
		return false
	}
	if err := exec.Command("modprobe", "--quiet", "ip_vs").Run(); err != nil {
		return false
	}
	_, err := os.Stat(table)
	return err == nil
}
