// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// compareAddr lets go-cmp compare addresses.
var compareAddr = cmpopts.EquateComparable(netip.Addr{})

// parseCase is one packet against the receive checks.
type parseCase struct {
	name   string
	advert Advertisement
	source netip.Addr
	edit   func(*Packet)
	want   error // nil: accepted
}

func runParseCases(t *testing.T, cases []parseCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := packetOf(c.advert, c.source, PseudoHeader, c.edit)
			if _, _, err := Parse(p); err != c.want {
				t.Errorf("Parse(%x from %s): got error %v, want %v", p.Payload, p.Source, err, c.want)
			}
		})
	}
}

func TestChecklist01Destination(t *testing.T) {
	to := func(a string) func(*Packet) {
		return func(p *Packet) { p.Destination = netip.MustParseAddr(a); resum(p) }
	}
	runParseCases(t, []parseCase{
		{"ipv4 group", peerAdvert4, low4, to("224.0.0.18"), nil},
		{"ipv4 other group", peerAdvert4, low4, to("224.0.0.19"), DiscardDestination},
		{"ipv4 unicast", peerAdvert4, low4, to("192.0.2.2"), DiscardDestination},
		{"ipv6 group", peerAdvert6, low6, to("ff02::12"), nil},
		{"ipv6 other group", peerAdvert6, low6, to("ff02::1"), DiscardDestination},
		{"ipv6 group of wider scope", peerAdvert6, low6, to("ff05::12"), DiscardDestination},
		{"none", peerAdvert4, low4, func(p *Packet) { p.Destination = netip.Addr{} }, DiscardDestination},
	})
}

func TestChecklist09TTL(t *testing.T) {
	ttl := func(n int) func(*Packet) { return func(p *Packet) { p.TTL = n } }
	runParseCases(t, []parseCase{
		{"ipv4 255", peerAdvert4, low4, ttl(255), nil},
		{"ipv4 254", peerAdvert4, low4, ttl(254), DiscardTTL},
		{"ipv4 unknown", peerAdvert4, low4, ttl(0), DiscardTTL},
		{"ipv6 255", peerAdvert6, low6, ttl(255), nil},
		{"ipv6 64", peerAdvert6, low6, ttl(64), DiscardTTL},
	})
}

func TestChecklist10Version(t *testing.T) {
	version := func(v uint8) func(*Packet) {
		return func(p *Packet) { p.Payload[0] = v<<4 | 1; resum(p) }
	}
	runParseCases(t, []parseCase{
		{"3", peerAdvert4, low4, version(3), nil},
		{"2", peerAdvert4, low4, version(2), DiscardVersion},
		{"4", peerAdvert4, low4, version(4), DiscardVersion},
		{"0 over ipv6", peerAdvert6, low6, version(0), DiscardVersion},
	})
}

func TestChecklist11Type(t *testing.T) {
	kind := func(k uint8) func(*Packet) {
		return func(p *Packet) { p.Payload[0] = 3<<4 | k; resum(p) }
	}
	runParseCases(t, []parseCase{
		{"advertisement", peerAdvert4, low4, kind(1), nil},
		{"0", peerAdvert4, low4, kind(0), DiscardType},
		{"2", peerAdvert6, low6, kind(2), DiscardType},
		{"15", peerAdvert4, low4, kind(15), DiscardType},
	})
}

func TestChecklist12Length(t *testing.T) {
	cut := func(n int) func(*Packet) {
		return func(p *Packet) { p.Payload = p.Payload[:n] }
	}
	grow := func(n int) func(*Packet) {
		return func(p *Packet) { p.Payload = append(p.Payload, make([]byte, n)...) }
	}
	runParseCases(t, []parseCase{
		{"ipv4 whole", peerAdvert4, low4, nil, nil},
		{"ipv6 whole", peerAdvert6, low6, nil, nil},
		{"empty", peerAdvert4, low4, cut(0), DiscardShort},
		{"part of the header", peerAdvert4, low4, cut(7), DiscardShort},
		{"header only", peerAdvert4, low4, cut(8), DiscardShort},
		{"ipv4 one octet missing", peerAdvert4, low4, cut(15), DiscardShort},
		{"ipv6 one address missing", peerAdvert6, low6, cut(24), DiscardShort},
		{"ipv4 one octet too many", peerAdvert4, low4, grow(1), DiscardLong},
		{"ipv6 one address too many", peerAdvert6, low6, grow(16), DiscardLong},
	})
}

