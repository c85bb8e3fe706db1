// SPDX-License-Identifier: Apache-2.0

// Layers runs the project's tests layer by layer and fails when a test failed
// or a whole layer did not run:
//
//	unit        no root, no network beyond loopback
//	namespaces  network namespaces of the running kernel
//	kernel      real IPVS, in the lab's virtual machine where the running kernel has none
//
// Without arguments it runs all of them. What the tests need of Debian's
// packages it installs first.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/lab/deb"
)

// packages are what the layers beyond unit need of Debian.
var packages = []string{
	"user-mode-linux", "gcc", "libc6-dev", "kmod", "iproute2", "procps", "util-linux",
	"keepalived", "frr", "ipvsadm", "tcpdump", "systemd", "iputils-ping", "nftables",
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "layers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	if needsRoot(chosen) {
		if os.Geteuid() != 0 {
			return fmt.Errorf("the layers namespaces and kernel need root (make test-unit does not)")
		}
		if err := deb.Install(ctx, os.Stderr, packages...); err != nil {
			return err
		}
		if err := buildPrograms(ctx); err != nil {
			return err
		}
	}
	var total tally
	var failed error
	for _, l := range chosen {
		start := time.Now()
		t, err := l.run(ctx)
		fmt.Printf("\n=== layer %s: %s in %s\n\n", l.name, t, time.Since(start).Round(time.Second))
		if err == nil {
			err = l.judge(t)
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("layer %s: %w", l.name, err)
		}
		total.add(t)
	}
	fmt.Println(total)
	return failed
}
