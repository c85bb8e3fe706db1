// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/lvs-ha/lvs-ha/integration/lab/deb"
	"github.com/lvs-ha/lvs-ha/integration/lab/vm/job"
)

// umlProgram is user-mode Linux as Debian names it.
const umlProgram = "linux.uml"

// umlModules is where Debian's package user-mode-linux puts the kernel's modules, by version.
const umlModules = "/usr/lib/uml/modules"

// uml is a machine of user-mode Linux.
type uml struct {
	kernel string // linux.uml
	shim   string // loaded into the kernel's process
	init   string // the guest's process 1
}

// prepareUML installs and compiles what is missing.
func prepareUML(ctx context.Context, log io.Writer) (machine, error) {
	missing := missingPackages(map[string][]string{umlProgram: {"user-mode-linux"}, "cc": {"gcc", "libc6-dev"}})
	if err := deb.Install(ctx, log, missing...); err != nil {
		return nil, err
	}
	dir, err := labFolder()
	if err != nil {
		return nil, err
	}
	var m uml
	if m.kernel, err = exec.LookPath(umlProgram); err != nil {
		return nil, fmt.Errorf("find user-mode Linux: %w", err)
	}
	m.shim, err = compileOnce(dir, "umlshim", []string{"shim/umlshim.c"}, func(out string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "cc", "-O2", "-Wall", "-shared", "-fPIC", "-x", "c", "-o", out, "-")
		cmd.Stdin, err = sources.Open("shim/umlshim.c")
		return cmd
	})
	if err != nil {
		return nil, fmt.Errorf("compile shim: %w", err)
	}
	m.init, err = compileInit(ctx, dir)
	return m, err
}

func (uml) guest() job.Guest {
	return job.Guest{Modules: umlModules, Stdout: "/dev/tty1", Stderr: "/dev/tty2", Control: "/dev/tty3"}
}

func (m uml) command(opt Options, dir string, _ job.Job) (*exec.Cmd, error) {
	memory := opt.Memory
	if memory == "" {
		memory = defaultMemoryUML
	}
	if err := checkShm(memory); err != nil {
		return nil, err
	}
	cmd := exec.Command(m.kernel,
		"mem="+memory, "uml_dir="+filepath.Clean(dir)+"/", "umid=uml",
		"root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "init="+m.init, job.Param+"="+dir,
		"con=null", "ssl=null", "con0=null,fd:1",
		fmt.Sprintf("con1=null,fd:%d", job.StdoutFD), fmt.Sprintf("con2=null,fd:%d", job.StderrFD),
		fmt.Sprintf("con3=fd:%d,null", job.ControlFD), "quiet")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LD_PRELOAD=" + m.shim}
	return cmd, nil
}

func (uml) start(cmd *exec.Cmd, log io.Writer) (release func(), err error) {
	cpu := reserveCPU(log)
	if err := cpu.run(cmd.Start); err != nil {
		cpu.release()
		return nil, err
	}
	return cpu.release, nil
}
