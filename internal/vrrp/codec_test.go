// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"bufio"
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// capture is one advertisement that another implementation sent.
type capture struct {
	name   string
	packet Packet
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
		if len(fields) != 5 {
			t.Fatalf("%s: want five fields: %q", file.Name(), lines.Text())
		}
		message, err := hex.DecodeString(fields[4])
		if err != nil {
			t.Fatal(err)
		}
		ttl, err := strconv.Atoi(fields[3])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, capture{fields[0], Packet{
			Payload: message, Source: netip.MustParseAddr(fields[1]), Destination: netip.MustParseAddr(fields[2]), TTL: ttl,
		}})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func addresses(list ...string) []netip.Addr {
	var all []netip.Addr
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

// TestKeepalivedMessages takes keepalived's messages for those of a peer, and
// makes the same ones.
func TestKeepalivedMessages(t *testing.T) {
	const half = 500 * time.Millisecond
	password := func(vrid uint8, vip string) GroupConfig {
		return GroupConfig{Version: Version2, VRID: vrid, Family: IPv4, Addresses: addresses(vip), Password: "secret"}
	}
	v3 := func(vrid uint8, vips ...string) GroupConfig {
		list := addresses(vips...)
		return GroupConfig{VRID: vrid, Family: FamilyOf(list[0]), Addresses: list}
	}
	compat := v3(5, "198.51.100.16")
	compat.ChecksumCompat = true
	want := map[string]struct {
		config   GroupConfig
		priority uint8
		interval time.Duration
	}{
		"ipv4 three addresses":                      {v3(51, "192.0.2.10", "192.0.2.11", "192.0.2.12"), 150, half},
		"ipv4 one address":                          {v3(7, "198.51.100.1"), 100, time.Second},
		"ipv6 virtual link-local and two addresses": {v3(51, "fe80::51", "2001:db8::10", "2001:db8::11"), 200, half / 2},
		"version 2":                                 {GroupConfig{Version: Version2, VRID: 1, Family: IPv4, Addresses: addresses("198.51.100.10", "198.51.100.11")}, 150, time.Second},
		"version 2 password":                        {password(2, "198.51.100.12"), 150, 2 * time.Second},
		"version 2 password unicast":                {password(3, "198.51.100.13"), 150, time.Second},
		"ipv4 unicast":                              {v3(4, "198.51.100.14", "198.51.100.15"), 150, half},
		"ipv4 unicast old_unicast_checksum":         {compat, 150, half},
		"ipv6 unicast":                              {v3(6, "2001:db8::10", "2001:db8::11"), 150, half},
		"ipv6 unicast link-local":                   {v3(7, "fe80::51", "2001:db8::12"), 150, half},
	}
	seen := 0
	for _, c := range captures(t) {
		t.Run(c.name, func(t *testing.T) {
			seen++
			name, resigning := strings.CutSuffix(c.name, ", resigning")
			want, ok := want[name]
			if !ok {
				t.Fatal("unknown capture")
			}
			if resigning {
				want.priority = PriorityResign
			}
			ours, its := want.config, want.config
			if p := c.packet; !p.Destination.IsMulticast() {
				ours.Unicast = &Unicast{Source: p.Destination, Peers: []netip.Addr{p.Source}, MinTTL: p.TTL}
				its.Unicast = &Unicast{Source: p.Source, Peers: []netip.Addr{p.Destination}}
			}
			got, err := ours.group().Receive(wallClock, c.packet, Parameters{Priority: 100, AdvertInterval: want.interval})
			if err != nil {
				t.Fatal(err)
			}
			advert := Advertisement{
				Version: want.config.Version.orDefault(), VRID: want.config.VRID, Priority: want.priority,
				MaxAdvertInterval: want.interval, Addresses: want.config.Addresses,
				AuthType: want.config.authType(), AuthData: want.config.authData(),
			}
			if diff := cmp.Diff(advert, got, compareAddr); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
			sender := its.router(c.packet.Source)
			sender.learn(peer{source: c.packet.Destination, form: PseudoHeader})
			message := sender.Advertisement(wallClock, want.priority, want.interval, nil)
			if diff := cmp.Diff(c.packet.Payload, message); diff != "" {
				t.Errorf("encoded (-keepalived +ours):\n%s", diff)
			}
		})
	}
	if seen != 2*len(want) {
		t.Errorf("%d captures, want %d", seen, 2*len(want))
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
			Version:           Version3,
			VRID:              rapid.Byte().Draw(t, "vrid"),
			Priority:          rapid.Byte().Draw(t, "priority"),
			MaxAdvertInterval: time.Duration(rapid.IntRange(1, 4095).Draw(t, "centiseconds")) * IntervalStep,
		}
		if family == IPv4 && rapid.Bool().Draw(t, "version 2") {
			a.Version, form = Version2, MessageOnly
			a.MaxAdvertInterval = time.Duration(rapid.IntRange(1, 255).Draw(t, "seconds")) * time.Second
			a.AuthType = AuthType(rapid.Byte().Draw(t, "auth type"))
			copy(a.AuthData[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "auth data"))
		}
		for range rapid.IntRange(1, 255).Draw(t, "count") {
			a.Addresses = append(a.Addresses, anyAddress(t, family, "address"))
		}
		if family == IPv6 {
			a.Addresses[0] = linkLocal(a.Addresses[0])
			form = PseudoHeader
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

// TestGroupsUnderstandEachOther sends between two groups of any one
// configuration.
func TestGroupsUnderstandEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := GroupConfig{Version: Version3, VRID: rapid.Byte().Draw(t, "vrid"), Family: rapid.SampledFrom([]Family{IPv4, IPv6}).Draw(t, "family")}
		interval := time.Duration(rapid.IntRange(1, 4095).Draw(t, "centiseconds")) * IntervalStep
		if c.Family == IPv4 && rapid.Bool().Draw(t, "version 2") {
			c.Version = Version2
			c.Password = rapid.StringN(0, 10, 10).Draw(t, "password")
			interval = Version2.legalInterval(interval)
		}
		for range rapid.IntRange(1, 100).Draw(t, "count") {
			c.Addresses = append(c.Addresses, anyAddress(t, c.Family, "address"))
		}
		if rapid.Bool().Draw(t, "signed") {
			c.Auth = &Auth{
				Keys: []Key{{rapid.Byte().Draw(t, "key id"), rapid.SliceOfN(rapid.Byte(), 32, 64).Draw(t, "secret")}},
				Mode: rapid.SampledFrom([]AuthMode{Enforce, Permissive}).Draw(t, "mode"),
			}
			c.Auth.Active = c.Auth.Keys[0].ID
		}
		its, ours := c, c
		itsAddress, ourAddress := low4, own4
		if c.Family == IPv6 {
			itsAddress, ourAddress = low6, own6
		}
		if rapid.Bool().Draw(t, "unicast") {
			compat := rapid.Bool().Draw(t, "compat")
			its.ChecksumCompat, ours.ChecksumCompat = compat, compat
			its.Unicast = &Unicast{Peers: []netip.Addr{ourAddress}}
			ours.Unicast = &Unicast{Peers: []netip.Addr{itsAddress}}
		}
		sender, receiver := its.router(itsAddress), ours.router(ourAddress)
		if rapid.Bool().Draw(t, "pseudo-header") {
			sender.learn(peer{source: ourAddress, form: PseudoHeader})
		}
		for range 3 {
			priority := rapid.Byte().Draw(t, "priority")
			var o Outbox
			sender.AppendOutgoing(wallClock, priority, interval, &o)
			m := o.Messages[0]
			a, err := receiver.Receive(wallClock, Packet{m.Payload, m.Source, m.Destination, m.TTL}, Parameters{AdvertInterval: interval})
			if err != nil {
				t.Fatalf("%x: %v", m.Payload, err)
			}
			if a.Priority != priority || a.MaxAdvertInterval != interval {
				t.Errorf("got priority %d, interval %v; want %d, %v", a.Priority, a.MaxAdvertInterval, priority, interval)
			}
		}
		if n := receiver.Counters().AddressMismatch; n != 0 {
			t.Errorf("%d address mismatches", n)
		}
	})
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
