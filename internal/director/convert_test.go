// SPDX-License-Identifier: Apache-2.0

package director

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/health"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// fullConfig has every field of the configuration in use, in one place at least.
func fullConfig() *config.Config {
	pfx, addr := netip.MustParsePrefix, netip.MustParseAddr
	web, mail := netip.MustParseAddrPort("10.0.1.11:80"), netip.MustParseAddrPort("10.0.1.12:25")
	check := func(name, kind string) *config.Check {
		return &config.Check{Name: name, Type: kind, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3}
	}
	http, udp := check("http", "https"), check("udp", "udp")
	http.Method, http.Path, http.Host, http.Headers = "GET", "/", "www.example.org", map[string]string{"A": "b"}
	http.ExpectStatus, http.ExpectBody, http.ExpectRegexp = [][2]int{{200, 299}}, "ok", "o+k"
	http.TLSServerName, http.CAFile = "www.example.org", "/etc/ca.pem"
	udp.Send, udp.Expect = []byte("ping"), []byte("pong")
	return &config.Config{
		Speaker: config.Speaker{RealtimePriority: 10, Heartbeat: time.Second, OnDirectorLoss: config.Hold, HoldTime: time.Minute},
		Sync:    config.Sync{Mode: "multicast", ID: 7, Instance: "web", Interface: "eth1"},
		Instances: []config.Instance{{
			Name: "web", Interface: "eth0", VRID: 51, Version: 3, Priority: 150, AdvertInterval: time.Second, Lease: 5 * time.Second,
			Preempt: true, PreemptDelay: time.Second, StartupDelay: time.Second,
			Password: "secret",
			Auth: &config.Auth{
				Mode: "enforce", Keys: []config.Key{{ID: 1, Secret: []byte("a key")}}, ActiveKey: 1, Replay: "time", Window: time.Second,
			},
			Unicast:    &config.Unicast{Sources: []netip.Addr{addr("192.0.2.1")}, Peers: []netip.Addr{addr("192.0.2.2")}, TTL: 64, MinTTL: 63},
			VirtualMAC: "web0",
			Addresses:  []config.Address{{Prefix: pfx("192.0.2.10/24"), Interface: "eth0", Label: "eth0:1", Scope: 200}},
			Excluded:   []config.Address{{Prefix: pfx("192.0.2.11/24"), Interface: "eth0"}},
			Routes:     []config.Route{{Destination: pfx("203.0.113.0/24"), Via: addr("192.0.2.254"), Interface: "eth0", Source: addr("192.0.2.10"), Metric: 5, Table: 254}},
			Rules:      []config.Rule{{Family: "ipv4", From: pfx("192.0.2.0/24"), To: pfx("203.0.113.0/24"), IIF: "eth1", OIF: "eth0", FWMark: 1, Table: 100, Priority: 1000}},
			Tracks:     []config.TrackUse{{Name: "load", Weight: 2}, {Name: "pool", Weight: -20}},
			Announce:   config.Announce{Count: 5, Interval: 25 * time.Millisecond, Delay: 5 * time.Second, Refresh: time.Minute, Rate: 5000},
		}, {Name: "inside"}},
		SyncGroups: []config.SyncGroup{{Name: "both", Members: []string{"web", "inside"}}},
		Tracks: []config.Track{
			{Name: "uplink", Type: "interface", Interface: "eth2"},
			{Name: "load", Type: "file", File: "/run/load"},
			{Name: "daemons", Type: "process", Process: "routed", Count: 2},
			{Name: "script", Type: "command", Command: []string{"/bin/true"}, User: "nobody", Interval: time.Second, Timeout: time.Second, Rise: 2, Fall: 3},
			{Name: "pool", Type: "quorum", VirtualServer: "www"},
		},
		Notifies: []config.Notify{{Command: []string{"/bin/true"}, Instances: []string{"web"}, Events: []string{"master"}, User: "nobody", Timeout: time.Second}},
		VirtualServers: []config.VirtualServer{{
			Name: "www", Addresses: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.10:80")}, Protocol: "tcp", Scheduler: "wlc", OnFailure: "weight0", Quorum: 10,
			RealServers: []config.RealServer{{Address: web, Weight: 10, Forward: "masquerade", Check: http}, {Address: mail, Weight: 20, Forward: "direct", Check: udp}},
		}},
	}
}

