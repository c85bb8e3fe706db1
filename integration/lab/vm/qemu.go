// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"

	"github.com/lvs-ha/lvs-ha/integration/lab/deb"
	"github.com/lvs-ha/lvs-ha/integration/lab/vm/job"
)

// qemuProgram is QEMU as Debian names it.
const qemuProgram = "qemu-system-x86_64"

// maxVirtualCPUs is how many CPUs a machine gets where the host has them.
const maxVirtualCPUs = 2

// kernelParameters leave out what an emulated machine with one trusted user does not need: mitigations, security modules,
// self-tests of ciphers, and Debian's key. Without the key there is no signature of a module to verify, which takes 20 ms each.
const kernelParameters = "console=ttyS0 quiet panic=-1 mitigations=off nopti nokaslr tsc=reliable random.trust_cpu=on " +
	"cryptomgr.notests rodata=off lsm= audit=0 initcall_blacklist=load_system_certificate_list,init_kprobe_trace"

// qemu is a machine of QEMU with software emulation: no hardware accelerator is ever used.
type qemu struct {
	program   string
	kernel    debianKernel
	initramfs string
}

// prepareQEMU installs, downloads and compiles what is missing.
func prepareQEMU(ctx context.Context, log io.Writer) (machine, error) {
	if err := deb.Install(ctx, log, missingPackages(map[string][]string{qemuProgram: {"qemu-system-x86"}})...); err != nil {
		return nil, err
	}
	dir, err := labFolder()
	if err != nil {
		return nil, err
	}
	var m qemu
	if m.program, err = exec.LookPath(qemuProgram); err != nil {
		return nil, fmt.Errorf("find QEMU: %w", err)
	}
	if m.kernel, err = prepareKernel(ctx, log, dir); err != nil {
		return nil, fmt.Errorf("prepare kernel: %w", err)
	}
	init, err := compileInit(ctx, dir)
	if err != nil {
		return nil, err
	}
	if m.initramfs, err = prepareInitramfs(init, m.kernel); err != nil {
		return nil, fmt.Errorf("make initramfs: %w", err)
	}
	return m, nil
}

// guest names the ports of the one virtio-serial device, by their numbers there.
func (m qemu) guest() job.Guest {
	return job.Guest{Modules: m.kernel.modules, Stdout: "/dev/vport0p1", Stderr: "/dev/vport0p2", Control: "/dev/vport0p3"}
}

func (m qemu) command(opt Options, dir string, j job.Job) (*exec.Cmd, error) {
	memory := opt.Memory
	if memory == "" {
		memory = defaultMemoryQEMU
	}
	if _, err := parseMemory(memory); err != nil {
		return nil, err
	}
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "qemu64,+rdrand",
		"-smp", strconv.Itoa(min(len(allowedCPUs()), maxVirtualCPUs)), "-m", memory,
		"-kernel", m.kernel.image, "-initrd", m.initramfs, "-append", kernelParameters + " " + job.Param + "=" + dir,
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console", "-device", "virtio-serial-pci",
	}
	for i, fd := range []int{job.StdoutFD, job.StderrFD, job.ControlFD} {
		args = append(args, "-chardev", fmt.Sprintf("socket,id=port%d,fd=%d", i+1, fd),
			"-device", fmt.Sprintf("virtserialport,chardev=port%d,nr=%d", i+1, i+1))
	}
	share := func(tag, path, option string) {
		args = append(args, "-fsdev", "local,id="+tag+",path="+path+",security_model=none,multidevs=remap"+option,
			"-device", "virtio-9p-pci,fsdev="+tag+",mount_tag="+tag)
	}
	share(job.RootTag, "/", ",readonly=on")
	share(job.JobTag, dir, "")
	for i, path := range j.Writable {
		share(job.ShareTag(i), path, "")
	}
	return exec.Command(m.program, args...), nil
}

func (qemu) start(cmd *exec.Cmd, _ io.Writer) (release func(), err error) {
	return func() {}, cmd.Start()
}

// missingPackages returns the Debian packages to have for the programs that are not here by whatever means.
func missingPackages(programs map[string][]string) []string {
	var missing []string
	for program, packages := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, packages...)
		}
	}
	slices.Sort(missing)
	return missing
}
