// SPDX-License-Identifier: Apache-2.0

package ipvs_test

import (
	"testing"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
)

func TestNormalize(t *testing.T) {
	table := ipvs.Table{
		{Service: service(ipvs.UDP, "192.0.2.10:53", "rr")},
		{Service: service(ipvs.TCP, "[2001:db8::10]:80", "rr")},
		{
			Service: ipvs.Service{
				Key: key(ipvs.TCP, "[::ffff:192.0.2.10]:80"), Scheduler: "wlc",
				Flags: ipvs.FlagPersistent | 0x2, Timeout: 1500 * time.Millisecond,
			},
			Destinations: []ipvs.Destination{
				destination("10.0.1.12:80", 1), destination("[::ffff:10.0.1.11]:80", 2), destination("10.0.1.11:80", 3),
			},
		},
		{Service: service(ipvs.TCP, "192.0.2.10:80", "again")},
	}
	want := ipvs.Table{
		{
			Service: ipvs.Service{
				Key: key(ipvs.TCP, "192.0.2.10:80"), Scheduler: "wlc",
				Flags: ipvs.FlagPersistent, Timeout: 2 * time.Second, Netmask: 32,
			},
			Destinations: []ipvs.Destination{destination("10.0.1.11:80", 2), destination("10.0.1.12:80", 1)},
		},
		{Service: ipvs.Service{Key: key(ipvs.TCP, "[2001:db8::10]:80"), Scheduler: "rr", Netmask: 128}},
		{Service: ipvs.Service{Key: key(ipvs.UDP, "192.0.2.10:53"), Scheduler: "rr", Netmask: 32}},
	}
	got := table.Normalize()
	if d := diff(want, got); d != "" {
		t.Errorf("normalized (-want +got):\n%s", d)
	}
	if d := diff(want, got.Normalize()); d != "" {
		t.Errorf("normalized twice (-want +got):\n%s", d)
	}
	if table[2].Destinations[0] != destination("10.0.1.12:80", 1) {
		t.Error("the table itself was changed")
	}
}

func TestLookupAndRestrict(t *testing.T) {
	web, dns := service(ipvs.TCP, "192.0.2.10:80", "wlc"), service(ipvs.UDP, "192.0.2.10:53", "rr")
	table := ipvs.Table{{Service: web}, {Service: dns}}
	if e, ok := table.Lookup(dns.Key); !ok || e.Service != dns {
		t.Errorf("Lookup(%v) = %v, %v", dns.Key, e, ok)
	}
	if e, ok := table.Lookup(key(ipvs.TCP, "192.0.2.10:53")); ok {
		t.Errorf("Lookup of a service that is not there = %v", e)
	}
	got := table.Restrict(func(k ipvs.ServiceKey) bool { return k.Protocol == ipvs.UDP })
	if d := diff(ipvs.Table{{Service: dns}}, got); d != "" {
		t.Errorf("restricted to UDP (-want +got):\n%s", d)
	}
}
