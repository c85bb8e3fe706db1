// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// cpu is the CPU that a machine runs on. With the kernel's process and those of the guest on one CPU, a system call in
// the guest costs a tenth of what it costs across two.
type cpu struct {
	number int
	lock   *os.File // held while a machine runs on it; nil when all CPUs were taken
}

// allowedCPUs returns the CPUs that this process may run on, at least one.
func allowedCPUs() []int {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return []int{0} // there are more CPUs than fit into the set
	}
	var numbers []int
	for n := range len(allowed) * 64 {
		if allowed.IsSet(n) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// reserveCPU chooses a CPU that no other machine runs on, or failing that shares one.
func reserveCPU(log io.Writer) cpu {
	numbers := allowedCPUs()
	for _, n := range numbers {
		if lock := lockCPU(n); lock != nil {
			return cpu{number: n, lock: lock}
		}
	}
	shared := numbers[os.Getpid()%len(numbers)]
	fmt.Fprintf(log, "all CPUs have a virtual machine: sharing CPU %d\n", shared)
	return cpu{number: shared}
}

// lockCPU takes the lock of a CPU, which ends with the process; nil when another process has it, or another user's file
// is in the way.
func lockCPU(n int) *os.File {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("lvs-ha-vm-cpu%d.lock", n))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil
	}
	return f
}

// run calls f on the CPU. A process that f starts stays there: it inherits the CPUs of the thread that makes it.
func (c cpu) run(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	one.Set(c.number)
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("get the thread's CPUs: %w", err)
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("move to CPU %d: %w", c.number, err)
	}
	result := f()
	if err := unix.SchedSetaffinity(0, &before); err != nil {
		runtime.LockOSThread() // never unlocked: the thread is of no use to others and ends with its goroutine
	}
	return result
}

func (c cpu) release() {
	if c.lock != nil {
		c.lock.Close()
	}
}