func TestChecklist13Checksum(t *testing.T) {
	// From this source the IPv4 pseudo-header of a 16-octet message sums to
	// nothing, and both forms are the same.
	ambiguous := netip.MustParseAddr("10.0.21.109")
	flip := func(i int) func(*Packet) { return func(p *Packet) { p.Payload[i] ^= 0x10 } }
	cases := []struct {
		name     string
		advert   Advertisement
		source   netip.Addr
		sent     ChecksumForm
		edit     func(*Packet)
		wantForm ChecksumForm
		want     error
	}{
		{"ipv4 message only", peerAdvert4, low4, MessageOnly, nil, MessageOnly, nil},
		{"ipv4 pseudo-header", peerAdvert4, low4, PseudoHeader, nil, PseudoHeader, nil},
		{"ipv4 both", peerAdvert4, ambiguous, MessageOnly, nil, PseudoHeader, nil},
		{"ipv6 pseudo-header", peerAdvert6, low6, PseudoHeader, nil, PseudoHeader, nil},
		{"ipv6 is never message only", peerAdvert6, low6, MessageOnly, nil, PseudoHeader, nil},
		{"ipv6 message only", peerAdvert6, low6, PseudoHeader, func(p *Packet) {
			p.Payload[6], p.Payload[7] = 0, 0
			sum := ^fold(onesSum(0, p.Payload))
			p.Payload[6], p.Payload[7] = uint8(sum>>8), uint8(sum)
		}, 0, DiscardChecksum},
		{"ipv4 priority changed", peerAdvert4, low4, MessageOnly, flip(2), 0, DiscardChecksum},
		{"ipv4 address changed", peerAdvert4, low4, PseudoHeader, flip(15), 0, DiscardChecksum},
		{"ipv6 checksum changed", peerAdvert6, low6, PseudoHeader, flip(6), 0, DiscardChecksum},
		{"pseudo-header of another source", peerAdvert4, low4, PseudoHeader,
			func(p *Packet) { p.Source = high4 }, 0, DiscardChecksum},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := packetOf(c.advert, c.source, c.sent, c.edit)
			_, form, err := Parse(p)
			if form != c.wantForm || err != c.want {
				t.Errorf("got %v, %v; want %v, %v", form, err, c.wantForm, c.want)
			}
		})
	}
}

func TestChecklist19EmptyFields(t *testing.T) {
	count0 := func(p *Packet) { p.Payload = p.Payload[:8]; p.Payload[3] = 0; resum(p) }
	interval := func(high, low uint8) func(*Packet) {
		return func(p *Packet) { p.Payload[4], p.Payload[5] = high, low; resum(p) }
	}
	runParseCases(t, []parseCase{
		{"ipv4 count 0", peerAdvert4, low4, count0, DiscardNoAddresses},
		{"ipv6 count 0", peerAdvert6, low6, count0, DiscardNoAddresses},
		{"interval 0", peerAdvert4, low4, interval(0, 0), DiscardZeroInterval},
		{"interval 0 with reserved bits", peerAdvert4, low4, interval(0xf0, 0), DiscardZeroInterval},
		{"interval 1", peerAdvert4, low4, interval(0, 1), nil},
		{"interval 4095", peerAdvert6, low6, interval(0x0f, 0xff), nil},
	})
}

func TestChecklist04IntervalField(t *testing.T) {
	p := packetOf(peerAdvert4, low4, PseudoHeader, func(p *Packet) { p.Payload[4] |= 0xf0; resum(p) })
	got, _, err := Parse(p)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(peerAdvert4, got, compareAddr); diff != "" {
		t.Errorf("reserved bits are not ignored (-want +got):\n%s", diff)
	}

	cases := []struct{ interval, want time.Duration }{
		{0, MinInterval},
		{-time.Second, MinInterval},
		{19 * time.Millisecond, 10 * time.Millisecond},
		{40950 * time.Millisecond, 40950 * time.Millisecond},
		{time.Hour, MaxInterval},
	}
	for _, c := range cases {
		a := peerAdvert4
		a.MaxAdvertInterval = c.interval
		sent, _, err := Parse(packetOf(a, low4, MessageOnly, nil))
		if err != nil || sent.MaxAdvertInterval != c.want {
			t.Errorf("interval %v: got %v, %v on the wire; want %v", c.interval, sent.MaxAdvertInterval, err, c.want)
		}
	}
}

func TestChecklist20AddressFamily(t *testing.T) {
	with := func(a Advertisement, addresses ...string) Advertisement {
		a.Addresses = nil
		for _, s := range addresses {
			a.Addresses = append(a.Addresses, netip.MustParseAddr(s))
		}
		return a
	}
	runParseCases(t, []parseCase{
		{"ipv4 in ipv4", with(peerAdvert4, "198.51.100.10"), low4, nil, nil},
		{"ipv6 in ipv4", with(peerAdvert4, "2001:db8::10"), low4, nil, DiscardLong},
		{"ipv4 in ipv6", with(peerAdvert6, "198.51.100.10"), low6, nil, DiscardShort},
		{"ipv4-mapped in ipv6", with(peerAdvert6, "fe80::51", "::ffff:198.51.100.10"), low6, nil, DiscardAddressFamily},
		{"link-local first", with(peerAdvert6, "fe80::51", "2001:db8::10"), low6, nil, nil},
		{"link-local alone", with(peerAdvert6, "fe80::51"), low6, nil, nil},
		{"link-local second", with(peerAdvert6, "2001:db8::10", "fe80::51"), low6, nil, DiscardFirstAddress},
		{"no link-local", with(peerAdvert6, "2001:db8::10"), low6, nil, DiscardFirstAddress},
	})
}

