// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// TestLeaseMessage pins the bytes on a little-endian machine: struct ifaddrmsg, IFA_LOCAL, IFA_ADDRESS, IFA_FLAGS
// (IPv6), IFA_CACHEINFO.
func TestLeaseMessage(t *testing.T) {
	tests := map[string]struct {
		lease Lease
		bytes string
	}{
		"IPv4, leased": {
			Lease{Address: addr("eth0", "192.0.2.10/24"), Valid: 3 * time.Second},
			"02180000 07000000  0800 0200 c000020a  0800 0100 c000020a" +
				"1400 0600 00000000 03000000 00000000 00000000",
		},
		"IPv4, until removed": {
			Lease{Address: addr("eth0", "192.0.2.10/32")},
			"02200000 07000000  0800 0200 c000020a  0800 0100 c000020a" +
				"1400 0600 00000000 ffffffff 00000000 00000000",
		},
		"IPv6, leased": {
			Lease{Address: addr("eth0", "2001:db8::10/64"), Valid: 4 * time.Second},
			"0a400000 07000000  1400 0200 20010db8000000000000000000000010  1400 0100 20010db8000000000000000000000010" +
				"0800 0800 02000000  1400 0600 00000000 04000000 00000000 00000000",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := leaseMessage(7, tt.lease)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(tt.bytes, " ", "")
			if diff := cmp.Diff(want, hex.EncodeToString(got)); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseAddress(t *testing.T) {
	body := func(family, bits, flags uint8, fill func(*netlink.AttributeEncoder)) []byte {
		e := netlink.NewAttributeEncoder()
		fill(e)
		attributes, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte{family, bits, flags, 0, 7, 0, 0, 0}, attributes...)
	}
	local, peer := []byte{192, 0, 2, 1}, []byte{192, 0, 2, 2}
	six := netip.MustParseAddr("2001:db8::1")
	tests := map[string]struct {
		body []byte
		want address
	}{
		"point-to-point": {
			body(unix.AF_INET, 32, 0x80, func(e *netlink.AttributeEncoder) {
				e.Bytes(unix.IFA_ADDRESS, peer)
				e.Bytes(unix.IFA_LOCAL, local)
			}),
			address{index: 7, prefix: netip.MustParsePrefix("192.0.2.1/32"), flags: 0x80},
		},
		"IPv6 without local attribute, flags beyond one byte": {
			body(unix.AF_INET6, 64, 0x80, func(e *netlink.AttributeEncoder) {
				e.Bytes(unix.IFA_ADDRESS, six.AsSlice())
				e.Uint32(unix.IFA_FLAGS, 0x280)
			}),
			address{index: 7, prefix: netip.PrefixFrom(six, 64), flags: 0x280},
		},
		"short":              {body: []byte{2, 24, 0, 0, 7, 0, 0}},
		"no address":         {body: body(unix.AF_INET, 24, 0, func(*netlink.AttributeEncoder) {})},
		"address of 3 bytes": {body: body(unix.AF_INET, 24, 0, func(e *netlink.AttributeEncoder) { e.Bytes(unix.IFA_LOCAL, local[:3]) })},
		"prefix too long":    {body: body(unix.AF_INET, 33, 0, func(e *netlink.AttributeEncoder) { e.Bytes(unix.IFA_LOCAL, local) })},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseAddress(tt.body)
			if valid := tt.want != (address{}); (err == nil) != valid {
				t.Errorf("error %v, want one: %t", err, !valid)
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestParseLink(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	tests := map[string]struct {
		body []byte
		want link
	}{
		"ethernet": {
			linkBody(t, unix.AF_UNSPEC, link{index: 7, name: "eth0", flags: up, hardware: mac}),
			link{index: 7, name: "eth0", flags: up, hardware: mac},
		},
		"no name":  {body: linkBody(t, unix.AF_UNSPEC, link{index: 7})[:16]},
		"short":    {body: make([]byte, 15)},
		"cut name": {body: append(make([]byte, 16), 9, 0, 3, 0, 'e')},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseLink(tt.body)
			if valid := tt.want.name != ""; (err == nil) != valid {
				t.Errorf("error %v, want one: %t", err, !valid)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(link{})); err == nil && diff != "" {
				t.Errorf("link (-want +got):\n%s", diff)
			}
		})
	}
}

// linkBody returns the body of an RTM_NEWLINK.
func linkBody(t *testing.T, family uint8, l link) []byte {
	t.Helper()
	e := netlink.NewAttributeEncoder()
	e.String(unix.IFLA_IFNAME, l.name)
	e.Bytes(unix.IFLA_ADDRESS, l.hardware)
	attributes, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, unix.SizeofIfInfomsg)
	b[0] = family
	b[4] = byte(l.index)
	b[8], b[9], b[10] = byte(l.flags), byte(l.flags>>8), byte(l.flags>>16)
	return append(b, attributes...)
}

func TestAddressRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := addresses.Draw(t, "address")
		index := rapid.IntRange(1, 1<<31-1).Draw(t, "index")
		body, err := leaseMessage(index, Lease{Address: a})
		if err != nil {
			t.Fatal(err)
		}
		want := address{index: index, prefix: a.Prefix}
		if a.Prefix.Addr().Is6() {
			want.flags = unix.IFA_F_NODAD
		}
		if got, err := parseAddress(body); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	for _, a := range []Address{addr("eth0", "192.0.2.10/24"), addr("eth0", "2001:db8::10/64")} {
		body, err := leaseMessage(7, Lease{Address: a})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := parseAddress(b); err == nil && !a.prefix.IsValid() {
			t.Errorf("invalid prefix %v without an error", a.prefix)
		}
	})
}

func FuzzParseLink(f *testing.F) {
	f.Add(append(make([]byte, 16), 8, 0, 3, 0, 'l', 'o', 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := parseLink(b); err == nil && l.name == "" {
			t.Error("no name and no error")
		}
	})
}

// TestRule61_NoDAD: duplicate address detection is skipped for VIPs, in whatever state the old master is, and for
// addresses of IPv4 there is none.
func TestRule61_NoDAD(t *testing.T) {
	for name, tt := range map[string]struct {
		address string
		want    uint32
	}{
		"positive: IPv6": {"2001:db8::10/64", unix.IFA_F_NODAD},
		"negative: IPv4": {"192.0.2.10/24", 0},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := leaseMessage(7, Lease{Address: addr("eth0", tt.address)})
			if err != nil {
				t.Fatal(err)
			}
			a, err := parseAddress(body)
			if err != nil || a.flags != tt.want {
				t.Errorf("flags %#x, %v; want %#x", a.flags, err, tt.want)
			}
		})
	}
}
