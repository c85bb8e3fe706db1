// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// everything is one of each.
func everything() Desired {
	vip := netip.MustParseAddr("192.0.2.10")
	return Desired{
		Leases:      leases(addr("vrrp.51", "192.0.2.10/24")),
		Routes:      []Route{{Destination: netip.MustParsePrefix("198.51.100.0/24"), Interface: "eth0"}},
		Rules:       []Rule{{From: netip.MustParsePrefix("192.0.2.10/32"), Table: 100, Priority: 1000}},
		VirtualMACs: []VirtualMAC{{Name: "vrrp.51", Interface: "eth0", HardwareAddr: net.HardwareAddr{0, 0, 0x5e, 0, 1, 51}, Up: true}},
		Refuse:      []netip.Addr{vip},
	}
}

func TestHoldInOrder(t *testing.T) {
	k, f := fakeKeeper(t)
	k.kernel = journalWatcher{f, t, k.journal.path}
	step := func(name string, want Desired, history ...string) {
		t.Helper()
		f.history = nil
		if _, err := k.Hold(want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, h := range f.history {
			if !strings.HasPrefix(h, "set ipv") {
				got = append(got, h)
			}
		}
		if diff := cmp.Diff(history, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	step("master", everything(), "create vrrp.51", "set up vrrp.51", "refuse [192.0.2.10]", "add 192.0.2.10/24 dev vrrp.51",
		"add route 198.51.100.0/24 dev eth0", "add rule priority 1000 from 192.0.2.10/32 lookup 100")
	step("renewal", everything(), "renew 192.0.2.10/24 dev vrrp.51")
	backup := Desired{VirtualMACs: everything().VirtualMACs}
	backup.VirtualMACs[0].Up = false
	step("backup", backup, "remove rule priority 1000 from 192.0.2.10/32 lookup 100", "remove route 198.51.100.0/24 dev eth0",
		"remove 192.0.2.10/24 dev vrrp.51", "refuse []", "set down vrrp.51")
	step("nothing", Desired{}, "remove vrrp.51")
	if !k.journal.held.equal(newHoldings()) {
		t.Errorf("the journal has %+v", k.journal.held)
	}
	for path, value := range f.settings {
		if strings.Contains(path, "/eth0/") && value != "0" {
			t.Errorf("%s is left at %s", path, value)
		}
	}
}

// TestHoldReadsNoRoutesWithoutNeed counts, since a table may have a million of them.
func TestHoldReadsNoRoutesWithoutNeed(t *testing.T) {
	k, f := fakeKeeper(t)
	counting := &countingKernel{fakeKernel: f}
	k.kernel = counting
	for range 3 {
		hold(t, k, leases(addr("eth0", "192.0.2.10/24")))
	}
	if counting.dumps != 2 {
		t.Errorf("routes and rules were read %d times, want once each, for leftovers", counting.dumps)
	}
}

type countingKernel struct {
	*fakeKernel
	dumps int
}

func (c *countingKernel) routes(s snapshot) ([]Route, error) {
	c.dumps++
	return c.fakeKernel.routes(s)
}

func (c *countingKernel) rules() ([]parsedRule, error) {
	c.dumps++
	return c.fakeKernel.rules()
}

func TestHoldFollowsARenamedInterface(t *testing.T) {
	k, f := fakeKeeper(t)
	hold(t, k, leases(addr("eth0", "192.0.2.10/24")))
	f.devices[0].name = "wan0"
	f.entries[0].Interface = "wan0"
	got := hold(t, restarted(t, k), nil)
	if diff := cmp.Diff(Changes{Removed: []Address{addr("wan0", "192.0.2.10/24")}}, got, prefixes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestHoldForgetsAnInterfaceOfTheSameName(t *testing.T) {
	k, f := fakeKeeper(t)
	hold(t, k, leases(addr("eth0", "192.0.2.10/24")))
	f.devices[0].index = 20
	if got := hold(t, restarted(t, k), nil); got.Removed != nil {
		t.Errorf("removed %v from another interface", got.Removed)
	}
	if len(f.entries) != 1 {
		t.Errorf("kernel has %v", f.entries)
	}
}

func TestLabelAndScope(t *testing.T) {
	k, f := fakeKeeper(t)
	a := addr("eth0", "192.0.2.10/24")
	for _, step := range []struct {
		name    string
		lease   Lease
		changes Changes
	}{
		{"labelled", Lease{Address: a, Label: "eth0:web", Scope: unix.RT_SCOPE_LINK}, Changes{Added: []Address{a}}},
		{"renewed", Lease{Address: a, Label: "eth0:web", Scope: unix.RT_SCOPE_LINK}, Changes{}},
		{"another label", Lease{Address: a, Label: "eth0:www", Scope: unix.RT_SCOPE_LINK}, Changes{Added: []Address{a}, Removed: []Address{a}}},
		{"another scope", Lease{Address: a, Label: "eth0:www"}, Changes{Added: []Address{a}, Removed: []Address{a}}},
		{"no label", Lease{Address: a}, Changes{Added: []Address{a}, Removed: []Address{a}}},
	} {
		got := hold(t, k, []Lease{step.lease})
		if diff := cmp.Diff(step.changes, got, prefixes); diff != "" {
			t.Errorf("%s: changes (-want +got):\n%s", step.name, diff)
		}
		if e := f.entries[0]; e.label != step.lease.label() || e.scope != step.lease.Scope {
			t.Errorf("%s: label %s, scope %d", step.name, e.label, e.scope)
		}
	}
}

func TestVirtualMACFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Desired)
		reason string
	}{
		"twice":               {func(d *Desired) { d.VirtualMACs = append(d.VirtualMACs, d.VirtualMACs[0]) }, "wanted twice"},
		"no Ethernet address": {func(d *Desired) { d.VirtualMACs[0].HardwareAddr = nil }, "not an Ethernet address"},
		"no base":             {func(d *Desired) { d.VirtualMACs[0].Interface = "eth9" }, "no interface eth9"},
		"name taken":          {func(d *Desired) { d.VirtualMACs[0].Name = "eth1"; d.Leases[0].Interface = "eth1" }, "not lvs-ha's"},
	} {
		t.Run(name, func(t *testing.T) {
			k, f := fakeKeeper(t)
			d := everything()
			tt.change(&d)
			_, err := k.Hold(d)
			if err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("error %v lacks %q", err, tt.reason)
			}
			if name != "twice" && len(f.entries) != 0 {
				t.Errorf("added %v nevertheless", f.entries)
			}
		})
	}
}

func TestPlanRules(t *testing.T) {
	a := Rule{Table: 100, Priority: 1000}
	b := Rule{Table: 100, Priority: 1001}
	have := []parsedRule{
		{rule: a, protocol: Protocol, plain: true},
		{rule: b, protocol: 3, plain: true},
		{rule: Rule{Table: 7, Priority: 7}, protocol: Protocol}, // with a selector that a Rule does not know
	}
	removals, additions, foreign := planRules([]Rule{b, b, {Table: 9, Priority: 9}}, have)
	if diff := cmp.Diff([]operation{ruleOp{true, a}}, removals, prefixes, cmp.AllowUnexported(ruleOp{})); diff != "" {
		t.Errorf("removals (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]operation{ruleOp{false, Rule{Table: 9, Priority: 9}}}, additions, prefixes, cmp.AllowUnexported(ruleOp{})); diff != "" {
		t.Errorf("additions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Rule{b}, foreign, prefixes); diff != "" {
		t.Errorf("foreign (-want +got):\n%s", diff)
	}
}
