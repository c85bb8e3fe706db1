// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/pair"
)

// Kind is which daemon runs on the directors.
type Kind string

// The two that are compared.
const (
	Keepalived Kind = "keepalived"
	LVSHA      Kind = "lvs-ha"
)

// Setup is what both directors' daemons are configured to do.
type Setup struct {
	Kind     Kind
	Interval time.Duration
	// VIPs are IPv4 addresses; each is the only one of an instance, the first
	// of VRID 1.
	VIPs []string
	// Realtime gives the daemon that does the VRRP a real-time priority.
	Realtime bool
}

// keepalived's, in each node's own /run.
const (
	pidFile     = "/run/keepalived.pid"
	vrrpPIDFile = "/run/vrrp.pid"
)

// realtimePriority is that of Setup.Realtime, for both kinds.
const realtimePriority = 50

// config returns a director's configuration file.
func (s Setup) config(node string) string {
	var b strings.Builder
	if s.Kind == Keepalived {
		fmt.Fprintf(&b, "global_defs {\n router_id %s\n vrrp_version 3\n", node)
		if s.Realtime {
			fmt.Fprintf(&b, " vrrp_rt_priority %d\n", realtimePriority)
		}
		b.WriteString("}\n")
		for i, vip := range s.VIPs {
			fmt.Fprintf(&b, "vrrp_instance v%d {\n state BACKUP\n interface %s\n virtual_router_id %d\n priority %d\n advert_int %s\n virtual_ipaddress {\n  %s/32 dev %s\n }\n}\n",
				i+1, Interface, i+1, priority[node], strconv.FormatFloat(s.Interval.Seconds(), 'f', -1, 64), vip, Interface)
		}
		return b.String()
	}
	fmt.Fprintf(&b, "[director]\nname = %q\n", node)
	if s.Realtime {
		fmt.Fprintf(&b, "[speaker]\nrealtime_priority = %d\n", realtimePriority)
	}
	for i, vip := range s.VIPs {
		fmt.Fprintf(&b, "[[vrrp]]\nname = \"v%d\"\ninterface = %q\nvrid = %d\npriority = %d\nadvert_interval = %q\naddresses = [\"%s/32\"]\n",
			i+1, Interface, i+1, priority[node], s.Interval, vip)
	}
	return b.String()
}

// Skew is the skew time of the backup, d2 (RFC 9568 section 6.1).
func (s Setup) Skew() time.Duration {
	return time.Duration(math.Round(float64(s.Interval) * float64(256-priority[D2]) / 256))
}

// DownInterval is the master-down interval of the backup, d2: the longest that
// it waits for an advert before it takes over (RFC 9568 section 6.1).
func (s Setup) DownInterval() time.Duration { return 3*s.Interval + s.Skew() }

// Daemon is a daemon that runs on a director.
type Daemon struct {
	*pair.Daemon
	rig  *Rig
	node string
	kind Kind
}

// Start starts the daemon of a setup on a director.
func (r *Rig) Start(node string, s Setup) (*Daemon, error) {
	file := "/run/" + string(s.Kind) + ".conf"
	if err := r.writeFile(node, file, s.config(node)); err != nil {
		return nil, err
	}
	argv := []string{r.keepalived, "--vrrp", "--dont-fork", "--log-console", "-f", file, "-p", pidFile, "-r", vrrpPIDFile}
	if s.Kind == LVSHA {
		argv = []string{r.binary, "run", "-c", file}
	}
	d, err := r.Pair.Start(node, nil, argv[0], argv[1:]...)
	if err != nil {
		return nil, err
	}
	return &Daemon{Daemon: d, rig: r, node: node, kind: s.Kind}, nil
}

func (r *Rig) writeFile(node, file, text string) error {
	cmd := r.Node(node).Command(context.Background(), "tee", file)
	cmd.Stdin = strings.NewReader(text)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("write %s on %s: %w", file, node, err)
	}
	return nil
}

// Accepts says whether this lvs-ha takes the configuration of a setup.
func (r *Rig) Accepts(ctx context.Context, s Setup) (bool, error) {
	const file = "/run/accepts.conf"
	if err := r.writeFile(D1, file, s.config(D1)); err != nil {
		return false, err
	}
	return r.Command(ctx, D1, "check", "-c", file).Run() == nil, nil
}