// conversion is all that a configuration becomes.
type conversion struct {
	Configure speaker.Configure
	Quorums   []speaker.Tracked
	Rest      []any
}

// convert converts with one real server that has failed.
func convert(c *config.Config) conversion {
	probed, ids := targets(c)
	verdicts := make(map[targetID]health.Verdict)
	for _, vs := range c.VirtualServers {
		for n, rs := range vs.RealServers {
			verdicts[targetID{vs.Name, rs.Address}] = map[bool]health.Verdict{true: health.Failed, false: health.Healthy}[n == 0]
		}
	}
	var quorums []speaker.Tracked
	for _, t := range c.Tracks {
		for _, vs := range c.VirtualServers {
			if t.Type == "quorum" && vs.Name == t.VirtualServer {
				quorums = append(quorums, deriveQuorum(vs, verdicts).tracked(t.Name))
			}
		}
	}
	return conversion{
		Configure: speaker.Configure{Instances: instances(c, &overrides{}), Links: linkTracks(c), Settings: settings(c)},
		Quorums:   quorums,
		Rest: []any{
			trackers(c), commandTargets(c), notifyCommands(c), probed, ids, deriveTable(c, verdicts, nil),
			deriveSync(c, func(name string) bool { return name == "web" }),
		},
	}
}

// other is another legal word for one that has a meaning.
var other = map[string]string{
	"enforce": "permissive", "time": "monotonic", "ipv4": "ipv6", "hold": "handover", "multicast": "off",
	"masquerade": "tunnel", "direct": "tunnel", "tcp": "sctp", "https": "tcp", "udp": "tcp", "weight0": "remove",
	"interface": "file", "file": "process", "process": "quorum", "command": "quorum", "quorum": "interface",
}

// change changes a field and returns what takes the change back.
func change(t *testing.T, v reflect.Value) (undo func()) {
	t.Helper()
	before := reflect.New(v.Type()).Elem()
	before.Set(v)
	undo = func() { v.Set(before) }
	switch x := v.Interface().(type) {
	case netip.Addr:
		v.Set(reflect.ValueOf(x.Next()))
		return undo
	case netip.Prefix:
		v.Set(reflect.ValueOf(netip.PrefixFrom(x.Addr().Next(), x.Bits())))
		return undo
	case netip.AddrPort:
		v.Set(reflect.ValueOf(netip.AddrPortFrom(x.Addr(), x.Port()+1)))
		return undo
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint8, reflect.Uint32:
		v.SetUint(v.Uint() + 1)
	case reflect.String:
		if o, ok := other[v.String()]; ok {
			v.SetString(o)
		} else {
			v.SetString(v.String() + "x")
		}
	case reflect.Slice, reflect.Map, reflect.Pointer:
		v.SetZero()
	default:
		t.Fatalf("cannot change a %s", v.Type())
	}
	return undo
}

// visit calls see for every field of the configuration's types in v.
func visit(v reflect.Value, see func(name string, field reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			visit(v.Elem(), see)
		}
	case reflect.Slice:
		for i := range v.Len() {
			visit(v.Index(i), see)
		}
	case reflect.Struct:
		if !strings.HasSuffix(v.Type().PkgPath(), "/config") {
			return
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() != reflect.Struct || !strings.HasSuffix(f.Type().PkgPath(), "/config") {
				see(v.Type().Name()+"."+v.Type().Field(i).Name, f)
			}
			visit(v.Field(i), see)
		}
	}
}

