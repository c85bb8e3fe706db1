// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/vm/job"
	"github.com/lvs-ha/lvs-ha/integration/lab/vm/kmod"
)

// maxFiles is the limit on open files of the command and all it starts: enough for 10,000 probes and their servers.
const maxFiles = 524288

// mount is one call of mount(2); its mount point is made if need be.
type mount struct {
	source, target, fsType string
	flags                  uintptr
	data                   string
}

func (m mount) do() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return fmt.Errorf("make mount point: %w", err)
	}
	if err := unix.Mount(m.source, m.target, m.fsType, m.flags, m.data); err != nil {
		return fmt.Errorf("mount %s %s on %s: %w", m.fsType, m.source, m.target, err)
	}
	return nil
}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := m.do(); err != nil {
			return err
		}
	}
	return nil
}

// buildRoot makes the machine's root folder: the host's own, read-only, with a tmpfs overlaid that takes all writing;
// only the folders of the job go through to the host. Then it moves there. /proc is mounted.
func buildRoot(h host, jobDir string, j job.Job) error {
	const (
		scratch = "/tmp" // exists on any host; what it holds stays visible in the overlay's lower layer
		root    = scratch + "/root"
	)
	modules, err := kmod.Order(filepath.Join(h.root, j.Guest.Modules, kernelVersion()), h.modules...)
	if err != nil {
		return err
	}
	for _, module := range modules {
		if err := load(module); err != nil {
			return err
		}
	}
	if err := (mount{"tmpfs", scratch, "tmpfs", 0, "size=90%,mode=0755"}).do(); err != nil {
		return err
	}
	upper, work := scratch+"/upper", scratch+"/work"
	for _, dir := range []string{upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("make layer of the root folder: %w", err)
		}
	}
	mounts := []mount{
		{"overlay", root, "overlay", 0, "lowerdir=" + h.root + ",upperdir=" + upper + ",workdir=" + work},
		{filepath.Join(h.root, j.Guest.Modules), root + "/lib/modules", "", unix.MS_BIND, ""},
		h.share(job.JobTag, jobDir, root+jobDir),
	}
	for i, dir := range j.Writable {
		mounts = append(mounts, h.share(job.ShareTag(i), dir, root+dir))
	}
	mounts = append(mounts,
		mount{"/proc", root + "/proc", "", unix.MS_MOVE, ""},
		mount{"sysfs", root + "/sys", "sysfs", 0, ""},
		mount{"devtmpfs", root + "/dev", "devtmpfs", 0, "mode=0755"},
	)
	if err := mountAll(mounts); err != nil {
		return err
	}
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("enter %s: %w", root, err)
	}
	if err := unix.Mount(root, "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move %s to /: %w", root, err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("change root to %s: %w", root, err)
	}
	return nil
}

// load loads a kernel module from its file.
func load(module string) error {
	f, err := os.Open(module)
	if err != nil {
		return fmt.Errorf("open module: %w", err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load module %s: %w", module, err)
	}
	return nil
}

// kernelVersion returns the running kernel's version, which its modules' folder is named after.
func kernelVersion() string {
	var name unix.Utsname
	_ = unix.Uname(&name) // cannot fail on memory of ours
	return unix.ByteSliceToString(name.Release[:])
}

// prepare gives the system what a booted one has: run and shm, terminals, tun, lo, a host name, many files.
func prepare() error {
	err := mountAll([]mount{
		{"tmpfs", "/run", "tmpfs", 0, "mode=0755"},
		{"devpts", "/dev/pts", "devpts", 0, "mode=0620,ptmxmode=0666"},
		{"tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777"},
	})
	if err != nil {
		return err
	}
	for _, dir := range []string{"/run/lock", "/dev/net"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("prepare the system: %w", err)
		}
	}
	for link, to := range map[string]string{"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"} {
		if err := os.Symlink("/proc/self/fd"+to, "/dev/"+link); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("prepare the system: %w", err)
		}
	}
	tun := unix.Mkdev(10, 200) // Documentation/networking/tuntap.rst
	if err := unix.Mknod("/dev/net/tun", unix.S_IFCHR|0o666, int(tun)); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make /dev/net/tun: %w", err)
	}
	if err := unix.Sethostname([]byte("lab")); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: maxFiles, Max: maxFiles}); err != nil {
		return fmt.Errorf("raise the limit on open files: %w", err)
	}
	return loopbackUp()
}

// loopbackUp brings lo up. With lo down the kernel's IPVS refuses every destination.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket to bring lo up: %w", err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return nil
}
