// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
)

// refusedInKernel returns the addresses in the table's sets, or nil without a table.
func refusedInKernel(t *testing.T) []netip.Addr {
	t.Helper()
	c, err := nftables.New()
	must(t, err)
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	must(t, err)
	at := slices.IndexFunc(tables, func(table *nftables.Table) bool { return table.Name == RefuseTable })
	if at < 0 {
		return nil
	}
	all := []netip.Addr{}
	for _, name := range []string{"vips4", "vips6"} {
		set, err := c.GetSetByName(tables[at], name)
		must(t, err)
		elements, err := c.GetSetElements(set)
		must(t, err)
		for _, e := range elements {
			a, _ := netip.AddrFromSlice(e.Key)
			all = append(all, a)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

func expectRefused(t *testing.T, when string, want ...netip.Addr) {
	t.Helper()
	if diff := cmp.Diff(want, refusedInKernel(t), prefixes); diff != "" {
		t.Errorf("%s: refused (-want +got):\n%s", when, diff)
	}
}

func TestRefusalsComeAndGo(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	global := netip.MustParseAddr("2001:db8::10")
	holdAll(t, k, Desired{Refuse: []netip.Addr{vip4, global, vip4}})
	expectRefused(t, "refused", vip4, global)
	holdAll(t, k, Desired{Refuse: []netip.Addr{global}})
	expectRefused(t, "one less", global)
	holdAll(t, k, Desired{Refuse: []netip.Addr{global, vip4}})
	holdAll(t, w.keeper(), Desired{})
	expectRefused(t, "after a crash")
	holdAll(t, k, Desired{Refuse: []netip.Addr{vip4}})
	holdAll(t, k, Desired{})
	expectRefused(t, "none")
}

func TestRefusalsAreRepaired(t *testing.T) {
	newWorldKeeper := func() *Keeper { return newWorld(t).keeper() }
	k := newWorldKeeper()
	d := Desired{Refuse: []netip.Addr{vip4}}
	holdAll(t, k, d)
	c, err := nftables.New()
	must(t, err)
	c.FlushRuleset()
	must(t, c.Flush())
	expectRefused(t, "flushed")
	holdAll(t, k, d)
	expectRefused(t, "repaired", vip4)

	before, err := generation()
	must(t, err)
	holdAll(t, k, d)
	if after, err := generation(); err != nil || after != before {
		t.Errorf("the ruleset was changed without need: generation %d, then %d, %v", before, after, err)
	}
}

func TestRefusalsLeaveOthersRules(t *testing.T) {
	w := newWorld(t)
	c, err := nftables.New()
	must(t, err)
	other := c.AddTable(&nftables.Table{Name: "filter", Family: nftables.TableFamilyINet})
	must(t, c.Flush())
	k := w.keeper()
	holdAll(t, k, Desired{Refuse: []netip.Addr{vip4}})
	holdAll(t, k, Desired{})
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	must(t, err)
	if len(tables) != 1 || tables[0].Name != other.Name {
		t.Errorf("tables %v, want filter alone", tables)
	}
}

func TestManyRefusals(t *testing.T) {
	w := newWorld(t)
	var many []netip.Addr
	for i := range 5000 {
		many = append(many, netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)}))
	}
	holdAll(t, w.keeper(), Desired{Refuse: many})
	expectRefused(t, "many", many...)
}

// TestRefusalsAsNFTShowsThem pins the rules where nft(8) is installed.
func TestRefusalsAsNFTShowsThem(t *testing.T) {
	nft, err := exec.LookPath("nft")
	if err != nil {
		t.Skip("no nft(8) here")
	}
	w := newWorld(t)
	holdAll(t, w.keeper(), Desired{Refuse: []netip.Addr{vip4, vip6}})
	out, err := exec.Command(nft, "list", "chain", "inet", RefuseTable, "input").CombinedOutput()
	must(t, err)
	want := `table inet lvs-ha {
	chain input {
		type filter hook input priority 110; policy accept;
		icmpv6 type 135-136 accept
		ip daddr @vips4 drop
		ip6 daddr @vips6 drop
	}
}`
	if diff := cmp.Diff(want, strings.TrimSpace(string(out))); diff != "" {
		t.Errorf("chain (-want +got):\n%s", diff)
	}
}
