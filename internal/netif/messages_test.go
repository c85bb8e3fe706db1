// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// onlyEth0 is a snapshot with eth0 alone.
func onlyEth0() snapshot { return newSnapshot([]link{{index: 7, name: "eth0"}}) }

// drawAddr draws an address of a family.
func drawAddr(t *rapid.T, is6 bool, label string) netip.Addr {
	n := 4
	if is6 {
		n = 16
	}
	a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, label))
	if a.Is4In6() {
		a = netip.MustParseAddr("2001:db8::1")
	}
	return a
}

var validRoutes = rapid.Custom(func(t *rapid.T) Route {
	is6 := rapid.Bool().Draw(t, "IPv6")
	a := drawAddr(t, is6, "destination")
	r := Route{
		Destination: netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")), Interface: "eth0",
		Metric: rapid.IntRange(0, 1<<32-1).Draw(t, "metric"), Table: rapid.IntRange(0, 1<<32-1).Draw(t, "table"),
	}
	if rapid.Bool().Draw(t, "gateway") {
		r.Via, r.Source = drawAddr(t, is6, "via"), drawAddr(t, is6, "source")
	}
	return r
})

func TestRouteRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := validRoutes.Draw(t, "route")
		if err := want.check(); err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		want = want.normal()
		m, err := routeOp{route: want}.message(onlyEth0())
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseRoute(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		if got.index != 7 || got.protocol != Protocol || !got.unicast {
			t.Errorf("got %+v", got)
		}
		got.route.Interface = "eth0"
		if diff := cmp.Diff(want, got.route, prefixes); diff != "" {
			t.Errorf("route (-want +got):\n%s", diff)
		}
	})
}

func TestRuleRoundTrip(t *testing.T) {
	names := rapid.SampledFrom([]string{"", "eth0", "lo"})
	rapid.Check(t, func(t *rapid.T) {
		want := Rule{
			IPv6: rapid.Bool().Draw(t, "IPv6"), IIF: names.Draw(t, "iif"), OIF: names.Draw(t, "oif"), FWMark: rapid.Uint32().Draw(t, "fwmark"),
			Table: rapid.IntRange(1, 1<<32-1).Draw(t, "table"), Priority: rapid.IntRange(1, 1<<32-1).Draw(t, "priority"),
		}
		for _, p := range []*netip.Prefix{&want.From, &want.To} {
			if rapid.Bool().Draw(t, "prefix") {
				a := drawAddr(t, want.IPv6, "address")
				*p = netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
			}
		}
		if err := want.check(); err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		want = want.normal()
		m, err := ruleOp{rule: want}.message(snapshot{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseRule(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(parsedRule{want, Protocol, true}, got, prefixes, cmp.AllowUnexported(parsedRule{})); diff != "" {
			t.Errorf("rule (-want +got):\n%s", diff)
		}
	})
}

func TestRuleWithMore(t *testing.T) {
	m, err := ruleOp{rule: Rule{Table: 1, Priority: 1}}.message(snapshot{})
	if err != nil {
		t.Fatal(err)
	}
	inverted := append([]byte(nil), m.Data...)
	inverted[8] |= unix.FIB_RULE_INVERT
	for name, b := range map[string][]byte{
		"inverted":    inverted,
		"with a mask": append(append([]byte(nil), m.Data...), attribute(unix.FRA_FWMASK, 0xff)...),
		"for a user":  append(append([]byte(nil), m.Data...), attribute(unix.FRA_UID_RANGE, 0)...),
		"suppressing": append(append([]byte(nil), m.Data...), attribute(unix.FRA_SUPPRESS_PREFIXLEN, 0)...),
	} {
		if got, err := parseRule(b); err != nil || got.plain {
			t.Errorf("%s: %+v, %v; want it not plain", name, got, err)
		}
	}
}

func TestChecks(t *testing.T) {
	v4, v6 := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")
	for name, r := range map[string]Route{
		"no destination":         {Interface: "eth0"},
		"mapped":                 {Destination: netip.MustParsePrefix("::ffff:192.0.2.0/120"), Interface: "eth0"},
		"gateway of the other":   {Destination: v4, Via: v6.Addr()},
		"source of the other":    {Destination: v6, Interface: "eth0", Source: v4.Addr()},
		"neither via nor device": {Destination: v4},
		"negative metric":        {Destination: v4, Interface: "eth0", Metric: -1},
		"table too great":        {Destination: v4, Interface: "eth0", Table: 1 << 32},
	} {
		if r.check() == nil {
			t.Errorf("route, %s: no error", name)
		}
	}
	for name, r := range map[string]Rule{
		"other family": {From: v6, Table: 1, Priority: 1},
		"no table":     {Priority: 1},
		"no priority":  {Table: 1},
	} {
		if r.check() == nil {
			t.Errorf("rule, %s: no error", name)
		}
	}
}

func TestMacvlanMessage(t *testing.T) {
	mac := net.HardwareAddr{0, 0, 0x5e, 0, 1, 51}
	m, err := linkOp{linkCreate, VirtualMAC{Name: "vrrp.51", Interface: "eth0", HardwareAddr: mac}}.message(onlyEth0())
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseLink(m.Data)
	if err != nil {
		t.Fatal(err)
	}
	want := link{name: "vrrp.51", hardware: mac, kind: macvlan, base: 7}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(link{})); diff != "" {
		t.Errorf("link (-want +got):\n%s", diff)
	}
	if m.Header.Flags&netlink.Excl == 0 {
		t.Error("the message would change an interface that is there")
	}
}

func FuzzParseRoute(f *testing.F) {
	m, err := routeOp{route: Route{Destination: netip.MustParsePrefix("192.0.2.0/24"), Interface: "eth0", Table: 254}}.message(onlyEth0())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.Data)
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := parseRoute(b); err == nil && !x.route.Destination.IsValid() {
			t.Errorf("invalid destination without an error")
		}
	})
}

func FuzzParseRule(f *testing.F) {
	m, err := ruleOp{rule: Rule{From: netip.MustParsePrefix("192.0.2.0/24"), IIF: "eth0", Table: 1, Priority: 1}}.message(snapshot{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.Data)
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseRule(b)
		if err == nil && x.rule != x.rule.normal() {
			t.Errorf("%s is not normal", x.rule)
		}
	})
}

func FuzzParseGeneration(f *testing.F) {
	f.Add([]byte{8, 0, byte(unix.NFTA_GEN_ID), 0, 0, 0, 0, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := parseGeneration(b); err == nil && len(b) < 8 {
			t.Error("a number out of nothing")
		}
	})
}
