// SPDX-License-Identifier: Apache-2.0

package ipvs_test

import (
	"testing"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
)

func TestPlan(t *testing.T) {
	const vip = "192.0.2.10:80"
	web := service(ipvs.TCP, vip, "wlc")
	entry := func(s ipvs.Service, d ...ipvs.Destination) ipvs.Table {
		return ipvs.Table{{Service: s, Destinations: d}}
	}
	rs1, rs2, rs3 := destination("10.0.1.11:80", 100), destination("10.0.1.12:80", 100), destination("10.0.1.13:80", 100)
	drained := destination("10.0.1.11:80", 0)
	routed := rs2
	routed.Forward = ipvs.Direct
	limited := rs1
	limited.UpperThreshold, limited.LowerThreshold = 50, 20
	persistent := web
	persistent.Flags, persistent.Timeout, persistent.Netmask = ipvs.FlagPersistent, 300*time.Second, 24

	tests := []struct {
		name       string
		want, have ipvs.Table
		ops        []string
	}{
		{name: "both empty"},
		{
			name: "from nothing",
			want: entry(web, rs2, rs1),
			ops: []string{
				"add service tcp 192.0.2.10:80 wlc",
				"add 10.0.1.11:80 masquerade weight 100 to tcp 192.0.2.10:80",
				"add 10.0.1.12:80 masquerade weight 100 to tcp 192.0.2.10:80",
			},
		},
		{
			name: "to nothing: the service takes its destinations along",
			have: entry(web, rs1, rs2),
			ops:  []string{"delete service tcp 192.0.2.10:80"},
		},
		{name: "the same in another order", want: entry(web, rs1, rs2), have: entry(web, rs2, rs1)},
		{
			name: "one written as an IPv4-mapped address",
			want: entry(service(ipvs.TCP, "[::ffff:192.0.2.10]:80", "wlc"), destination("[::ffff:10.0.1.11]:80", 100)),
			have: entry(web, rs1),
		},
		{
			name: "weight falls to zero",
			want: entry(web, drained, rs2),
			have: entry(web, rs1, rs2),
			ops:  []string{"set weight 0 of 10.0.1.11:80 in tcp 192.0.2.10:80"},
		},
		{
			name: "all destinations exchanged: the new one comes first",
			want: entry(web, drained, rs3),
			have: entry(web, rs1, rs2),
			ops: []string{
				"add 10.0.1.13:80 masquerade weight 100 to tcp 192.0.2.10:80",
				"set weight 0 of 10.0.1.11:80 in tcp 192.0.2.10:80",
				"delete 10.0.1.12:80 from tcp 192.0.2.10:80",
			},
		},
		{
			name: "several attributes of a destination",
			want: entry(web, limited, routed),
			have: entry(web, drained, rs2),
			ops: []string{
				"set weight 100, upper threshold 50, lower threshold 20 of 10.0.1.11:80 in tcp 192.0.2.10:80",
				"set forward direct of 10.0.1.12:80 in tcp 192.0.2.10:80",
			},
		},
		{
			name: "scheduler: an edit, the destinations are not touched",
			want: entry(service(ipvs.TCP, vip, "mh"), rs1),
			have: entry(web, rs1),
			ops:  []string{"change service tcp 192.0.2.10:80 from wlc to mh"},
		},
		{
			name: "persistence",
			want: entry(persistent),
			have: entry(web),
			ops:  []string{"change service tcp 192.0.2.10:80 from wlc to wlc persistent 5m0s netmask 24"},
		},
		{
			name: "same address, other protocol: another service; deletions last",
			want: entry(web, rs1),
			have: entry(service(ipvs.UDP, vip, "wlc"), rs1),
			ops: []string{
				"add service tcp 192.0.2.10:80 wlc",
				"add 10.0.1.11:80 masquerade weight 100 to tcp 192.0.2.10:80",
				"delete service udp 192.0.2.10:80",
			},
		},
		{
			name: "a service named twice: the first one counts",
			want: append(entry(web, rs1, drained), entry(web, rs2)...),
			have: entry(web, rs1),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, op := range ipvs.Plan(tt.want, tt.have) {
				got = append(got, op.String())
			}
			if d := diff(tt.ops, got); d != "" {
				t.Errorf("operations (-want +got):\n%s", d)
			}
		})
	}
}
