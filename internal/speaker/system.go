// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// OpenSystem returns what a speaker needs of this machine: the network
// namespace of the calling process. What is ours is written to a file in
// stateDir. The returned function stops what works behind it.
func OpenSystem(stateDir string) (System, func() error, error) {
	keeper, err := netif.OpenKeeper(filepath.Join(stateDir, "addresses.json"))
	if err != nil {
		return System{}, nil, err
	}
	announcer, claims, watcher := netif.NewAnnouncer(), netif.NewClaims(), netif.NewWatcher()
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	failed := make(chan error, 3)
	for _, run := range []func(context.Context) error{announcer.Run, claims.Run, watcher.Run} {
		parts.Go(func() { failed <- run(ctx) })
	}
	stop := func() error {
		cancel()
		parts.Wait()
		return errors.Join(<-failed, <-failed, <-failed, keeper.Close())
	}
	return System{
		Keeper: keeper, Announcer: announcer, Claims: claims, Changed: watcher.Changed(),
		Listen: func(ifname string, f vrrp.Family) (Conn, error) { return vrrp.Listen(ifname, f) },
		Slept:  slept, Ticker: NewKernelTicker,
	}, stop, nil
}

// slept is the difference between the clock that runs while the machine is
// suspended and the one that does not.
func slept() time.Duration {
	with, ok1 := readClock(unix.CLOCK_BOOTTIME)
	without, ok2 := readClock(unix.CLOCK_MONOTONIC)
	if !ok1 || !ok2 {
		return 0
	}
	return with - without
}

// readClock reads a clock of the kernel. The call never blocks, so that the
// runtime need not know of it.
func readClock(id uintptr) (time.Duration, bool) {
	var now unix.Timespec
	_, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&now)), 0)
	return time.Duration(now.Nano()), errno == 0
}
