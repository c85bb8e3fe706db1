// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeKeeper returns a keeper over a fake kernel with the links eth0 and eth1 and an empty journal.
func fakeKeeper(t *testing.T) (*Keeper, *fakeKernel) {
	t.Helper()
	j, err := openJournal(filepath.Join(t.TempDir(), "addresses.json"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeKernel{
		devices:  []link{{index: 2, name: "eth0"}, {index: 3, name: "eth1"}},
		refusing: make(map[Address]error),
		settings: make(map[string]string),
	}
	return newKeeper(f, j, nil), f
}

// restarted returns the keeper that a new process would have.
func restarted(t *testing.T, k *Keeper) *Keeper {
	t.Helper()
	j, err := openJournal(k.journal.path)
	if err != nil {
		t.Fatal(err)
	}
	return newKeeper(k.kernel, j, nil)
}

func leases(addrs ...Address) []Lease {
	var ls []Lease
	for _, a := range addrs {
		ls = append(ls, Lease{Address: a, Valid: 3 * time.Second})
	}
	return ls
}

func hold(t *testing.T, k *Keeper, want []Lease) Changes {
	t.Helper()
	c, err := k.Hold(Desired{Leases: want})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKeeperAddsRenewsRemoves(t *testing.T) {
	k, _ := fakeKeeper(t)
	a, b := addr("eth0", "192.0.2.10/24"), addr("eth1", "2001:db8::10/64")
	for _, step := range []struct {
		name    string
		want    []Address
		changes Changes
	}{
		{"add", []Address{a, b}, Changes{Added: []Address{a, b}}},
		{"renew", []Address{a, b}, Changes{}},
		{"remove one", []Address{b}, Changes{Removed: []Address{a}}},
		{"remove all", nil, Changes{Removed: []Address{b}}},
		{"nothing", nil, Changes{}},
	} {
		got := hold(t, k, leases(step.want...))
		if diff := cmp.Diff(step.changes, got, prefixes); diff != "" {
			t.Errorf("%s: changes (-want +got):\n%s", step.name, diff)
		}
		if diff := cmp.Diff(step.want, k.journal.held.addresses.names(), prefixes); diff != "" {
			t.Errorf("%s: held (-want +got):\n%s", step.name, diff)
		}
		if diff := cmp.Diff(step.want, restarted(t, k).journal.held.addresses.names(), prefixes); diff != "" {
			t.Errorf("%s: held after a restart (-want +got):\n%s", step.name, diff)
		}
	}
}

func TestKeeperRemovesWhatACrashLeft(t *testing.T) {
	k, f := fakeKeeper(t)
	a, admin := addr("eth0", "192.0.2.10/24"), addr("eth0", "192.0.2.1/24")
	hold(t, k, leases(a))
	f.add(admin, 0)

	got := hold(t, restarted(t, k), nil)
	if diff := cmp.Diff(Changes{Removed: []Address{a}}, got, prefixes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if len(f.entries) != 1 || f.entries[0].Address != admin {
		t.Errorf("kernel has %v, want %v alone", f.entries, admin)
	}
}

// journalWatcher fails a test when an address is added that the journal does not name yet.
type journalWatcher struct {
	*fakeKernel
	t    *testing.T
	path string
}

func (w journalWatcher) apply(s snapshot, ops []operation) []error {
	j, err := openJournal(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range ops {
		switch o := o.(type) {
		case op:
			if _, ok := j.held.addresses[o.lease.Address]; !ok {
				w.t.Errorf("%s %s while the journal does not name it", o.kind, o.lease)
			}
		case linkOp:
			if _, ok := j.held.macs[o.mac.Name]; !ok {
				w.t.Errorf("%s %s while the journal does not name it", o.kind, o.mac)
			}
		}
	}
	return w.fakeKernel.apply(s, ops)
}

func TestKeeperWritesTheJournalBeforeItAddsAndAfterItRemoves(t *testing.T) {
	k, f := fakeKeeper(t)
	k.kernel = journalWatcher{f, t, k.journal.path}
	hold(t, k, leases(addr("eth0", "192.0.2.10/24")))
	hold(t, k, leases(addr("eth1", "192.0.2.11/24")))
	hold(t, k, nil)
}

func TestKeeperPutsBackWhatSomebodyRemoved(t *testing.T) {
	k, f := fakeKeeper(t)
	a := addr("eth0", "192.0.2.10/24")
	hold(t, k, leases(a))
	f.entries = nil
	got := hold(t, k, leases(a))
	if diff := cmp.Diff(Changes{Added: []Address{a}}, got, prefixes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestKeeperLeavesAnAddressOwnersAddress(t *testing.T) {
	k, f := fakeKeeper(t)
	a := addr("eth0", "192.0.2.10/24")
	f.add(a, 0)
	if got := hold(t, k, leases(a)); got.Added != nil {
		t.Errorf("added %v", got.Added)
	}
	hold(t, k, nil)
	if len(k.journal.held.addresses.names()) != 0 || len(f.entries) != 1 {
		t.Errorf("held %v, kernel has %v; want it left alone", k.journal.held.addresses.names(), f.entries)
	}
}

func TestKeeperOneFailureDoesNotStopTheOthers(t *testing.T) {
	k, f := fakeKeeper(t)
	good, bad := addr("eth0", "192.0.2.10/24"), addr("eth0", "2001:db8::10/64")
	absent, invalid := addr("eth9", "192.0.2.11/24"), Address{Interface: "eth0"}
	f.refusing[bad] = refusal{errno: unix.EACCES}

	got, err := k.Hold(Desired{Leases: leases(bad, absent, invalid, good)})
	if diff := cmp.Diff(Changes{Added: []Address{good}}, got, prefixes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	for _, part := range []string{
		"add address 2001:db8::10/64 dev eth0: permission denied (is net.ipv6.conf.eth0.disable_ipv6 set?)",
		"add address 192.0.2.11/24 dev eth9: no such interface",
		"add address invalid Prefix dev eth0: not an IPv4 or IPv6 prefix",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q:\n%v", part, err)
		}
	}
	if !errors.Is(err, unix.EACCES) {
		t.Error("the kernel's error number is lost")
	}
	if diff := cmp.Diff([]Address{good}, k.journal.held.addresses.names(), prefixes); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
}

func TestKeeperForgetsNothingWhoseOutcomeIsUnknown(t *testing.T) {
	k, f := fakeKeeper(t)
	a, b := addr("eth0", "192.0.2.10/24"), addr("eth0", "192.0.2.11/24")
	hold(t, k, leases(a))
	f.refusing[a] = errors.New("no answer")
	f.refusing[b] = errors.New("no answer")
	if _, err := k.Hold(Desired{Leases: leases(b)}); err == nil {
		t.Error("no error")
	}
	if diff := cmp.Diff([]Address{a, b}, restarted(t, k).journal.held.addresses.names(), prefixes); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

func TestKeeperTakesGoneForRemoved(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EADDRNOTAVAIL, unix.ENODEV} {
		k, f := fakeKeeper(t)
		a := addr("eth0", "192.0.2.10/24")
		hold(t, k, leases(a))
		f.refusing[a] = refusal{errno: errno}
		if _, err := k.Hold(Desired{}); err != nil {
			t.Errorf("%v: error %v", errno, err)
		}
		if held := k.journal.held.addresses.names(); len(held) != 0 {
			t.Errorf("%v: held %v", errno, held)
		}
	}
}

func TestKeeperServesWithoutJournal(t *testing.T) {
	k, f := fakeKeeper(t)
	if err := os.Remove(filepath.Dir(k.journal.path)); err != nil {
		t.Fatal(err)
	}
	a := addr("eth0", "192.0.2.10/24")
	got, err := k.Hold(Desired{Leases: leases(a)})
	if err == nil || !strings.Contains(err.Error(), "write address journal") {
		t.Errorf("error %v, want one about the journal", err)
	}
	if diff := cmp.Diff(Changes{Added: []Address{a}}, got, prefixes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if got, _ := k.Hold(Desired{}); len(got.Removed) != 1 || len(f.entries) != 0 {
		t.Errorf("removed %v, kernel has %v", got.Removed, f.entries)
	}
}

// TestTakingOverWritesNothing: the journal names standing addresses beforehand, and a process that comes later finds
// them as it finds those that are held.
func TestTakingOverWritesNothing(t *testing.T) {
	k, f := fakeKeeper(t)
	a, b := addr("eth0", "192.0.2.10/24"), addr("eth1", "2001:db8::10/64")
	do := func(want Desired) Changes {
		t.Helper()
		c, err := k.Hold(want)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	do(Desired{Standing: []Address{a, b}})
	written, err := os.ReadFile(k.journal.path)
	if err := errors.Join(err, os.Remove(k.journal.path)); err != nil {
		t.Fatal(err)
	}
	if k.Owns(a) || len(f.entries) > 0 {
		t.Errorf("a standing address is taken for a held one; the kernel has %v", f.entries)
	}
	do(Desired{Leases: leases(a), Standing: []Address{b}})
	do(Desired{Standing: []Address{a, b}})
	do(Desired{Leases: leases(a, b)})
	if _, err := os.Stat(k.journal.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the journal was written again (%v)", err)
	}
	if err := os.WriteFile(k.journal.path, written, 0o600); err != nil {
		t.Fatal(err)
	}
	k = restarted(t, k)
	if diff := cmp.Diff(Changes{Removed: []Address{a, b}}, do(Desired{Standing: []Address{a}}), prefixes); diff != "" {
		t.Errorf("after a crash (-want +got):\n%s", diff)
	}
	f.add(a, 0)
	k = restarted(t, k)
	if diff := cmp.Diff(Changes{}, do(Desired{}), prefixes); diff != "" {
		t.Errorf("an address of somebody else, which is not deprecated (-want +got):\n%s", diff)
	}
}
