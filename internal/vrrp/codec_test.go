// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"bufio"
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// capture is one advertisement that another implementation sent.
type capture struct {
	name    string
	source  netip.Addr
	message []byte
}

func (c capture) packet() Packet {
	return Packet{Payload: c.message, Source: c.source, Destination: FamilyOf(c.source).Group(), TTL: 255}
}

// captures reads the advertisements of keepalived.
func captures(t testing.TB) []capture {
	t.Helper()
	file, err := os.Open("testdata/keepalived-2.2.7.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []capture
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.Split(lines.Text(), " | ")
		if len(fields) != 3 {
			t.Fatalf("%s: want name | source | message: %q", file.Name(), lines.Text())
		}
		source, err := netip.ParseAddr(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		message, err := hex.DecodeString(fields[2])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, capture{name: fields[0], source: source, message: message})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestKeepalivedMessages(t *testing.T) {
	addresses := func(list ...string) []netip.Addr {
		var all []netip.Addr
		for _, s := range list {
			all = append(all, netip.MustParseAddr(s))
		}
		return all
	}
	three := addresses("192.0.2.10", "192.0.2.11", "192.0.2.12")
	one := addresses("198.51.100.1")
	six := addresses("fe80::51", "2001:db8::10", "2001:db8::11")
	want := map[string]Advertisement{
		"ipv4 three addresses":                                 {51, 150, 500 * time.Millisecond, three},
		"ipv4 three addresses, resigning":                      {51, 0, 500 * time.Millisecond, three},
		"ipv4 one address":                                     {7, 100, time.Second, one},
		"ipv4 one address, resigning":                          {7, 0, time.Second, one},
		"ipv6 virtual link-local and two addresses":            {51, 200, 250 * time.Millisecond, six},
		"ipv6 virtual link-local and two addresses, resigning": {51, 0, 250 * time.Millisecond, six},
	}
	seen := 0
	for _, c := range captures(t) {
		t.Run(c.name, func(t *testing.T) {
			seen++
			got, form, err := Parse(c.packet())
			if err != nil {
				t.Fatal(err)
			}
			if form != PseudoHeader {
				t.Errorf("checksum form: got %v, want %v", form, PseudoHeader)
			}
			if diff := cmp.Diff(want[c.name], got, compareAddr); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
			again := got.AppendTo(nil, c.source, FamilyOf(c.source).Group(), form)
			if diff := cmp.Diff(c.message, again); diff != "" {
				t.Errorf("encoded (-keepalived +ours):\n%s", diff)
			}
		})
	}
	if seen != len(want) {
		t.Errorf("%d captures, want %d", seen, len(want))
	}
}

// anyAddress draws an address that an advertisement of family f can list.
func anyAddress(t *rapid.T, f Family, label string) netip.Addr {
	octets := rapid.SliceOfN(rapid.Byte(), f.addressSize(), f.addressSize()).Draw(t, label)
	a, _ := netip.AddrFromSlice(octets)
	if a.Is4In6() {
		return netip.IPv6Unspecified()
	}
	return a
}

// linkLocal makes an address of fe80::/64 out of a.
func linkLocal(a netip.Addr) netip.Addr {
	octets := a.As16()
	copy(octets[:8], []byte{0xfe, 0x80, 0, 0, 0, 0, 0, 0})
	return netip.AddrFrom16(octets)
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		family := rapid.SampledFrom([]Family{IPv4, IPv6}).Draw(t, "family")
		form := rapid.SampledFrom([]ChecksumForm{MessageOnly, PseudoHeader}).Draw(t, "form")
		source := anyAddress(t, family, "source")
		a := Advertisement{
			VRID:              rapid.Byte().Draw(t, "vrid"),
			Priority:          rapid.Byte().Draw(t, "priority"),
			MaxAdvertInterval: time.Duration(rapid.IntRange(1, 4095).Draw(t, "centiseconds")) * IntervalStep,
		}
		for range rapid.IntRange(1, 255).Draw(t, "count") {
			a.Addresses = append(a.Addresses, anyAddress(t, family, "address"))
		}
		if family == IPv6 {
			source = linkLocal(source)
			a.Addresses[0] = linkLocal(a.Addresses[0])
			form = PseudoHeader
		}
		if !plausibleSource(source, family) {
			t.Skip("no router sends from", source)
		}

		got, gotForm, err := Parse(packetOf(a, source, form, nil))
		if err != nil {
			t.Fatalf("Parse: %v", err)
		}
		if diff := cmp.Diff(a, got, compareAddr); diff != "" {
			t.Errorf("-sent +received:\n%s", diff)
		}
		if gotForm != form && !bothForms(a, source) {
			t.Errorf("checksum form: got %v, want %v", gotForm, form)
		}
	})
}

// bothForms reports whether the two checksum forms of a give the same message.
func bothForms(a Advertisement, source netip.Addr) bool {
	group := FamilyOf(source).Group()
	return string(a.AppendTo(nil, source, group, MessageOnly)) == string(a.AppendTo(nil, source, group, PseudoHeader))
}

// FuzzParse checks that any octets are either refused with a Discard or are the
// encoding of what Parse says they are.
func FuzzParse(f *testing.F) {
	for _, c := range captures(f) {
		f.Add(c.message, c.source.AsSlice(), uint8(255))
	}
	rfc9568 := packetOf(peerAdvert4, low4, MessageOnly, nil)
	f.Add(rfc9568.Payload, low4.AsSlice(), uint8(255))
	f.Add(rfc9568.Payload, low4.AsSlice(), uint8(1))
	f.Add([]byte{}, []byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, payload, source []byte, ttl uint8) {
		from, _ := netip.AddrFromSlice(source)
		p := Packet{Payload: payload, Source: from, Destination: FamilyOf(from).Group(), TTL: int(ttl)}
		a, form, err := Parse(p)
		if err != nil {
			if _, ok := err.(Discard); !ok {
				t.Errorf("error %T %v is no Discard", err, err)
			}
			return
		}
		again := a.AppendTo(nil, p.Source, p.Destination, form)
		reparsed, _, err := Parse(Packet{Payload: again, Source: p.Source, Destination: p.Destination, TTL: 255})
		if err != nil {
			t.Fatalf("own encoding %x of %x: %v", again, payload, err)
		}
		if diff := cmp.Diff(a, reparsed, compareAddr); diff != "" {
			t.Errorf("own encoding %x of %x (-first +second):\n%s", again, payload, diff)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	p := packetOf(peerAdvert4, low4, MessageOnly, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse(p); err != nil {
			b.Fatal(err)
		}
	}
}