// TestNoFieldOfTheConfigurationIsForgotten changes each field and looks whether
// anything comes of it.
func TestNoFieldOfTheConfigurationIsForgotten(t *testing.T) {
	// What the director reads itself, and other tests cover.
	elsewhere := map[string]bool{
		"Director.Name": true, "Director.StateDir": true, "Director.OnStop": true,
		"Check.Name":            true, // only the configuration uses it
		"VirtualServer.Forward": true, // the default of the real servers', which they have by now
	}
	c := fullConfig()
	before := convert(fullConfig())
	effect := make(map[string]bool)
	visit(reflect.ValueOf(c), func(name string, field reflect.Value) {
		undo := change(t, field)
		defer undo()
		effect[name] = effect[name] || !reflect.DeepEqual(before, convert(c))
	})
	if !reflect.DeepEqual(before, convert(c)) {
		t.Fatal("the test did not take its changes back")
	}
	for name, has := range effect {
		switch {
		case !has && !elsewhere[name]:
			t.Errorf("%s has no effect", name)
		case has && elsewhere[name]:
			t.Errorf("%s has an effect, and is excused", name)
		}
	}
	if len(effect) < 100 {
		t.Errorf("only %d fields were looked at", len(effect))
	}
}

// TestConfigurationReachesTheSpeaker holds fields of one kind apart.
func TestConfigurationReachesTheSpeaker(t *testing.T) {
	c := fullConfig()
	c.Instances[0].Unicast = &config.Unicast{
		Sources: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1")},
		Peers:   []netip.Addr{netip.MustParseAddr("fe80::2"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")},
		TTL:     64, MinTTL: 63,
	}
	got := instances(c, &overrides{Standby: map[string]bool{"inside": true}, Priority: map[string]uint8{"inside": 7}})
	web, inside := got[0], got[1]
	wantUnicast := map[vrrp.Family]vrrp.Unicast{
		vrrp.IPv4: {Source: netip.MustParseAddr("192.0.2.1"), Peers: []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")}, TTL: 64, MinTTL: 63},
		vrrp.IPv6: {Source: netip.MustParseAddr("fe80::1"), Peers: []netip.Addr{netip.MustParseAddr("fe80::2")}, TTL: 64, MinTTL: 63},
	}
	if !reflect.DeepEqual(wantUnicast, web.Unicast) {
		t.Errorf("unicast = %v, want %v", web.Unicast, wantUnicast)
	}
	wantTracks := []speaker.TrackUse{{Name: "load", Weight: 2, Scaled: true}, {Name: "pool", Weight: -20}}
	if diff := cmp.Diff(wantTracks, web.Tracks); diff != "" {
		t.Errorf("tracks (-want +got):\n%s", diff)
	}
	if web.SyncGroup != "both" || inside.SyncGroup != "both" || web.Standby || !inside.Standby || web.Priority != 150 || inside.Priority != 7 {
		t.Errorf("web = %+v\ninside = %+v", web, inside)
	}
	for _, test := range []struct {
		loss config.OnDirectorLoss
		want time.Duration
	}{{config.Hold, time.Minute}, {config.HandOver, 0}} {
		c.Speaker.OnDirectorLoss = test.loss
		if got := settings(c).Hold; got != test.want {
			t.Errorf("%s: hold = %v, want %v", test.loss, got, test.want)
		}
	}
	for mode, want := range map[string]vrrp.AuthMode{"enforce": vrrp.Enforce, "permissive": vrrp.Permissive, "receive-only": vrrp.ReceiveOnly} {
		if got := auth(&config.Auth{Mode: mode}).Mode; got != want {
			t.Errorf("%s: mode = %v, want %v", mode, got, want)
		}
	}
	for mode, want := range map[string]vrrp.ReplayMode{"time": vrrp.ReplayTime, "monotonic": vrrp.ReplayMonotonic} {
		if got := auth(&config.Auth{Replay: mode}).Replay; got != want {
			t.Errorf("%s: replay = %v, want %v", mode, got, want)
		}
	}
}
