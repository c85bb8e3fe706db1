// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestInterfaces(t *testing.T) {
	const (
		vip       = unix.IFA_F_DEPRECATED
		secondary = unix.IFA_F_SECONDARY
	)
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	tests := map[string]struct {
		flags   uint32
		entries []entry
		want    Interface
	}{
		"up, no address": {
			flags: unix.IFF_UP | unix.IFF_LOWER_UP | unix.IFF_RUNNING,
			want:  Interface{Up: true},
		},
		"down":                 {flags: 0},
		"no carrier":           {flags: unix.IFF_UP},
		"lower interface down": {flags: unix.IFF_UP | unix.IFF_LOWER_UP},
		"VIP before and after the primary": {
			entries: []entry{
				{Address: addr("eth0", "192.0.2.10/32"), flags: vip},
				{Address: addr("eth0", "192.0.2.1/24")},
				{Address: addr("eth0", "198.51.100.1/24")},
				{Address: addr("eth0", "192.0.2.11/24"), flags: vip | secondary},
			},
			want: Interface{Primary4: netip.MustParseAddr("192.0.2.1")},
		},
		"only a VIP": {
			entries: []entry{{Address: addr("eth0", "192.0.2.10/32"), flags: vip}},
		},
		"secondary to a VIP": {
			entries: []entry{
				{Address: addr("eth0", "192.0.2.11/24"), flags: vip},
				{Address: addr("eth0", "192.0.2.1/24"), flags: secondary},
			},
			want: Interface{Primary4: netip.MustParseAddr("192.0.2.1")},
		},
		"address owner": {
			entries: []entry{{Address: addr("eth0", "192.0.2.10/32")}},
			want:    Interface{Primary4: netip.MustParseAddr("192.0.2.10")},
		},
		"link-local that is a VIP, tentative, duplicate, usable": {
			entries: []entry{
				{Address: addr("eth0", "2001:db8::1/64")},
				{Address: addr("eth0", "fe80::10/64"), flags: vip},
				{Address: addr("eth0", "fe80::1/64"), flags: unix.IFA_F_TENTATIVE},
				{Address: addr("eth0", "fe80::2/64"), flags: unix.IFA_F_DADFAILED},
				{Address: addr("eth0", "fe80::3/64")},
				{Address: addr("eth0", "fe80::4/64")},
			},
			want: Interface{LinkLocal6: netip.MustParseAddr("fe80::3")},
		},
	}
	owned := owning(addr("eth0", "192.0.2.10/32"), addr("eth0", "192.0.2.11/24"), addr("eth0", "fe80::10/64"))
	isOurs := func(a Address) bool {
		_, ok := owned[a]
		return ok
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.want.Name, tt.want.Index, tt.want.HardwareAddr = "eth0", 2, mac
			for _, e := range tt.entries {
				tt.want.Addresses = append(tt.want.Addresses, e.Prefix)
			}
			s := newSnapshot([]link{{index: 2, name: "eth0", flags: tt.flags, hardware: mac}})
			if diff := cmp.Diff(map[string]Interface{"eth0": tt.want}, s.interfaces(tt.entries, isOurs), prefixes); diff != "" {
				t.Errorf("interfaces (-want +got):\n%s", diff)
			}
		})
	}
}
