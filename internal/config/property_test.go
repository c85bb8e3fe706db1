// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestRoundTrip holds that a Config written as TOML is read back as the same Config.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawConfig(t)
		text := write(want)
		got, problems := Parse("test.toml", []byte(text), nil)
		if len(problems) > 0 {
			t.Fatalf("problems %v in\n%s", problems, text)
		}
		if diff := cmp.Diff(want, got, netipValues); diff != "" {
			t.Errorf("Config differs (-want +got):\n%s\n%s", diff, text)
		}
	})
}

// TestMistakesAreFoundWhereTheyAre puts unknown keys at the ends of random lines of a good file, and wants each reported
// at its line, and nothing else.
func TestMistakesAreFoundWhereTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := strings.Split(strings.TrimSuffix(write(drawConfig(t)), "\n"), "\n")
		var text []string
		var want []int
		for i, line := range lines {
			text = append(text, line)
			if rapid.IntRange(0, 9).Draw(t, "mistake") == 0 {
				text = append(text, fmt.Sprintf("  mistake%d = 1", i))
				want = append(want, len(text))
			}
		}
		_, problems := Parse("test.toml", []byte(strings.Join(text, "\n")), nil)
		var got []int
		for _, p := range problems {
			if !strings.Contains(p.Message, `unknown key "mistake`) || p.Column != 3 {
				t.Errorf("problem %v", p)
			}
			got = append(got, p.Line)
		}
		if !slices.Equal(want, got) {
			t.Errorf("problems in lines %v, want %v, of\n%s", got, want, strings.Join(text, "\n"))
		}
	})
}

// drawConfig returns any valid Config with at least one instance.
func drawConfig(t *rapid.T) *Config {
	c := &Config{
		Director: Director{
			Name:     rapid.StringN(1, 20, -1).Draw(t, "director"),
			StateDir: "/run/" + rapid.StringMatching(`[a-z]{1,20}`).Draw(t, "state_dir"),
			OnStop:   rapid.SampledFrom([]OnStop{OnStopRemove, OnStopKeep}).Draw(t, "on_stop"),
		},
		Speaker: Speaker{
			RealtimePriority: rapid.IntRange(0, maxRealtimePriority).Draw(t, "realtime_priority"),
			Heartbeat:        drawDuration(t, "heartbeat", minHeartbeat, maxHeartbeat),
			OnDirectorLoss:   Hold,
			HoldTime:         drawDuration(t, "hold_time", minHoldTime, maxHoldTime),
		},
	}
	checks := []*Check{nil, drawCheck(t, "c0"), drawCheck(t, "c1")}
	for n := range rapid.IntRange(1, 3).Draw(t, "virtual servers") {
		c.VirtualServers = append(c.VirtualServers, drawVirtualServer(t, n, checks))
	}
	for n := range rapid.IntRange(0, 4).Draw(t, "tracks") {
		c.Tracks = append(c.Tracks, drawTrack(t, n, c.VirtualServers))
	}
	for n := range rapid.IntRange(1, 3).Draw(t, "instances") {
		c.Instances = append(c.Instances, drawInstance(t, n, c.Tracks))
	}
	followed := rapid.SampledFrom(c.Instances).Draw(t, "followed")
	c.Sync = Sync{
		Mode: rapid.SampledFrom([]string{"off", "multicast"}).Draw(t, "mode"), ID: rapid.Uint8().Draw(t, "id"),
		Instance: followed.Name, Interface: rapid.SampledFrom([]string{followed.Interface, "sync"}).Draw(t, "sync interface"),
	}
	if len(c.Instances) > 1 && c.Instances[0].Preempt == c.Instances[1].Preempt {
		c.SyncGroups = []SyncGroup{{Name: "g", Members: []string{c.Instances[1].Name, c.Instances[0].Name}}}
	}
	for range rapid.IntRange(0, 2).Draw(t, "notifies") {
		c.Notifies = append(c.Notifies, Notify{
			Command:   append([]string{"/bin/x"}, rapid.SliceOfN(rapid.StringMatching(`[ -~]{0,9}`), 0, 2).Draw(t, "arguments")...),
			Instances: rapid.SampledFrom([][]string{nil, {followed.Name}}).Draw(t, "instances"),
			Events:    rapid.SampledFrom([][]string{nil, {"master"}, transitions}).Draw(t, "events"),
			User:      rapid.SampledFrom([]string{"nobody", "0"}).Draw(t, "user"),
			Timeout:   drawDuration(t, "timeout", minNotifyTimeout, maxNotifyTimeout),
		})
	}
	return c
}

// drawDuration returns a duration from low to high, both included.
func drawDuration(t *rapid.T, label string, low, high time.Duration) time.Duration {
	return time.Duration(rapid.Int64Range(int64(low), int64(high)).Draw(t, label))
}

// drawAddress returns an address that is unique for its two numbers, of either family.
func drawAddress(t *rapid.T, n, k int) netip.Addr {
	if rapid.Bool().Draw(t, "IPv6") {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", n, k+1))
	}
	return netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", n, k+1))
}

