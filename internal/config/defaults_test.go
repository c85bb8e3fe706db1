// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDefaultsOfTables reads tables with nothing in them but what they must have.
func TestDefaultsOfTables(t *testing.T) {
	key := strings.Repeat("k", 32)
	text := `
		[[vrrp]]
		name = "web"
		interface = "eth0"
		vrid = 1
		advert_interval = "2s"
		addresses = ["2001:db8::10"]
		virtual_mac = true
		unicast = { source = "2001:db8::1", peers = ["fe80::2"] }
		announce = { refresh = "0s" }
		auth = { keys = [{ id = 3, key = "` + key + `" }, { id = 2, key = "` + key + `" }] }
		route = [
			{ destination = "default", interface = "eth1", source = "2001:db8::1" },
			{ destination = "default", interface = "eth1" },
			{ destination = "10.0.0.1", via = "192.0.2.1" },
		]
		rule = [{ to = "::/0", table = 7, priority = 1 }, { table = "main", priority = 1 }]
		[[track]]
		name = "disk"
		type = "command"
		command = ["/bin/x"]
		[[track]]
		name = "dns"
		type = "process"
		process = "named"
		[[notify]]
		command = ["/bin/x"]`
	c, problems := Parse("test.toml", []byte(text), nil)
	if c == nil || len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	want := Instance{
		Name: "web", Interface: "eth0", VRID: 1, Version: 3, Priority: 100, AdvertInterval: 2 * time.Second, Lease: 9 * time.Second,
		Preempt: true, Accept: true, VirtualMAC: "vrrp6.1", Announce: defaultAnnounce,
		Auth: &Auth{
			Mode: "enforce", ActiveKey: 3, Replay: "time", Window: 6 * time.Second,
			Keys: []Key{{3, []byte(key)}, {2, []byte(key)}},
		},
		Unicast:   &Unicast{Sources: []netip.Addr{addr("2001:db8::1")}, Peers: []netip.Addr{addr("fe80::2")}, TTL: 255, MinTTL: 255},
		Addresses: []Address{{Prefix: prefix("2001:db8::10/128"), Interface: "vrrp6.1"}},
		Routes: []Route{
			{Destination: anyIPv6, Interface: "eth1", Source: addr("2001:db8::1"), Table: 254},
			{Destination: anyIPv4, Interface: "eth1", Table: 254},
			{Destination: prefix("10.0.0.1/32"), Via: addr("192.0.2.1"), Table: 254},
		},
		Rules: []Rule{{Family: "ipv6", Table: 7, Priority: 1}, {Family: "ipv4", Table: 254, Priority: 1}},
	}
	if diff := cmp.Diff(want, c.Instances[0], netipValues); diff != "" {
		t.Errorf("instance differs (-want +got):\n%s", diff)
	}
	tracks := []Track{
		{Name: "disk", Type: "command", Command: []string{"/bin/x"}, User: "nobody", Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3},
		{Name: "dns", Type: "process", Process: "named", Count: 1},
	}
	if diff := cmp.Diff(tracks, c.Tracks); diff != "" {
		t.Errorf("tracks differ (-want +got):\n%s", diff)
	}
	notifies := []Notify{{Command: []string{"/bin/x"}, User: "nobody", Timeout: 10 * time.Second}}
	if diff := cmp.Diff(notifies, c.Notifies); diff != "" {
		t.Errorf("notifies differ (-want +got):\n%s", diff)
	}
}

// TestRule08_AcceptMode: on in both versions, where RFC 9568 has it off: a load
// balancer serves on its VIPs.
func TestRule08_AcceptMode(t *testing.T) {
	for _, test := range []struct {
		name, keys string
		want       bool
	}{
		{"positive: version 3", "version = 3", true},
		{"positive: version 2", "version = 2", true},
		{"negative: version 3, turned off", "version = 3\naccept = false", false},
		{"negative: version 2, turned off", "version = 2\naccept = false", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, problems := Parse("test.toml", []byte("[[vrrp]]\nname = \"web\"\ninterface = \"eth0\"\nvrid = 1\naddresses = [\"192.0.2.10\"]\n"+test.keys), nil)
			if c == nil || len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			if got := c.Instances[0].Accept; got != test.want {
				t.Errorf("accept mode %t, want %t", got, test.want)
			}
		})
	}
}
