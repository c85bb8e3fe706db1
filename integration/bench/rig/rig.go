// SPDX-License-Identifier: Apache-2.0

// Package rig is what the benches measure with: one segment with two directors,
// a client and a stranger; lvs-ha or keepalived on the directors; and
// instruments that see what a client, an address list and a wire see, by the
// kernel's clock where it has one.
package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/lvs-ha/lvs-ha/integration/lab/deb"
	"github.com/lvs-ha/lvs-ha/integration/pair"
)

// The nodes of the topology, and what they have on the segment.
const (
	D1       = "d1" // the director with the higher priority
	D2       = "d2"
	Client   = "client"
	Stranger = "stranger"

	Interface = "eth1" // of every node
	bridge    = "lan"
	portOfD1  = "lan-d1" // of the bridge

	strangerIP = "10.0.0.66"
	topology   = "integration/bench/bench.clab.yml"
)

// InPath names the keepalived that is found in PATH, or installed from Debian.
const InPath = "keepalived"

// Priority is each director's.
var priority = map[string]int{D1: 150, D2: 100}

// Rig is the topology, up.
type Rig struct {
	*pair.Pair
	// MAC is each node's hardware address on the segment.
	MAC map[string]MAC
	// binary is lvs-ha, keepalived is what it is compared with: absolute paths.
	binary, keepalived string
}

// MAC is an Ethernet address, comparable.
type MAC [6]byte

// Up installs what is missing and builds the topology. It runs from the
// repository's root, as root. binary is the lvs-ha to measure, keepalived a path
// to what it is compared with, or InPath.
func Up(ctx context.Context, binary, keepalived string) (*Rig, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("the bench builds network namespaces and needs root")
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, fmt.Errorf("find lvs-ha: %w", err)
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("find lvs-ha: %w: run `make build` first", err)
	}
	if err := deb.Install(ctx, os.Stderr, "iproute2", "util-linux"); err != nil {
		return nil, err
	}
	if keepalived, err = findKeepalived(ctx, keepalived); err != nil {
		return nil, err
	}
	p, err := pair.Up(ctx, topology)
	if err != nil {
		return nil, err
	}
	r := &Rig{Pair: p, MAC: make(map[string]MAC), binary: binary, keepalived: keepalived}
	for _, node := range []string{D1, D2, Client, Stranger} {
		if r.MAC[node], err = r.mac(ctx, node); err != nil {
			return nil, fmt.Errorf("%w; %w", err, p.Down())
		}
	}
	return r, nil
}

// findKeepalived returns the absolute path of a keepalived; Debian's is installed
// where there is none.
func findKeepalived(ctx context.Context, name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil && name == InPath {
		if err := deb.Install(ctx, os.Stderr, name); err != nil {
			return "", err
		}
		path, err = exec.LookPath(name)
	}
	if err != nil {
		return "", fmt.Errorf("find keepalived: %w: give a path by -keepalived", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", fmt.Errorf("find keepalived: %w", err)
	}
	return path, nil
}

func (r *Rig) mac(ctx context.Context, node string) (MAC, error) {
	var mac MAC
	out, err := r.Output(ctx, node, "cat", "/sys/class/net/"+Interface+"/address")
	if err != nil {
		return mac, fmt.Errorf("read MAC address of %s: %w", node, err)
	}
	if _, err := fmt.Sscanf(strings.TrimSpace(out), "%02x:%02x:%02x:%02x:%02x:%02x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]); err != nil {
		return mac, fmt.Errorf("read MAC address of %s: %q: %w", node, out, err)
	}
	return mac, nil
}

// Plug plugs d1's cable in, or pulls it, at its other end: d1 loses its carrier.
func (r *Rig) Plug(in bool) error {
	ns, err := netns.GetFromName(r.Node(bridge).NetNS())
	if err != nil {
		return fmt.Errorf("open network namespace of the bridge: %w", err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return fmt.Errorf("open route netlink of the bridge: %w", err)
	}
	defer h.Close()
	port, err := h.LinkByName(portOfD1)
	if err != nil {
		return fmt.Errorf("find port %s of the bridge: %w", portOfD1, err)
	}
	set := h.LinkSetDown
	if in {
		set = h.LinkSetUp
	}
	if err := set(port); err != nil {
		return fmt.Errorf("set port %s of the bridge up: %t: %w", portOfD1, in, err)
	}
	return nil
}

// Versions names what is compared, and what else the machine is doing: on a busy
// one the shorter intervals measure that.
func (r *Rig) Versions(ctx context.Context) (string, error) {
	ka, err := exec.CommandContext(ctx, r.keepalived, "--version").CombinedOutput() // on standard error
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", r.keepalived, err)
	}
	ours, err := exec.CommandContext(ctx, r.binary, "version").Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w", r.binary, err)
	}
	first, _, _ := strings.Cut(string(ka), "\n")
	average, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "", fmt.Errorf("read load average: %w", err)
	}
	minute, _, _ := strings.Cut(string(average), " ")
	return fmt.Sprintf("%s, %s; load average %s on %d processors", first, strings.TrimSpace(string(ours)), minute, runtime.NumCPU()), nil
}

// Pass lets time pass.
func Pass(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
