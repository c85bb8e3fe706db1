// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// CheckCapability returns why this process cannot speak VRRP at all: a
// [CapabilityError] where CAP_NET_RAW is missing.
func CheckCapability() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, Protocol)
	if err == nil {
		err = unix.Close(fd)
	}
	if errors.Is(err, unix.EPERM) {
		err = &CapabilityError{Err: err}
	}
	if err != nil {
		return fmt.Errorf("open a raw socket for VRRP: %w", err)
	}
	return nil
}
