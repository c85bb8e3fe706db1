// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var (
	protocols = rapid.SampledFrom([]Protocol{TCP, UDP, SCTP})
	addresses = rapid.Custom(func(t *rapid.T) netip.AddrPort {
		size := rapid.SampledFrom([]int{4, 16}).Draw(t, "size")
		addr, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "address"))
		return netip.AddrPortFrom(addr.Unmap(), rapid.Uint16().Draw(t, "port"))
	})
)

func TestServiceRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Service{
			Key:       ServiceKey{Protocol: protocols.Draw(t, "protocol"), Address: addresses.Draw(t, "address")},
			Scheduler: rapid.StringMatching(`[a-z]{1,15}`).Draw(t, "scheduler"),
			Flags:     rapid.Uint32().Draw(t, "flags") &^ flagHashed,
			Timeout:   time.Duration(rapid.Int64Range(0, int64(maxTimeout/time.Second)).Draw(t, "timeout")) * time.Second,
		}
		want.Netmask = uint8(rapid.IntRange(1, want.Key.Address.Addr().BitLen()).Draw(t, "netmask"))
		req, err := request(AddService{want})
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseService(req.Attributes)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("service (-want +got):\n%s", cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})))
		}
	})
}

func TestDestinationRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Destination{
			Address:        addresses.Draw(t, "address"),
			Forward:        rapid.SampledFrom([]Forward{Masquerade, Tunnel, Direct}).Draw(t, "forward"),
			Weight:         rapid.IntRange(0, MaxWeight).Draw(t, "weight"),
			UpperThreshold: rapid.Uint32().Draw(t, "upper"),
			LowerThreshold: rapid.Uint32().Draw(t, "lower"),
		}
		key := ServiceKey{Protocol: protocols.Draw(t, "protocol"), Address: addresses.Draw(t, "service")}
		req, err := request(AddDestination{key, want})
		if err != nil {
			t.Fatal(err)
		}
		got, conns, err := parseDestination(req.Attributes)
		if err != nil {
			t.Fatal(err)
		}
		if got != want || conns != (Connections{}) {
			t.Fatalf("destination (-want +got):\n%s", cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})))
		}
	})
}

func TestRequestRefuses(t *testing.T) {
	web := Service{Key: ServiceKey{TCP, netip.MustParseAddrPort("192.0.2.10:80")}, Scheduler: "wlc"}
	rs1 := Destination{Address: netip.MustParseAddrPort("10.0.1.11:80")}
	service := func(change func(*Service)) Op {
		s := web
		change(&s)
		return AddService{s}
	}
	dest := func(change func(*Destination)) Op {
		d := rs1
		change(&d)
		return EditDestination{Service: web.Key, Destination: d}
	}
	tests := []struct {
		name string
		op   Op
		want string
	}{
		{"nothing", nil, "unknown operation <nil>"},
		{"protocol", service(func(s *Service) { s.Key.Protocol = 89 }), "not protocol(89)"},
		{"address missing", service(func(s *Service) { s.Key.Address = netip.AddrPort{} }), "address is missing"},
		{"zone", service(func(s *Service) { s.Key.Address = netip.MustParseAddrPort("[fe80::1%eth0]:80") }), "no zones"},
		{"scheduler missing", service(func(s *Service) { s.Scheduler = "" }), "1 to 15 bytes"},
		{"scheduler too long", service(func(s *Service) { s.Scheduler = "sixteen-bytes-xx" }), "1 to 15 bytes"},
		{"timeout", service(func(s *Service) { s.Timeout = 32 * 24 * time.Hour }), "want 0 to 744h0m0s"},
		{"netmask", service(func(s *Service) { s.Netmask = 33 }), "want 0 to 32 bits"},
		{"mask read from a foreign service", service(func(s *Service) { s.Netmask = netmaskOther }), "want 0 to 32 bits"},
		{"weight too high", dest(func(d *Destination) { d.Weight = 65536 }), "weight 65536: want 0 to 65535"},
		{"weight negative", dest(func(d *Destination) { d.Weight = -1 }), "weight -1: want 0 to 65535"},
		{"forward", dest(func(d *Destination) { d.Forward = 4 }), "not forward(4)"},
		{"service of a destination", DeleteDestination{Address: rs1.Address}, "not protocol(0)"},
		{"destination missing", DeleteDestination{Service: web.Key}, "address is missing"},
		{"key of a deletion", DeleteService{}, "not protocol(0)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := request(tt.op)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestPrefixLength(t *testing.T) {
	tests := map[uint32]uint8{
		0xffffffff: 32, 0xffffff00: 24, 0x80000000: 1,
		0: netmaskOther, 0xff00ff00: netmaskOther, 0x00ffffff: netmaskOther,
	}
	for mask, want := range tests {
		if got := prefixLength(mask); got != want {
			t.Errorf("prefixLength(%#x) = %d, want %d", mask, got, want)
		}
	}
}

func FuzzParseService(f *testing.F) {
	f.Add(captured(f, capturedService))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseService(b)
		if err != nil || s.check() != nil {
			return
		}
		req, err := request(AddService{s})
		if err != nil {
			t.Fatalf("%+v was read but cannot be written: %v", s, err)
		}
		if again, err := parseService(req.Attributes); err != nil || again != s.normalize() {
			t.Fatalf("read %+v, written and read again %+v, %v", s, again, err)
		}
	})
}

func FuzzParseDestination(f *testing.F) {
	f.Add(captured(f, capturedDestination))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, _, err := parseDestination(b)
		if err != nil || d.check() != nil {
			return
		}
		req, err := request(AddDestination{ServiceKey{TCP, netip.MustParseAddrPort("192.0.2.10:80")}, d})
		if err != nil {
			t.Fatalf("%+v was read but cannot be written: %v", d, err)
		}
		if again, _, err := parseDestination(req.Attributes); err != nil || again != d {
			t.Fatalf("read %+v, written and read again %+v, %v", d, again, err)
		}
	})
}