func drawCheck(t *rapid.T, name string) *Check {
	c := defaultCheck(name, rapid.SampledFrom([]string{"tcp", "https", "udp"}).Draw(t, "type"))
	c.Interval = time.Duration(rapid.Int64Range(int64(minProbeInterval), int64(maxProbeInterval)).Draw(t, "interval"))
	c.Timeout = time.Duration(rapid.Int64Range(int64(minProbeTimeout), int64(c.Interval)).Draw(t, "timeout"))
	c.Rise = rapid.IntRange(1, maxInARow).Draw(t, "rise")
	c.Fall = rapid.IntRange(1, maxInARow).Draw(t, "fall")
	switch c.Type {
	case "https":
		low := rapid.IntRange(100, 599).Draw(t, "low")
		c.ExpectStatus = [][2]int{{low, rapid.IntRange(low, 599).Draw(t, "high")}, {low, low}}
		c.ExpectBody = rapid.StringN(1, 20, -1).Draw(t, "expect_body")
		c.SkipVerify = rapid.Bool().Draw(t, "skip_verify")
		c.Headers = map[string]string{"X-Probe": rapid.StringMatching(`[ -~]{0,20}`).Draw(t, "header")}
	case "udp":
		c.Send = rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "send")
		c.Expect = []byte(rapid.StringMatching(`[a-z "\\#]{1,20}`).Draw(t, "expect"))
	}
	return c
}

func drawVirtualServer(t *rapid.T, n int, checks []*Check) VirtualServer {
	v := VirtualServer{
		Name:      fmt.Sprintf("v%d", n),
		Protocol:  rapid.SampledFrom([]string{"tcp", "udp", "sctp"}).Draw(t, "protocol"),
		Scheduler: rapid.SampledFrom(schedulers).Draw(t, "scheduler"),
		Forward:   "masquerade",
		OnFailure: rapid.SampledFrom([]string{"weight0", "remove"}).Draw(t, "on_failure"),
	}
	for k := range rapid.IntRange(1, 3).Draw(t, "virtual addresses") {
		v.Addresses = append(v.Addresses, netip.AddrPortFrom(drawAddress(t, n, k), 80))
	}
	for k := range 2 * len(v.Addresses) { // two for each address, of its family
		virtual := v.Addresses[k/2]
		real := virtual.Addr()
		for range 100 + k {
			real = real.Next()
		}
		v.RealServers = append(v.RealServers, RealServer{
			Address: netip.AddrPortFrom(real, 80),
			Weight:  rapid.IntRange(0, maxWeight).Draw(t, "weight"),
			Forward: rapid.SampledFrom([]string{"masquerade", "direct", "tunnel"}).Draw(t, "forward"),
			Check:   rapid.SampledFrom(checks).Draw(t, "check"),
		})
	}
	v.RealServers[0].Weight = max(1, v.RealServers[0].Weight)
	v.Quorum = rapid.IntRange(1, v.RealServers[0].Weight).Draw(t, "quorum")
	return v
}

// write returns a Config as TOML, with one key a line.
func write(c *Config) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[director]\nname = %s\nstate_dir = %q\non_stop = %q", quote(c.Director.Name), c.Director.StateDir, c.Director.OnStop)
	line("[speaker]\nrealtime_priority = %d\nheartbeat = %q", c.Speaker.RealtimePriority, c.Speaker.Heartbeat)
	line("on_director_loss = %q\nhold_time = %q", c.Speaker.OnDirectorLoss, c.Speaker.HoldTime)
	line("[sync]\nmode = %q\nid = %d\ninstance = %q\ninterface = %q", c.Sync.Mode, c.Sync.ID, c.Sync.Instance, c.Sync.Interface)
	for _, i := range c.Instances {
		writeInstance(line, i)
	}
	for _, g := range c.SyncGroups {
		line("[[sync_group]]\nname = %q\nmembers = [%s]", g.Name, quoteAll(g.Members))
	}
	for _, k := range c.Tracks {
		writeTrack(line, k)
	}
	for _, n := range c.Notifies {
		line("[[notify]]\ncommand = %s\nuser = %q\ntimeout = %q", array(n.Command), n.User, n.Timeout)
		line("instances = %s\nevents = %s", array(n.Instances), array(n.Events))
	}
	checks := map[string]*Check{}
	for _, v := range c.VirtualServers {
		line("[[virtual_server]]\nname = %q\naddresses = [%s]\nprotocol = %q", v.Name, quoteAll(texts(v.Addresses)), v.Protocol)
		line("scheduler = %q\nforward = %q\non_failure = %q\nquorum = %d", v.Scheduler, v.Forward, v.OnFailure, v.Quorum)
		for _, s := range v.RealServers {
			line("[[virtual_server.real_server]]\naddress = %q\nweight = %d\nforward = %q", s.Address, s.Weight, s.Forward)
			if s.Check != nil {
				line("check = %q", s.Check.Name)
				checks[s.Check.Name] = s.Check
			}
		}
	}
	for _, c := range checks {
		line("[[check]]\nname = %q\ntype = %q\ninterval = %q\ntimeout = %q", c.Name, c.Type, c.Interval, c.Timeout)
		line("rise = %d\nfall = %d", c.Rise, c.Fall)
		switch c.Type {
		case "https":
			line("expect_status = ['%d-%d', '%d']", c.ExpectStatus[0][0], c.ExpectStatus[0][1], c.ExpectStatus[1][0])
			line("expect_body = %s\nskip_verify = %v\nheaders = { x-probe = %s }", quote(c.ExpectBody), c.SkipVerify, quote(c.Headers["X-Probe"]))
		case "udp":
			line("send = 'hex:%x'\nexpect = %s", c.Send, quote(string(c.Expect)))
		}
	}
	return b.String()
}

// array writes strings as a TOML array.
func array(texts []string) string {
	var quoted []string
	for _, text := range texts {
		quoted = append(quoted, quote(text))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return `"` + b.String() + `"`
}

func texts[T fmt.Stringer](addresses []T) []string {
	var s []string
	for _, a := range addresses {
		s = append(s, a.String())
	}
	return s
}
