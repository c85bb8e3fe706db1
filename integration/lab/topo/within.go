// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
)

// Within runs fn with its thread in a network namespace, on the calling goroutine, and returns its error. Sockets that fn
// opens and processes that it starts stay there; a goroutine that it starts runs outside.
func Within(ns netns.NsHandle, fn func() error) error {
	return Outside(func() error {
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return fn()
	})
}

// Outside runs fn, which may change its thread's network namespace, and changes it back.
func Outside(fn func() error) error {
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("get own network namespace: %w", err)
	}
	defer home.Close()
	err = fn()
	if back := netns.Set(home); back != nil {
		// The thread stays locked, so that it ends with the goroutine.
		return errors.Join(err, fmt.Errorf("leave network namespace: %w", back))
	}
	runtime.UnlockOSThread()
	return err
}
