// SPDX-License-Identifier: Apache-2.0

// Demo plays the main job of a pair of directors for real: traffic over both
// real servers, a web server that dies and returns, a master that goes into
// standby and back, whose director is killed and whose speaker is frozen. It
// prints a timeline and one verdict; its exit code is 1 when a step did not
// happen.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/lab/deb"
	"github.com/lvs-ha/lvs-ha/integration/lab/vm"
)

// timeLimit ends a demo that hangs.
const timeLimit = 3 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	if err := prepare(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
	vm.RerunIfNeeded(vm.Options{Timeout: timeLimit, Log: os.Stderr})
	start := time.Now()
	d := newDemo(start)
	if err := d.play(ctx); err != nil {
		fmt.Println("\nVERDICT: FAILED:", err)
		os.Exit(1)
	}
	fmt.Printf("\nVERDICT: OK, in %s\n", time.Since(start).Round(time.Second))
	for _, s := range d.shown {
		fmt.Println("  -", s)
	}
}

// prepare installs and builds what the demo needs; inside the virtual machine
// that is done.
func prepare(ctx context.Context) error {
	if vm.InGuest() {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("the demo builds network namespaces and needs root: sudo make demo")
	}
	fmt.Fprintln(os.Stderr, "demo: preparing; the first run installs Debian packages and may download a kernel (70 MB)")
	if err := deb.Install(ctx, os.Stderr, "iproute2", "util-linux", "kmod", "ipvsadm"); err != nil {
		return err
	}
	for _, args := range [][]string{{"make", "build"}, {"go", "build", "-o", "build/traffic", "./integration/traffic"}} {
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Stdout, c.Stderr = os.Stderr, os.Stderr
		if err := c.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
		}
	}
	return nil
}
