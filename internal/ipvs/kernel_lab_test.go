// SPDX-License-Identifier: Apache-2.0

package ipvs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	moby "github.com/moby/ipvs"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
)

// openLab returns the IPVS of a network namespace made for the test, where the test goroutine stays. Its addresses are on
// lo, so that a destination can be a listener of the test.
func openLab(t *testing.T) *ipvs.Kernel {
	t.Helper()
	if os.Getenv("LVSHA_LAYER") != "kernel" {
		t.Skip("lab kernel layer: run `make test-kernel`")
	}
	runtime.LockOSThread() // for good: the thread ends with the test, and the namespace with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
	kernel, err := ipvs.OpenKernel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kernel.Close() })
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"192.0.2.10/32", "10.9.0.11/32", "10.9.0.12/32", "2001:db8::10/128", "2001:db8:9::11/128"} {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			t.Fatal(err)
		}
		addr.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(lo, addr); err != nil {
			t.Fatalf("add %s: %v", a, err)
		}
	}
	return kernel
}

func apply(t *testing.T, k *ipvs.Kernel, want ipvs.Table) []ipvs.Op {
	t.Helper()
	ops := ipvs.Plan(want, snapshot(t, k).Table)
	if err := k.Apply(t.Context(), ops); err != nil {
		t.Fatalf("apply: %v", err)
	}
	return ops
}

func snapshot(t *testing.T, k *ipvs.Kernel) ipvs.Snapshot {
	t.Helper()
	snap, err := k.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func ipvsadm(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ipvsadm", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ipvsadm %v: %v: %s", args, err, out)
	}
	return string(out)
}

// everything is a table with every feature, and saved is how ipvsadm writes it.
var everything = ipvs.Table{
	{
		Service: service(ipvs.TCP, "192.0.2.10:80", "wlc"),
		Destinations: []ipvs.Destination{
			{Address: netip.MustParseAddrPort("10.9.0.11:8080"), Weight: 0},
			{Address: netip.MustParseAddrPort("10.9.0.12:8080"), Weight: ipvs.MaxWeight, UpperThreshold: 100, LowerThreshold: 50},
			{Address: netip.MustParseAddrPort("[2001:db8:9::11]:80"), Weight: 1, Forward: ipvs.Tunnel},
		},
	},
	{
		Service: ipvs.Service{
			Key: key(ipvs.TCP, "192.0.2.10:443"), Scheduler: "mh",
			Flags:   ipvs.FlagPersistent | ipvs.FlagScheduler1 | ipvs.FlagScheduler2,
			Timeout: 300 * time.Second, Netmask: 24,
		},
		Destinations: []ipvs.Destination{{Address: netip.MustParseAddrPort("10.9.0.11:443"), Weight: 7, Forward: ipvs.Direct}},
	},
	{
		Service: ipvs.Service{Key: key(ipvs.UDP, "192.0.2.10:53"), Scheduler: "rr", Flags: ipvs.FlagOnePacket},
	},
	{
		Service: ipvs.Service{
			Key: key(ipvs.SCTP, "[2001:db8::10]:5060"), Scheduler: "sh",
			Flags: ipvs.FlagPersistent, Timeout: time.Minute, Netmask: 64,
		},
		Destinations: []ipvs.Destination{
			{Address: netip.MustParseAddrPort("[2001:db8:9::11]:5060"), Weight: 1},
			{Address: netip.MustParseAddrPort("10.9.0.12:5060"), Weight: 2, Forward: ipvs.Tunnel},
		},
	},
}

const saved = `-A -t 192.0.2.10:80 -s wlc
-a -t 192.0.2.10:80 -r 10.9.0.11:8080 -m -w 0
-a -t 192.0.2.10:80 -r 10.9.0.12:8080 -m -w 65535 -x 100 -y 50
-a -t 192.0.2.10:80 -r [2001:db8:9::11]:80 -i -w 1 --tun-type ipip
-A -t 192.0.2.10:443 -s mh -p 300 -M 255.255.255.0 -b mh-fallback,mh-port
-a -t 192.0.2.10:443 -r 10.9.0.11:443 -g -w 7
-A -u 192.0.2.10:53 -s rr -o
-A --sctp-service [2001:db8::10]:5060 -s sh -p 60 -M 64
-a --sctp-service [2001:db8::10]:5060 -r [2001:db8:9::11]:5060 -m -w 1
-a --sctp-service [2001:db8::10]:5060 -r 10.9.0.12:5060 -i -w 2 --tun-type ipip
`

func sortedLines(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	slices.Sort(lines)
	return lines
}

func containsFields(text string, fields []string) bool {
	return slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool {
		return slices.Equal(strings.Fields(line), fields)
	})
}