func TestChecklist25Source(t *testing.T) {
	from := func(a string) func(*Packet) {
		return func(p *Packet) { p.Source = netip.MustParseAddr(a); resum(p) }
	}
	runParseCases(t, []parseCase{
		{"ipv4 unicast", peerAdvert4, low4, from("10.0.0.1"), nil},
		{"ipv4 unspecified", peerAdvert4, low4, from("0.0.0.0"), DiscardSource},
		{"ipv4 loopback", peerAdvert4, low4, from("127.0.0.1"), DiscardSource},
		{"ipv4 multicast", peerAdvert4, low4, from("224.0.0.18"), DiscardSource},
		{"ipv4 broadcast", peerAdvert4, low4, from("255.255.255.255"), DiscardSource},
		{"ipv6 link-local", peerAdvert6, low6, from("fe80::99"), nil},
		{"ipv6 global", peerAdvert6, low6, from("2001:db8::1"), DiscardSource},
		{"ipv6 unspecified", peerAdvert6, low6, from("::"), DiscardSource},
		{"ipv6 loopback", peerAdvert6, low6, from("::1"), DiscardSource},
		{"ipv4-mapped", peerAdvert6, low6, from("::ffff:169.254.0.1"), DiscardSource},
		{"other family", peerAdvert4, low4, from("fe80::1"), DiscardSource},
		{"none", peerAdvert4, low4, func(p *Packet) { p.Source = netip.Addr{} }, DiscardSource},
	})
}

func TestChecklist14PeekVRID(t *testing.T) {
	message := packetOf(peerAdvert4, low4, MessageOnly, nil).Payload
	if vrid, ok := PeekVRID(message); vrid != 51 || !ok {
		t.Errorf("PeekVRID(%x): got %d, %v; want 51, true", message, vrid, ok)
	}
	if vrid, ok := PeekVRID(message[:7]); ok {
		t.Errorf("PeekVRID of 7 octets: got %d, true; want false", vrid)
	}
}

func TestAppendToLimitsAddresses(t *testing.T) {
	a := peerAdvert4
	a.Addresses = nil
	for i := range 300 {
		a.Addresses = append(a.Addresses, netip.AddrFrom4([4]byte{10, 0, uint8(i >> 8), uint8(i)}))
	}
	got, _, err := Parse(packetOf(a, low4, MessageOnly, nil))
	if err != nil || len(got.Addresses) != 255 {
		t.Errorf("got %d addresses, %v; want 255", len(got.Addresses), err)
	}
}

func TestAppendToKeepsPrefix(t *testing.T) {
	prefix := []byte("prefix")
	alone := peerAdvert4.AppendTo(nil, low4, IPv4.Group(), PseudoHeader)
	appended := peerAdvert4.AppendTo(prefix, low4, IPv4.Group(), PseudoHeader)
	if diff := cmp.Diff(append(prefix, alone...), appended); diff != "" {
		t.Errorf("message after other octets differs (-want +got):\n%s", diff)
	}
}

func TestAppendToDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, ReadBufferSize)
	for _, c := range []struct {
		advert Advertisement
		source netip.Addr
	}{{peerAdvert4, low4}, {peerAdvert6, low6}} {
		destination := FamilyOf(c.source).Group()
		if n := testing.AllocsPerRun(100, func() {
			c.advert.AppendTo(buf, c.source, destination, PseudoHeader)
		}); n != 0 {
			t.Errorf("%s: %v allocations a message, want 0", FamilyOf(c.source), n)
		}
	}
}

func TestDiscardWords(t *testing.T) {
	words := make(map[string]Discard)
	for _, d := range Discards() {
		if d.String() == "" || d.Error() == "" {
			t.Errorf("reason %d: no word %q or no phrase %q", uint8(d), d.String(), d.Error())
		}
		if other, ok := words[d.String()]; ok {
			t.Errorf("reasons %d and %d share the word %q", uint8(other), uint8(d), d.String())
		}
		words[d.String()] = d
	}
	if len(words) != int(discardCount) {
		t.Errorf("Discards lists %d reasons, want %d", len(words), discardCount)
	}
}
