// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestPlan(t *testing.T) {
	const (
		vip       = unix.IFA_F_DEPRECATED
		secondary = unix.IFA_F_SECONDARY
	)
	a := addr("eth0", "192.0.2.10/24")
	b := addr("eth0", "192.0.2.11/24")
	admin := addr("eth0", "192.0.2.1/24")
	six := addr("eth0", "2001:db8::10/64")
	tests := map[string]struct {
		want  []Address
		have  []entry
		owned ownership
		ops   []string
	}{
		"missing": {
			want: []Address{a, six},
			ops:  []string{"add 192.0.2.10/24 dev eth0", "add 2001:db8::10/64 dev eth0"},
		},
		"named by the journal but missing": {
			want:  []Address{a},
			owned: owning(a),
			ops:   []string{"add 192.0.2.10/24 dev eth0"},
		},
		"settled": {
			want:  []Address{a},
			have:  []entry{{Address: a, flags: vip}},
			owned: owning(a),
			ops:   []string{"renew 192.0.2.10/24 dev eth0"},
		},
		"left over": {
			have:  []entry{{Address: a, flags: vip}},
			owned: owning(a),
			ops:   []string{"remove 192.0.2.10/24 dev eth0"},
		},
		"wanted and foreign": {
			want: []Address{a},
			have: []entry{{Address: a}},
		},
		"wanted and foreign with another prefix length": {
			want: []Address{six},
			have: []entry{{Address: addr("eth0", "2001:db8::10/128")}},
		},
		"foreign on another interface": {
			want: []Address{a},
			have: []entry{{Address: addr("eth1", "192.0.2.10/24")}},
			ops:  []string{"add 192.0.2.10/24 dev eth0"},
		},
		"named by the journal but added by somebody else since": {
			have:  []entry{{Address: a}},
			owned: owning(a),
		},
		"deprecated by somebody else": {
			have: []entry{{Address: a, flags: vip}},
		},
		"prefix length changed": {
			want:  []Address{addr("eth0", "2001:db8::10/128")},
			have:  []entry{{Address: six, flags: vip}},
			owned: owning(six),
			ops:   []string{"remove 2001:db8::10/64 dev eth0", "add 2001:db8::10/128 dev eth0"},
		},
		"two leases for one IP address": {
			want: []Address{a, addr("eth0", "192.0.2.10/32")},
			ops:  []string{"add 192.0.2.10/24 dev eth0"},
		},
		"primary goes, its secondary stays": {
			want:  []Address{b},
			have:  []entry{{Address: a, flags: vip}, {Address: b, flags: vip | secondary}},
			owned: owning(a, b),
			ops:   []string{"remove 192.0.2.10/24 dev eth0", "renew 192.0.2.11/24 dev eth0"},
		},
		"primary goes, a foreign secondary is put back first": {
			want:  []Address{b},
			have:  []entry{{Address: a, flags: vip}, {Address: b, flags: vip | secondary}, {Address: admin, flags: secondary}},
			owned: owning(a, b),
			ops: []string{
				"remove 192.0.2.10/24 dev eth0", "put back 192.0.2.1/24 dev eth0", "renew 192.0.2.11/24 dev eth0",
			},
		},
		"secondary goes": {
			have:  []entry{{Address: admin}, {Address: a, flags: vip | secondary}, {Address: addr("eth0", "192.0.2.2/24"), flags: secondary}},
			owned: owning(a),
			ops:   []string{"remove 192.0.2.10/24 dev eth0"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for i, e := range tt.have {
				tt.have[i].label = Lease{Address: e.Address}.label()
			}
			var want []Lease
			for _, a := range tt.want {
				want = append(want, Lease{Address: a, Valid: 3 * time.Second})
			}
			var got []string
			ops, _ := plan(want, tt.have, tt.owned)
			for _, o := range ops {
				got = append(got, fmt.Sprint(o.kind, " ", o.lease))
			}
			if diff := cmp.Diff(tt.ops, got); diff != "" {
				t.Errorf("operations (-want +got):\n%s", diff)
			}
		})
	}
}