func TestLabIpvsadmReadsWhatWeWrite(t *testing.T) {
	kernel := openLab(t)
	apply(t, kernel, everything)
	withoutThresholds := strings.ReplaceAll(saved, " -x 100 -y 50", "") // ipvsadm reads them, but does not save them
	if d := diff(sortedLines(withoutThresholds), sortedLines(ipvsadm(t, "", "-Sn"))); d != "" {
		t.Errorf("ipvsadm -Sn (-want +got):\n%s", d)
	}
	thresholds := strings.Fields("-> 10.9.0.12:8080 100 50 0 0")
	if list := ipvsadm(t, "", "-Ln", "--thresholds"); !containsFields(list, thresholds) {
		t.Errorf("ipvsadm -Ln --thresholds: no line %q in\n%s", thresholds, list)
	}
	if d := diff(everything.Normalize(), snapshot(t, kernel).Table); d != "" {
		t.Errorf("snapshot (-want +got):\n%s", d)
	}
}

func TestLabReadsWhatIpvsadmWrites(t *testing.T) {
	kernel := openLab(t)
	ipvsadm(t, saved+"-A -f 42 -s rr\n", "-R")
	if d := diff(everything.Normalize(), snapshot(t, kernel).Table); d != "" {
		t.Errorf("snapshot (-want +got):\n%s", d)
	}
	if ops := ipvs.Plan(everything, snapshot(t, kernel).Table); len(ops) > 0 {
		t.Errorf("operations after adoption: %v", ops)
	}
	apply(t, kernel, nil)
	if got, want := strings.TrimSpace(ipvsadm(t, "", "-Sn")), "-A -f 42 -s rr"; got != want {
		t.Errorf("left after an empty plan: %q, want %q", got, want)
	}
}

// TestLabMobyReadsTheSame: another implementation of the same messages sees the same table.
func TestLabMobyReadsTheSame(t *testing.T) {
	kernel := openLab(t)
	apply(t, kernel, everything)
	handle, err := moby.New("")
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	services, err := handle.GetServices()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range services {
		got = append(got, fmt.Sprint(s.Protocol, s.Address, s.Port, s.SchedName, s.Flags&^0x2, s.Timeout))
		dests, err := handle.GetDestinations(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dests {
			got = append(got, fmt.Sprint(s.Port, d.Address, d.Port, d.Weight, d.ConnectionFlags, d.UpperThreshold, d.LowerThreshold))
		}
	}
	var want []string
	for _, e := range snapshot(t, kernel).Table {
		s := e.Service
		want = append(want, fmt.Sprint(uint16(s.Key.Protocol), s.Key.Address.Addr(), s.Key.Address.Port(), s.Scheduler, s.Flags, s.Timeout.Seconds()))
		for _, d := range e.Destinations {
			want = append(want, fmt.Sprint(s.Key.Address.Port(), d.Address.Addr(), d.Address.Port(), d.Weight, uint32(d.Forward), d.UpperThreshold, d.LowerThreshold))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := diff(want, got); d != "" {
		t.Errorf("moby/ipvs (-ours +moby):\n%s", d)
	}
}

func TestLabKernelAnswers(t *testing.T) { testAnswers(t, openLab(t)) }

func TestLabErrorsSayWhatToDo(t *testing.T) {
	kernel := openLab(t)
	web := service(ipvs.TCP, "192.0.2.10:80", "wlc")
	if err := kernel.Apply(t.Context(), []ipvs.Op{ipvs.AddService{Service: web}}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		op   ipvs.Op
		want string
	}{
		{ipvs.AddService{Service: service(ipvs.TCP, "192.0.2.10:81", "nosuch")}, "the kernel has no scheduler nosuch"},
		{ipvs.EditService{Service: service(ipvs.TCP, "192.0.2.10:80", "nosuch")}, "the kernel has no scheduler nosuch"},
		{ipvs.AddDestination{Service: web.Key, Destination: destination("224.0.0.1:80", 1)}, "not a unicast address"},
		{ipvs.AddDestination{Service: web.Key, Destination: destination("[2001:db8::1]:80", 1)}, "other address family must be a tunnel"},
	}
	for _, tt := range tests {
		err := kernel.Apply(t.Context(), []ipvs.Op{tt.op})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: error %v, want one with %q", tt.op, err, tt.want)
		}
	}
}

// TestLabAdoptionKeepsConnections: a plan that changes weights, thresholds and the scheduler of a table that somebody else
// made leaves a connection alone, down to its entry in the kernel.
func TestLabAdoptionKeepsConnections(t *testing.T) {
	kernel := openLab(t)
	listener, err := net.Listen("tcp", "10.9.0.11:8080")
	if err != nil {
		t.Fatal(err)
	}
	echoed := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			defer conn.Close()
			_, err = io.Copy(conn, conn)
		}
		echoed <- err
	}()
	ipvsadm(t, "-A -t 192.0.2.10:80 -s wlc\n-a -t 192.0.2.10:80 -r 10.9.0.11:8080 -m -w 1\n", "-R")

	client, err := net.Dial("tcp", "192.0.2.10:80")
	if err != nil {
		t.Fatal(err)
	}
	echo := func(text string) {
		t.Helper()
		if err := client.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(client, text); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(text))
		if _, err := io.ReadFull(client, got); err != nil || string(got) != text {
			t.Fatalf("echo %q, %v; want %q", got, err, text)
		}
	}
	echo("before")

	rs := ipvs.DestinationKey{Service: key(ipvs.TCP, "192.0.2.10:80"), Address: netip.MustParseAddrPort("10.9.0.11:8080")}
	want := ipvs.Table{{
		Service: service(ipvs.TCP, "192.0.2.10:80", "rr"),
		Destinations: []ipvs.Destination{
			{Address: rs.Address, Weight: 0, UpperThreshold: 10, LowerThreshold: 5},
			destination("10.9.0.12:8080", 3),
		},
	}}
	ops := apply(t, kernel, want)
	if len(ops) != 3 {
		t.Errorf("operations %v, want a changed service, a new destination and a changed one", ops)
	}
	echo("after")
	if got := snapshot(t, kernel).Connections[rs]; got != (ipvs.Connections{Active: 1}) {
		t.Errorf("connections of %v: %+v, want one active", rs, got)
	}
	entries := ipvsadm(t, "", "-Lcn")
	if !strings.Contains(entries, "ESTABLISHED") || !strings.Contains(entries, "10.9.0.11:8080") {
		t.Errorf("ipvsadm -Lcn without the connection:\n%s", entries)
	}
	client.Close()
	listener.Close()
	if err := <-echoed; err != nil {
		t.Errorf("echo server: %v", err)
	}
}

