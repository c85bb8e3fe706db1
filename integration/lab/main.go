// SPDX-License-Identifier: Apache-2.0

// Command lab brings containerlab topologies up in network namespaces, and runs commands in the lab's kernel, which has
// IPVS whatever the running kernel has. Run it without arguments for its usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/lvs-ha/lvs-ha/integration/lab/deb"
	"github.com/lvs-ha/lvs-ha/integration/lab/topo"
	"github.com/lvs-ha/lvs-ha/integration/lab/vm"
)

const usage = `usage:
  lab up FILE                build the topology of a .clab.yml file from network namespaces
  lab exec FILE NODE CMD...  run a command in a node of a lab that is up
  lab down FILE              end all processes in the lab and remove it
  lab vm CMD...              run a command in the lab's virtual machine, over this machine's own files

up, exec and down need root. exec and vm exit with the command's exit code; through "go run" that becomes 1.
`

// exitUsage is the exit code for a wrong command line.
const exitUsage = 2

func main() { os.Exit(run(os.Args[1:])) }

// run does what the command line says and returns the exit code.
func run(args []string) int {
	if len(args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		return exitUsage
	}
	verb, args := args[0], args[1:]
	var (
		code int
		err  error
	)
	switch {
	case verb == "up" && len(args) == 1:
		err = up(args[0])
	case verb == "exec" && len(args) >= 3:
		code, err = execIn(args[0], args[1], args[2:])
	case verb == "down" && len(args) == 1:
		err = down(args[0])
	case verb == "vm":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		code, err = runVM(vm.Options{Signals: signals}, args)
	default:
		fmt.Fprint(os.Stderr, usage)
		return exitUsage
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		code = max(code, 1)
	}
	return code
}

// runVM runs a command in the virtual machine, and once more from its start when the machine dies: emulators do.
func runVM(o vm.Options, argv []string) (code int, err error) {
	for range 2 {
		if code, err = vm.Run(context.Background(), o, argv...); !errors.Is(err, vm.ErrDied) {
			break
		}
		fmt.Fprintln(os.Stderr, "lab:", err)
	}
	return code, err
}

func up(file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	t, err := topo.Load(file)
	if err != nil {
		return err
	}
	if err := installTools(ctx); err != nil {
		return err
	}
	_, err = t.Up(ctx)
	return err
}

// installTools installs the programs that topologies are built with, and that their exec lines use, where they are missing.
func installTools(ctx context.Context) error {
	var missing []string
	for program, pkg := range map[string]string{"ip": "iproute2", "nsenter": "util-linux", "mount": "mount", "sysctl": "procps"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, pkg)
		}
	}
	return deb.Install(ctx, os.Stderr, missing...)
}

func down(file string) error {
	l, err := topo.Attach(file)
	if err != nil {
		return err
	}
	return l.Down()
}

// execIn runs a command in a node on our own terminal: a key that interrupts reaches the command, not us.
func execIn(file, name string, argv []string) (int, error) {
	l, err := topo.Attach(file)
	if err != nil {
		return 0, err
	}
	n := l.Node(name)
	if n == nil {
		return 0, fmt.Errorf("the lab of %s has no node %q", file, name)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	cmd := n.Command(context.Background(), argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("run %s in node %s: %w", argv[0], name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGTERM { // the terminal sends an interrupt to the command as well, this comes to us alone
				_ = cmd.Process.Signal(s)
			}
		case err := <-ended:
			return exitCode(err, name, argv[0])
		}
	}
}

// exitCode turns the end of a command into a shell's exit code.
func exitCode(err error, node, program string) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		if err != nil {
			return 0, fmt.Errorf("run %s in node %s: %w", program, node, err)
		}
		return 0, nil
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}
