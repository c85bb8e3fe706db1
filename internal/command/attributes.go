// SPDX-License-Identifier: Apache-2.0

package command

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// nogroup is the group of a user number that has no name (fs.overflowgid of proc_sys_fs(5)).
const nogroup = 65534

// attributesOf returns what a process of the user is started with. Without root this process' own user keeps its groups.
func attributesOf(name string) (*syscall.SysProcAttr, error) {
	credential, err := credentialOf(name)
	if err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 && credential.Uid == uint32(os.Geteuid()) {
		credential = nil
	}
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Credential: credential}, nil
}

// credentialOf looks a user up by name or number. A number without an account has no groups but nogroup.
func credentialOf(name string) (*syscall.Credential, error) {
	if name == "" {
		return nil, errors.New("no user given")
	}
	account, err := user.Lookup(name)
	if number, badNumber := strconv.ParseUint(name, 10, 32); err != nil && badNumber == nil {
		if account, err = user.LookupId(name); err != nil {
			return &syscall.Credential{Uid: uint32(number), Gid: nogroup}, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look up user %s: %w", name, err)
	}
	listed, err := account.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("look up groups of user %s: %w", name, err)
	}
	ids := make([]uint32, 0, len(listed)+2)
	for _, text := range append([]string{account.Uid, account.Gid}, listed...) {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("look up user %s: %w", name, err)
		}
		ids = append(ids, uint32(id))
	}
	return &syscall.Credential{Uid: ids[0], Gid: ids[1], Groups: ids[2:]}, nil
}

// detachThread prepares the calling thread for starting a program that inherits nothing of ours. The thread is not to be
// used for anything else afterwards.
func detachThread() {
	// Ambient capabilities outlive execve(2) when the user stays the same. ENOSYS and EINVAL: there are none.
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	// The umask belongs to the process. Where a container's seccomp filter forbids to part with that, it stays ours.
	if unix.Unshare(unix.CLONE_FS) == nil {
		unix.Umask(0o022)
	}
	// Our own descriptors are close-on-exec already; this is for those that we were started with. Before Linux 5.11
	// (EINVAL, ENOSYS) they are passed on.
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}

// startError says what the bare error of starting the program of s means.
func startError(err error, s Spec) error {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	if errors.Is(err, unix.EPERM) && os.Geteuid() != 0 {
		return fmt.Errorf("%w (as user %s: this process is user %d, and only root may become another)", err, s.User, os.Geteuid())
	}
	return fmt.Errorf("%w (as user %s)", err, s.User)
}
