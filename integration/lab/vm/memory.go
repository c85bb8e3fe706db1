// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// checkShm reports an error if /dev/shm cannot hold the machine's memory: user-mode Linux keeps it in a file there, and
// would be killed by SIGBUS in the middle of its work.
func checkShm(memory string) error {
	need, err := parseMemory(memory)
	if err != nil {
		return err
	}
	var shm unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &shm); err != nil || shm.Type != unix.TMPFS_MAGIC {
		return nil // it will then use a file in /tmp
	}
	if free := shm.Bavail * uint64(shm.Bsize); free < need {
		return fmt.Errorf("the machine's memory of %s does not fit into /dev/shm, which has %d MiB free: enlarge it (containers: --shm-size)",
			memory, free>>20)
	}
	return nil
}

// parseMemory returns the bytes that a number with M or G stands for.
func parseMemory(s string) (uint64, error) {
	shift := 0
	switch {
	case strings.HasSuffix(s, "M"):
		shift = 20
	case strings.HasSuffix(s, "G"):
		shift = 30
	}
	if shift == 0 {
		return 0, fmt.Errorf("memory %q: want a number with M or G", s)
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 64)
	if err == nil && (n == 0 || n > math.MaxUint64>>shift) {
		err = errors.New("out of range")
	}
	if err != nil {
		return 0, fmt.Errorf("memory %q: %w", s, err)
	}
	return n << shift, nil
}