// TestLabManyOperations: every error of a long batch is reported for its own operation, and all others are carried out.
func TestLabManyOperations(t *testing.T) {
	kernel := openLab(t)
	web := service(ipvs.TCP, "192.0.2.10:80", "wlc")
	ops := []ipvs.Op{ipvs.AddService{Service: web}}
	var want ipvs.Entry
	want.Service = web
	refused := make(map[ipvs.Op]bool)
	for i := range 1000 {
		d := destination(fmt.Sprintf("10.9.%d.%d:80", 1+i/250, 1+i%250), 1+i)
		if i%3 == 0 {
			d.LowerThreshold = 1 // above the upper one
		} else {
			want.Destinations = append(want.Destinations, d)
		}
		op := ipvs.AddDestination{Service: web.Key, Destination: d}
		ops, refused[op] = append(ops, op), i%3 == 0
	}
	// The kernel takes only addresses it has a route to for unicast.
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	all := &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Dst: all, Scope: netlink.SCOPE_LINK}); err != nil {
		t.Fatal(err)
	}

	err = kernel.Apply(t.Context(), ops)
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		t.Fatalf("error %v, want several", err)
	}
	for _, e := range joined.Unwrap() {
		var opErr *ipvs.OpError
		if !errors.As(e, &opErr) || !errors.Is(e, unix.ERANGE) || !refused[opErr.Op] {
			t.Errorf("unexpected error %v", e)
			continue
		}
		delete(refused, opErr.Op)
	}
	for op, is := range refused {
		if is {
			t.Errorf("no error for %v", op)
		}
	}
	if d := diff(ipvs.Table{want}.Normalize(), snapshot(t, kernel).Table); d != "" {
		t.Errorf("table (-want +got):\n%s", d)
	}
}

// TestLabGoesOnAfterCancellation: a call that ends with its context leaves no answers behind for the next one.
func TestLabGoesOnAfterCancellation(t *testing.T) {
	kernel := openLab(t)
	apply(t, kernel, everything)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := kernel.Snapshot(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("snapshot: error %v, want %v", err, context.Canceled)
	}
	if err := kernel.Apply(cancelled, []ipvs.Op{ipvs.DeleteService{Key: everything[0].Service.Key}}); !errors.Is(err, context.Canceled) {
		t.Errorf("apply: error %v, want %v", err, context.Canceled)
	}
	if d := diff(everything.Normalize(), snapshot(t, kernel).Table); d != "" {
		t.Errorf("table (-want +got):\n%s", d)
	}
}
