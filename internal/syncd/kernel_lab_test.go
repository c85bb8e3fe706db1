// SPDX-License-Identifier: Apache-2.0

package syncd_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/internal/syncd"
)

// openLab returns the sync daemons of a network namespace made for the test, where the test goroutine stays. It has the
// interfaces sync0 and sync1, up and with an IPv4 address each.
func openLab(t *testing.T) *syncd.Kernel {
	t.Helper()
	if os.Getenv("LVSHA_LAYER") != "kernel" {
		t.Skip("lab kernel layer: run `make test-kernel`")
	}
	runtime.LockOSThread() // for good: the thread ends with the test, and the namespace with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
	addLink(t, "sync0", "198.51.100.1/24")
	addLink(t, "sync1", "203.0.113.1/24")
	kernel, err := syncd.OpenKernel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A daemon that runs on would keep the namespace. The test's own context has ended by now.
		if _, err := syncd.NewController(kernel).Follow(context.Background(), nil); err != nil {
			t.Errorf("stop all: %v", err)
		}
		kernel.Close()
	})
	return kernel
}

func addLink(t *testing.T, name, address string) {
	t.Helper()
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "p"}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatalf("add %s: %v", name, err)
	}
	for _, end := range []string{name, name + "p"} {
		l, err := netlink.LinkByName(end)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(l); err != nil {
			t.Fatal(err)
		}
	}
	addr, err := netlink.ParseAddr(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(link, addr); err != nil {
		t.Fatalf("add %s to %s: %v", address, name, err)
	}
}

func ipvsadm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ipvsadm", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ipvsadm %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestLabRolesAlternate: each role is in effect when Follow returns, without a pause between, as ipvsadm sees it.
func TestLabRolesAlternate(t *testing.T) {
	controller := syncd.NewController(openLab(t))
	backup0, master1 := daemon(syncd.Backup, "sync0", 7), daemon(syncd.Master, "sync1", 255)
	steps := []struct {
		want []syncd.Daemon
		list string
	}{
		{nil, ""},
		{list(daemon(syncd.Master, "sync0", 7)), "master sync daemon (mcast=sync0, syncid=7"},
		{list(backup0), "backup sync daemon (mcast=sync0, syncid=7"},
		{list(daemon(syncd.Backup, "sync1", 0)), "backup sync daemon (mcast=sync1, syncid=0"},
		{list(master1), "master sync daemon (mcast=sync1, syncid=255"},
		{list(backup0, master1), "backup sync daemon (mcast=sync0, syncid=7"},
		{nil, ""},
	}
	for _, step := range steps {
		if _, err := controller.Follow(t.Context(), step.want); err != nil {
			t.Fatalf("follow %v: %v", step.want, err)
		}
		got := ipvsadm(t, "-Ln", "--daemon")
		if !strings.Contains(got, step.list) || strings.Count(got, "sync daemon") != len(step.want) {
			t.Errorf("ipvsadm after %v: %q", step.want, got)
		}
		if changed, err := controller.Follow(t.Context(), step.want); changed || err != nil {
			t.Errorf("follow %v again: changed %v, %v", step.want, changed, err)
		}
	}
}

func TestLabReadsWhatIpvsadmStarts(t *testing.T) {
	kernel := openLab(t)
	ipvsadm(t, "--start-daemon", "master", "--mcast-interface", "sync0", "--syncid", "9")
	ipvsadm(t, "--start-daemon", "backup", "--mcast-interface", "sync1", "--syncid", "8")
	got, err := kernel.Daemons(t.Context())
	want := list(daemon(syncd.Master, "sync0", 9), daemon(syncd.Backup, "sync1", 8))
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" || err != nil {
		t.Errorf("daemons: %v (-want +got):\n%s", err, d)
	}
}

func TestLabErrorsSayWhatToDo(t *testing.T) {
	kernel := openLab(t)
	if err := kernel.Stop(t.Context(), syncd.Master); !errors.Is(err, unix.ESRCH) {
		t.Errorf("stop of a stopped one: error %v, want %v", err, unix.ESRCH)
	}
	if err := kernel.Start(t.Context(), daemon(syncd.Backup, "sync0", 1)); err != nil {
		t.Fatal(err)
	}
	sync1, err := netlink.LinkByName("sync1")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetDown(sync1); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		daemon syncd.Daemon
		want   string
	}{
		{daemon(syncd.Backup, "sync0", 1), "another backup runs"},
		{daemon(syncd.Master, "nosuch", 1), "there is no interface nosuch"},
		{daemon(syncd.Master, "sync1", 1), "is sync1 up?"},
	}
	for _, tt := range tests {
		err := kernel.Start(t.Context(), tt.daemon)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want one with %q", err, tt.want)
		}
	}
}

func TestLabRefusedBesideMixedAddressFamilies(t *testing.T) {
	kernel := openLab(t)
	ipvsadm(t, "-A", "-t", "192.0.2.10:80", "-s", "rr")
	ipvsadm(t, "-a", "-t", "192.0.2.10:80", "-r", "[2001:db8:9::11]:80", "-i")
	err := kernel.Start(t.Context(), daemon(syncd.Backup, "sync0", 1))
	if err == nil || !strings.Contains(err.Error(), "destinations of the other address family") {
		t.Errorf("error %v, want one that names the mixed address families", err)
	}
}
