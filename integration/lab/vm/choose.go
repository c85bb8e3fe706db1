// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// kindVariable is the environment variable that forces a kind of machine.
const kindVariable = "LVSHA_LAB_VM"

// kind is a kind of machine, as kindVariable names it.
type kind string

const (
	kindUML  kind = "uml"
	kindQEMU kind = "qemu"
)

// dearStop is the cost of a stop from which on QEMU is the better choice. User-mode Linux stops a process twice for each
// of its system calls. A stop costs 2 µs on an ordinary machine and 30 µs under virtualisation without hardware paging.
const dearStop = 15 * time.Microsecond

// prepareMachine makes the best machine ready that can be had.
func prepareMachine(ctx context.Context, log io.Writer) (machine, error) {
	forced := os.Getenv(kindVariable)
	var (
		stop    time.Duration
		stopErr error
	)
	if forced == "" {
		stop, stopErr = measureStop()
		fmt.Fprintf(log, "lab: stopping a traced process takes %v here (above %v QEMU is the faster machine)\n", stop, dearStop)
	}
	kinds, err := preferred(forced, stop, stopErr)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, k := range kinds {
		var m machine
		switch k {
		case kindUML:
			m, err = prepareUML(ctx, log)
		case kindQEMU:
			m, err = prepareQEMU(ctx, log)
		}
		if err == nil {
			return m, nil
		}
		fmt.Fprintf(log, "no machine of kind %s: %v\n", k, err)
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// preferred returns the kinds of machine to try, the best first: the forced one alone, or all, by what a stop of a
// traced process costs. Where none can be traced, stopErr says why.
func preferred(forced string, stop time.Duration, stopErr error) ([]kind, error) {
	switch k := kind(forced); {
	case k == kindUML || k == kindQEMU:
		return []kind{k}, nil
	case k != "":
		return nil, fmt.Errorf("%s=%s: want %s or %s", kindVariable, forced, kindUML, kindQEMU)
	case stopErr != nil || stop >= dearStop:
		return []kind{kindQEMU, kindUML}, nil
	default:
		return []kind{kindUML, kindQEMU}, nil
	}
}

// measureStop returns the median time that it takes to let a traced process run one instruction and stop again. It takes
// a few milliseconds.
func measureStop() (time.Duration, error) {
	const stops = 200
	runtime.LockOSThread() // a process is traced by a thread
	defer runtime.UnlockOSThread()
	var times []time.Duration
	err := cpu{number: allowedCPUs()[0]}.run(func() error {
		pid, err := syscall.ForkExec("/proc/self/exe", []string{"lab-vm-probe"}, &syscall.ProcAttr{
			Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
		})
		if err != nil {
			return fmt.Errorf("start a traced process: %w", err)
		}
		defer func() {
			_ = syscall.Kill(pid, syscall.SIGKILL) // long before the end of its first function
			_, _ = syscall.Wait4(pid, nil, 0, nil)
		}()
		if err := waitForStop(pid); err != nil {
			return err
		}
		for range stops {
			start := time.Now()
			if err := syscall.PtraceSingleStep(pid); err != nil {
				return fmt.Errorf("step through a traced process: %w", err)
			}
			if err := waitForStop(pid); err != nil {
				return err
			}
			times = append(times, time.Since(start))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// waitForStop waits until a traced process has stopped.
func waitForStop(pid int) error {
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(pid, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return fmt.Errorf("wait for a traced process: %w", err)
		case !status.Stopped():
			return fmt.Errorf("a traced process has ended (status %#x) instead of stopping", uint32(status))
		default:
			return nil
		}
	}
}