// Command returns an lvs-ha command that runs on a director, as an operator's does.
func (r *Rig) Command(ctx context.Context, node string, args ...string) *exec.Cmd {
	return r.Node(node).Command(ctx, r.binary, args...)
}

// Which selects processes of a daemon.
type Which string

// What a daemon consists of: for lvs-ha the process that was started and its
// child that speaks VRRP, for keepalived the parent and its VRRP child.
const (
	Director Which = "director"
	Speaker  Which = "speaker"
	All      Which = "all"
)

// ErrNoSuchProcess says that a daemon does not consist of several processes.
var ErrNoSuchProcess = errors.New("the daemon has no such process")

// PIDs returns the selected processes, children last.
func (d *Daemon) PIDs(w Which) ([]int, error) {
	all := Tree(d.PID())
	switch {
	case w == Director:
		return all[:1], nil
	case w == All:
		return all, nil
	case len(all) < 2:
		return nil, ErrNoSuchProcess
	default:
		return all[1:2], nil
	}
}

// Signal sends a signal to the selected processes, which get it as one: none
// runs on to notice that another has got it.
func (d *Daemon) Signal(w Which, sig syscall.Signal) error {
	pids, err := d.PIDs(w)
	if err != nil {
		return err
	}
	if len(pids) > 1 && sig == syscall.SIGKILL {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGSTOP) // the next signal tells
		}
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil {
			return fmt.Errorf("send %v to process %d of %s on %s: %w", sig, pid, d.kind, d.node, err)
		}
	}
	return nil
}

// Realtime says whether a thread of the daemon has a real-time policy (sched(7)).
func (d *Daemon) Realtime() bool {
	for _, pid := range Tree(d.PID()) {
		threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid)) // none when it has ended
		for _, t := range threads {
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				continue
			}
			if a, err := unix.SchedGetAttr(tid, 0); err == nil && (a.Policy == unix.SCHED_RR || a.Policy == unix.SCHED_FIFO) {
				return true
			}
		}
	}
	return false
}

// Terminate ends the daemon as a service manager does, and leaves nothing of it
// in the node.
func (d *Daemon) Terminate(ctx context.Context) error {
	left, err := d.rig.PIDs(ctx, d.node)
	if err != nil {
		return err
	}
	for _, pid := range left {
		_ = syscall.Kill(pid, syscall.SIGCONT) // it may have ended meanwhile
	}
	patience, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_ = d.Stop(patience) // what is left is killed
	return d.Remove(ctx)
}

// Remove kills the daemon, however it is, and leaves nothing of it in the node.
func (d *Daemon) Remove(ctx context.Context) error {
	if err := d.rig.KillAll(ctx, d.node); err != nil {
		return err
	}
	d.Kill() // waits until it is gone
	// keepalived would take the files of a killed one, not yet reaped, for a
	// daemon that runs.
	if err := d.rig.Node(d.node).Command(ctx, "rm", "-f", pidFile, vrrpPIDFile).Run(); err != nil {
		return fmt.Errorf("remove PID files on %s: %w", d.node, err)
	}
	// VIPs that outlived their daemon.
	out, err := d.rig.Output(ctx, d.node, "ip", "-4", "-o", "addr", "show", "dev", Interface)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) > 3 && strings.HasSuffix(f[3], "/32") {
			_ = d.rig.Node(d.node).Command(ctx, "ip", "addr", "del", f[3], "dev", Interface).Run() // its lease may end meanwhile
		}
	}
	return nil
}

// Tree returns a process and its descendants, parents first.
func Tree(pid int) []int {
	pids := []int{pid}
	for k := 0; k < len(pids); k++ {
		dir := fmt.Sprintf("/proc/%d/task", pids[k])
		threads, _ := os.ReadDir(dir) // none when it has ended
		for _, t := range threads {
			children, _ := os.ReadFile(dir + "/" + t.Name() + "/children")
			for _, f := range strings.Fields(string(children)) {
				if child, err := strconv.Atoi(f); err == nil {
					pids = append(pids, child)
				}
			}
		}
	}
	return pids
}