// addresses draws addresses that meet one another often: two interfaces, few subnets, several prefix lengths.
var addresses = rapid.Custom(func(t *rapid.T) Address {
	iface := rapid.SampledFrom([]string{"eth0", "eth1"}).Draw(t, "interface")
	host := rapid.Uint8Range(1, 5).Draw(t, "host")
	if rapid.Bool().Draw(t, "IPv6") {
		ip := netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", host))
		return Address{iface, netip.PrefixFrom(ip, rapid.SampledFrom([]int{64, 128}).Draw(t, "bits"))}
	}
	ip := netip.AddrFrom4([4]byte{192, 0, 2, host})
	return Address{iface, netip.PrefixFrom(ip, rapid.SampledFrom([]int{24, 32}).Draw(t, "bits"))}
})

// TestPlanReaches checks that from any state the plan leaves exactly what is wanted and what is foreign, never changes
// what is foreign, and that the plan of the state reached only renews.
func TestPlanReaches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := &fakeKernel{promote: rapid.Bool().Draw(t, "promote_secondaries")}
		owned := make(ownership)
		foreign := make(map[Address]bool)
		for _, a := range rapid.SliceOfNDistinct(addresses, 0, 8, Address.key).Draw(t, "have") {
			switch rapid.SampledFrom([]string{"ours", "foreign", "taken over"}).Draw(t, "owner of "+a.String()) {
			case "ours":
				owned[a] = 0
				k.add(a, unix.IFA_F_DEPRECATED)
			case "taken over":
				owned[a] = 0
				fallthrough
			default:
				foreign[a] = true
				k.add(a, 0)
			}
		}
		want := rapid.SliceOfNDistinct(addresses, 0, 8, Address.key).Draw(t, "want")
		var leases []Lease
		after := make(map[Address]bool)
		for a := range foreign {
			after[a] = true
		}
		for _, a := range want {
			leases = append(leases, Lease{Address: a, Valid: 3 * time.Second})
			theirs := func(e entry) bool { return foreign[e.Address] && e.key() == a.key() }
			if !slices.ContainsFunc(k.entries, theirs) {
				after[a] = true
				// The journal names an address before it is added.
				owned[a] = 0
			}
		}

		ops, _ := plan(leases, slices.Clone(k.entries), owned)
		for _, o := range ops {
			if foreign[o.lease.Address] && o.kind != opRestore {
				t.Fatalf("%s %s, which is foreign", o.kind, o.lease)
			}
			_ = k.perform(o)
		}

		got := make(map[Address]bool)
		for _, e := range k.entries {
			got[e.Address] = true
			if foreign[e.Address] && e.has(unix.IFA_F_DEPRECATED) {
				t.Errorf("foreign %s was changed", e.Address)
			}
		}
		if diff := cmp.Diff(after, got); diff != "" {
			t.Errorf("addresses (-want +got):\n%s\nafter %v", diff, ops)
		}
		again, _ := plan(leases, k.entries, owned)
		for _, o := range again {
			if o.kind != opRenew {
				t.Errorf("settled, but the plan says %s %s", o.kind, o.lease)
			}
		}
	})
}

func TestLeaseSeconds(t *testing.T) {
	for valid, seconds := range map[time.Duration]uint32{
		0:                        infinity,
		-time.Second:             infinity,
		time.Nanosecond:          1,
		3 * time.Second:          3,
		3*time.Second + 1:        4,
		2562047 * time.Hour:      infinity - 1, // the longest Duration
		time.Duration(1<<63 - 1): infinity - 1,
	} {
		if got := (Lease{Valid: valid}).seconds(); got != seconds {
			t.Errorf("lease of %s: %d s, want %d s", valid, got, seconds)
		}
	}
}
