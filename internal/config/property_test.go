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
	}
	for n := range rapid.IntRange(1, 3).Draw(t, "instances") {
		i := Instance{
			Name:           fmt.Sprintf("i%d", n),
			Interface:      rapid.StringMatching(`[a-z]{1,10}[0-9]`).Draw(t, "interface"),
			VRID:           uint8(n + 1),
			Priority:       uint8(rapid.IntRange(1, 255).Draw(t, "priority")),
			AdvertInterval: time.Duration(rapid.IntRange(1, 4095).Draw(t, "advert_interval")) * advertIntervalUnit,
			Preempt:        rapid.Bool().Draw(t, "preempt"),
			Lease:          time.Duration(rapid.SampledFrom([]int{0, 3, 60, 3600}).Draw(t, "lease")) * time.Second,
		}
		for k := range rapid.IntRange(1, 4).Draw(t, "addresses") {
			a := drawAddress(t, n, k)
			i.Addresses = append(i.Addresses, Address{
				Prefix:    netip.PrefixFrom(a, rapid.SampledFrom([]int{8, 24, a.BitLen()}).Draw(t, "prefix length")),
				Interface: rapid.SampledFrom([]string{i.Interface, "back"}).Draw(t, "address interface"),
			})
		}
		c.Instances = append(c.Instances, i)
	}
	followed := rapid.SampledFrom(c.Instances).Draw(t, "followed")
	c.Sync = Sync{
		Mode: rapid.SampledFrom([]string{"off", "multicast"}).Draw(t, "mode"), ID: rapid.Uint8().Draw(t, "id"),
		Instance: followed.Name, Interface: rapid.SampledFrom([]string{followed.Interface, "sync"}).Draw(t, "sync interface"),
	}
	checks := []*Check{nil, drawCheck(t, "c0"), drawCheck(t, "c1")}
	for n := range rapid.IntRange(0, 3).Draw(t, "virtual servers") {
		c.VirtualServers = append(c.VirtualServers, drawVirtualServer(t, n, checks))
	}
	return c
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
	return v
}

// write returns a Config as TOML, with one key a line.
func write(c *Config) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[director]\nname = %s\nstate_dir = %q\non_stop = %q", quote(c.Director.Name), c.Director.StateDir, c.Director.OnStop)
	line("[sync]\nmode = %q\nid = %d\ninstance = %q\ninterface = %q", c.Sync.Mode, c.Sync.ID, c.Sync.Instance, c.Sync.Interface)
	for _, i := range c.Instances {
		line("[[vrrp]]\nname = %q\ninterface = %q\nvrid = %d\npriority = %d\npreempt = %v", i.Name, i.Interface, i.VRID, i.Priority, i.Preempt)
		line("advert_interval = %q\nlease = %q", i.AdvertInterval, i.Lease)
		var addresses []string
		for _, a := range i.Addresses {
			addresses = append(addresses, fmt.Sprintf("{ interface = %q, address = %q }", a.Interface, a.Prefix))
		}
		line("addresses = [%s]", strings.Join(addresses, ", "))
	}
	checks := map[string]*Check{}
	for _, v := range c.VirtualServers {
		line("[[virtual_server]]\nname = %q\naddresses = [%s]\nprotocol = %q", v.Name, quoteAll(texts(v.Addresses)), v.Protocol)
		line("scheduler = %q\nforward = %q\non_failure = %q", v.Scheduler, v.Forward, v.OnFailure)
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

func texts(addresses []netip.AddrPort) []string {
	var s []string
	for _, a := range addresses {
		s = append(s, a.String())
	}
	return s
}
