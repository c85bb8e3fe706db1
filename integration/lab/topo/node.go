// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/vishvananda/netns"
)

// Node is a node of a lab that is up.
type Node struct {
	spec  *NodeSpec
	lab   string
	state state
	main  chan struct{} // closed when the main process has ended; nil where there is none, or not of ours
}

// NetNS returns the name of the node's network namespace, as in `ip -n NAME`: clab-LAB-NODE, which is what containerlab
// calls it too.
func (n *Node) NetNS() string { return netnsName(n.lab, n.spec.Name) }

// Log returns the path of the file that the node's main process (cmd) writes to. It goes with the lab.
func (n *Node) Log() string { return n.state.log(n.spec.Name) }

// Command returns a command that runs in the node's network, mount and UTS namespaces, with the node's environment on
// top of ours. name is looked up inside the node, so a missing program is exit code 127 from Wait, not an error from
// Start; the working directory is the root folder, as in a container.
//
// The command is killed when ctx ends and when the thread that started it ends: don't start it from a goroutine that is
// locked to its thread and returns without unlocking. Callers set Stdin, Stdout, Stderr.
func (n *Node) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	enter := []string{
		"--net=" + netnsPath(n.lab, n.spec.Name),
		"--mount=" + n.state.mountNS(n.spec.Name),
		"--uts=" + n.state.utsNS(n.spec.Name),
		"--", name,
	}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	cmd.Env = n.environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// environ returns our environment with the node's on top of it.
func (n *Node) environ() []string {
	env := os.Environ()
	for k, v := range n.spec.Env {
		env = append(env, k+"="+v)
	}
	return env
}

// Do runs fn in the node's network namespace, on the calling goroutine, and returns its error. A socket that fn opens
// stays in that namespace for as long as it is open; a goroutine that fn starts runs outside.
func (n *Node) Do(fn func() error) error {
	node, err := netns.GetFromPath(netnsPath(n.lab, n.spec.Name))
	if err != nil {
		return fmt.Errorf("open network namespace %s: %w", n.NetNS(), err)
	}
	defer node.Close()
	return Within(node, fn)
}
