// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"testing"
)

// FuzzEndpoint holds that an accepted endpoint is one of a host, and is the same when written and read again.
func FuzzEndpoint(f *testing.F) {
	for _, s := range []string{
		"192.0.2.10:80", "[2001:db8::10]:65535", "2001:db8::10:80", "[::ffff:192.0.2.1]:80", "[fe80::1%eth0]:80", "[::]:0",
		"[192.0.2.1]:80", "a:b", ":", "[", "[]:", "]:1", "1.2.3.4", "1.2.3.4:080", "1.2.3.4:+80", "255.255.255.255:1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseEndpoint(s)
		if err != nil {
			return
		}
		a := p.Addr()
		if p.Port() == 0 || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() {
			t.Errorf("%q is accepted as %s", s, p)
		}
		if again, err := parseEndpoint(p.String()); err != nil || again != p {
			t.Errorf("%q is %s, and that is %s (%v)", s, p, again, err)
		}
	})
}

// FuzzPrefix holds the same of VIPs.
func FuzzPrefix(f *testing.F) {
	for _, s := range []string{
		"192.0.2.10", "192.0.2.10/24", "192.0.2.0/31", "192.0.2.0/24", "192.0.2.255/24", "10.255.255.255/8", "2001:db8::10/64",
		"2001:db8::/64", "192.0.2.10/33", "192.0.2.10/", "192.0.2.10/08", "192.0.2.10/-1", "/", "0.0.0.0/0", "fe80::1%eth0/64",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePrefix(s)
		if err != nil {
			return
		}
		a := p.Addr()
		if !p.IsValid() || p.Bits() == 0 || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() {
			t.Errorf("%q is accepted as %s", s, p)
		}
		if again, err := parsePrefix(p.String()); err != nil || again != p {
			t.Errorf("%q is %s, and that is %s (%v)", s, p, again, err)
		}
	})
}

// FuzzNetwork holds the same of networks.
func FuzzNetwork(f *testing.F) {
	for _, s := range []string{
		"192.0.2.0/24", "192.0.2.10", "0.0.0.0/0", "::/0", "0.0.0.0", "::", "192.0.2.1/24", "2001:db8::/32", "192.0.2.0/33", "/0",
		"::ffff:192.0.2.0/120", "fe80::%eth0/64", "224.0.0.0/4", "10.0.0.0/08",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseNetwork(s)
		if err != nil {
			return
		}
		if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() || p.Addr().Zone() != "" {
			t.Errorf("%q is accepted as %s", s, p)
		}
		if again, err := parseNetwork(p.String()); err != nil || again != p {
			t.Errorf("%q is %s, and that is %s (%v)", s, p, again, err)
		}
	})
}

// TestHostAddress tells the addresses of a network that a host can have from those that it cannot.
func TestHostAddress(t *testing.T) {
	for s, want := range map[string]bool{
		"192.0.2.10/24": true, "192.0.2.0/24": false, "192.0.2.255/24": false, "192.0.2.1/30": true, "192.0.2.3/30": false,
		"192.0.2.0/31": true, "192.0.2.1/31": true, "192.0.2.0/32": true, "192.0.2.0": true, "2001:db8::/64": true,
	} {
		if _, err := parsePrefix(s); (err == nil) != want {
			t.Errorf("parsePrefix(%q): %v, want a host: %v", s, err, want)
		}
	}
}

func TestBroadcast(t *testing.T) {
	for prefix, want := range map[string]string{
		"192.0.2.10/24": "192.0.2.255", "10.1.2.3/8": "10.255.255.255", "10.1.2.3/12": "10.15.255.255",
		"192.0.2.10/30": "192.0.2.11", "192.0.2.10/32": "192.0.2.10", "10.1.2.3/1": "127.255.255.255",
	} {
		if got := broadcast(netip.MustParsePrefix(prefix)); got != netip.MustParseAddr(want) {
			t.Errorf("broadcast(%s) = %s, want %s", prefix, got, want)
		}
	}
}
