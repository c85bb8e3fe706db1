// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

func TestRule09_TTL(t *testing.T) {
	runRules(t, ownParameters, []ruleCase{
		{"positive ipv4 255", config4, peerAdvert4, low4, ttl(255), nil, nil},
		{"positive ipv6 255", config6, peerAdvert6, low6, ttl(255), nil, nil},
		{"positive version 2 255", config2, peerAdvert2, low4, ttl(255), nil, nil},
		{"negative ipv4 254", config4, peerAdvert4, low4, ttl(254), DiscardTTL, nil},
		{"negative ipv4 unknown", config4, peerAdvert4, low4, ttl(0), DiscardTTL, nil},
		{"negative ipv6 64", config6, peerAdvert6, low6, ttl(64), DiscardTTL, nil},
		{"negative version 2 1", config2, peerAdvert2, low4, ttl(1), DiscardTTL, nil},
	})
}

func TestRule10_Version(t *testing.T) {
	runRules(t, ownParameters, []ruleCase{
		{"positive 3", config4, peerAdvert4, low4, nil, nil, nil},
		{"positive 2", config2, peerAdvert2, low4, nil, nil, nil},
		{"negative 2 at 3", config4, peerAdvert2, low4, nil, DiscardVersion, nil},
		{"negative 3 at 2", config2, peerAdvert4, low4, nil, DiscardVersion, nil},
		{"negative 4", config4, peerAdvert4, low4, octet(0, 0x41), DiscardVersion, nil},
		{"negative 0 over ipv6", config6, peerAdvert6, low6, octet(0, 0x01), DiscardVersion, nil},
		{"negative 2 over ipv6", config6, peerAdvert6, low6, octet(0, 0x21), DiscardVersion, nil},
		{"negative 2 over ipv6, configured so", config6.with(func(c *GroupConfig) { c.Version = Version2 }),
			peerAdvert6, low6, octet(0, 0x21), DiscardVersion, nil},
	})
}

func TestRule11_Type(t *testing.T) {
	runRules(t, ownParameters, []ruleCase{
		{"positive advertisement", config4, peerAdvert4, low4, octet(0, 0x31), nil, nil},
		{"negative 0", config4, peerAdvert4, low4, octet(0, 0x30), DiscardType, nil},
		{"negative 2", config6, peerAdvert6, low6, octet(0, 0x32), DiscardType, nil},
		{"negative 15 in version 2", config2, peerAdvert2, low4, octet(0, 0x2f), DiscardType, nil},
	})
}

func TestRule12_Length(t *testing.T) {
	cut := func(n int) func(*Packet) { return func(p *Packet) { p.Payload = p.Payload[:n] } }
	grow := func(n int) func(*Packet) {
		return func(p *Packet) { p.Payload = append(p.Payload, make([]byte, n)...) }
	}
	runRules(t, ownParameters, []ruleCase{
		{"positive ipv4 whole", config4, peerAdvert4, low4, nil, nil, nil},
		{"positive ipv6 whole", config6, peerAdvert6, low6, nil, nil, nil},
		{"positive version 2 whole", config2, peerAdvert2, low4, nil, nil, nil},
		{"negative empty", config4, peerAdvert4, low4, cut(0), DiscardShort, nil},
		{"negative part of the header", config4, peerAdvert4, low4, cut(7), DiscardShort, nil},
		{"negative header only", config4, peerAdvert4, low4, cut(8), DiscardShort, nil},
		{"negative ipv4 one octet missing", config4, peerAdvert4, low4, cut(15), DiscardShort, nil},
		{"negative ipv6 one address missing", config6, peerAdvert6, low6, cut(24), DiscardShort, nil},
		{"negative version 2 without authentication data", config2, peerAdvert2, low4, cut(16), DiscardShort, nil},
		{"negative ipv4 one octet too many", config4, peerAdvert4, low4, grow(1), DiscardLong, nil},
		{"negative ipv6 one address too many", config6, peerAdvert6, low6, grow(16), DiscardLong, nil},
		{"negative version 2 one octet too many", config2, peerAdvert2, low4, grow(1), DiscardLong, nil},
		{"negative trailer that nobody asked for", config4, peerAdvert4, low4, grow(trailerSize), DiscardLong, nil},
		{"negative no trailer", signed4(Enforce), peerAdvert4, low4, grow(trailerSize + 1), DiscardLong, nil},
	})
}

func TestRule13_Checksum(t *testing.T) {
	// From this source the IPv4 pseudo-header of a 16-octet message sums to
	// nothing, and both forms are the same.
	ambiguous := netip.MustParseAddr("10.0.21.109")
	flip := func(i int) func(*Packet) { return func(p *Packet) { p.Payload[i] ^= 0x10 } }
	messageOnly := func(p *Packet) {
		p.Payload[6], p.Payload[7] = 0, 0
		sum := ^fold(onesSum(0, p.Payload))
		p.Payload[6], p.Payload[7] = uint8(sum>>8), uint8(sum)
	}
	cases := []struct {
		name     string
		advert   Advertisement
		source   netip.Addr
		sent     ChecksumForm
		edit     func(*Packet)
		wantForm ChecksumForm
		want     error
	}{
		{"positive ipv4 message only", peerAdvert4, low4, MessageOnly, nil, MessageOnly, nil},
		{"positive ipv4 pseudo-header", peerAdvert4, low4, PseudoHeader, nil, PseudoHeader, nil},
		{"positive ipv4 both", peerAdvert4, ambiguous, MessageOnly, nil, PseudoHeader, nil},
		{"positive ipv6 pseudo-header", peerAdvert6, low6, PseudoHeader, nil, PseudoHeader, nil},
		{"positive ipv6 is never sent message only", peerAdvert6, low6, MessageOnly, nil, PseudoHeader, nil},
		{"positive version 2 is always message only", peerAdvert2, low4, PseudoHeader, nil, MessageOnly, nil},
		{"negative ipv6 message only", peerAdvert6, low6, PseudoHeader, messageOnly, 0, DiscardChecksum},
		{"negative ipv4 priority changed", peerAdvert4, low4, MessageOnly, flip(2), 0, DiscardChecksum},
		{"negative ipv4 address changed", peerAdvert4, low4, PseudoHeader, flip(15), 0, DiscardChecksum},
		{"negative ipv6 checksum changed", peerAdvert6, low6, PseudoHeader, flip(6), 0, DiscardChecksum},
		{"negative version 2 authentication data changed", peerAdvert2, low4, MessageOnly, flip(20), 0, DiscardChecksum},
		{"negative pseudo-header of another source", peerAdvert4, low4, PseudoHeader,
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

func TestRule14_VRID(t *testing.T) {
	runRules(t, ownParameters, []ruleCase{
		{"positive ours", config4, peerAdvert4, low4, nil, nil, nil},
		{"negative another", config4, peerAdvert4, low4, octet(1, 52), DiscardVRID, nil},
		{"negative another in version 2", config2, peerAdvert2, low4, octet(1, 0), DiscardVRID, nil},
	})
	t.Run("positive peek", func(t *testing.T) {
		message := packetOf(peerAdvert4, low4, MessageOnly, nil).Payload
		if vrid, ok := PeekVRID(message); vrid != 51 || !ok {
			t.Errorf("PeekVRID(%x): got %d, %v; want 51, true", message, vrid, ok)
		}
	})
	t.Run("negative peek", func(t *testing.T) {
		if vrid, ok := PeekVRID(make([]byte, 7)); ok {
			t.Errorf("PeekVRID of 7 octets: got %d, true; want false", vrid)
		}
	})
}

// TestRule15_Owner shows that an owner hears others, in version 2 too.
func TestRule15_Owner(t *testing.T) {
	second := peerAdvert4.with(func(a *Advertisement) { a.Priority = PriorityOwner })
	second2 := peerAdvert2.with(func(a *Advertisement) { a.Priority = PriorityOwner })
	duplicate := func(c *Counters) { c.DuplicateOwner++ }
	runRules(t, ownParameters, []ruleCase{
		{"positive backup hears owner", config4, second, low4, nil, nil, nil},
		{"positive backup hears owner in version 2", config2, second2, low4, nil, nil, nil},
	})
	runRules(t, ownerParameters(), []ruleCase{
		{"negative owner hears backup", config4, peerAdvert4, low4, nil, nil, nil},
		{"negative owner hears owner", config4, second, low4, nil, nil, duplicate},
		{"negative owner hears backup in version 2", config2, peerAdvert2, low4, nil, nil, nil},
		{"negative owner hears owner in version 2", config2, second2, low4, nil, nil, duplicate},
	})
}

func TestRule16_AuthType(t *testing.T) {
	password := config2.with(func(c *GroupConfig) { c.Password = "secret" })
	saying := func(text string) Advertisement {
		return peerAdvert2.with(func(a *Advertisement) { a.AuthType = SimpleText; copy(a.AuthData[:], text) })
	}
	runRules(t, ownParameters, []ruleCase{
		{"positive none", config2, peerAdvert2, low4, nil, nil, nil},
		{"positive none ignores the data", config2, peerAdvert2, low4, octet(16, 's'), nil, nil},
		{"positive password", password, saying("secret"), low4, nil, nil, nil},
		{"positive password cut to 8 octets", config2.with(func(c *GroupConfig) { c.Password = "longer than 8" }),
			saying("longer t"), low4, nil, nil, nil},
		{"negative password where none is configured", config2, saying("secret"), low4, nil, DiscardAuthType, nil},
		{"negative no password", password, peerAdvert2, low4, nil, DiscardAuthType, nil},
		{"negative type 2", password, saying("secret"), low4, octet(4, 2), DiscardAuthType, nil},
		{"negative other password", password, saying("Secret"), low4, nil, DiscardPassword, nil},
		{"negative longer password", password, saying("secrets"), low4, nil, DiscardPassword, nil},
		{"negative empty password", password, saying(""), low4, nil, DiscardPassword, nil},
	})
}

func TestRule17_Interval(t *testing.T) {
	mismatch := func(c *Counters) { c.IntervalMismatch++ }
	slow := func(a *Advertisement) { a.MaxAdvertInterval = 2 * time.Second }
	runRules(t, ownParameters, []ruleCase{
		{"positive equal", config4, peerAdvert4, low4, nil, nil, nil},
		{"positive equal in version 2", config2, peerAdvert2, low4, nil, nil, nil},
		{"negative longer is counted", config4, peerAdvert4.with(slow), low4, nil, nil, mismatch},
		{"negative longer is refused in version 2", config2, peerAdvert2.with(slow), low4, nil, DiscardInterval, nil},
	})
	fraction := ownParameters
	fraction.AdvertInterval = time.Second + time.Millisecond
	runRules(t, fraction, []ruleCase{
		{"positive equal as far as the wire tells", config4, peerAdvert4, low4, nil, nil, nil},
		{"positive equal as far as the wire of version 2 tells", config2, peerAdvert2, low4, nil, nil, nil},
	})
}

func TestRule18_Addresses(t *testing.T) {
	mismatch := func(c *Counters) { c.AddressMismatch++ }
	owner := func(a Advertisement) Advertisement { a.Priority = PriorityOwner; return a }
	global := config6.with(func(c *GroupConfig) { c.Addresses = vips6[1:] })
	runRules(t, ownParameters, []ruleCase{
		{"positive equal", config4, peerAdvert4, low4, nil, nil, nil},
		{"positive any order", config4, peerAdvert4.listing("198.51.100.11", "198.51.100.10"), low4, nil, nil, nil},
		{"positive any order in version 2", config2, peerAdvert2.listing("198.51.100.11", "198.51.100.10"), low4, nil, nil, nil},
		{"positive led by the sender's link-local", global, peerAdvert6.listing("fe80::1", "2001:db8::10"), low6, nil, nil, nil},
		{"positive owner in version 2", config2, owner(peerAdvert2.listing("198.51.100.10")), low4, nil, nil, mismatch},
		{"negative one missing is counted", config4, peerAdvert4.listing("198.51.100.10"), low4, nil, nil, mismatch},
		{"negative one other is counted", config4, peerAdvert4.listing("198.51.100.10", "198.51.100.12"), low4, nil, nil, mismatch},
		{"negative led by another's link-local", global, peerAdvert6.listing("fe80::9", "2001:db8::10"), low6, nil, nil, mismatch},
		{"negative link-local is no other's", config6, peerAdvert6.listing("fe80::1", "2001:db8::10"), low6, nil, nil, mismatch},
		{"negative one missing in version 2", config2, peerAdvert2.listing("198.51.100.10"), low4, nil, DiscardAddresses, nil},
		{"negative one other in version 2", config2, peerAdvert2.listing("198.51.100.10", "198.51.100.12"), low4, nil, DiscardAddresses, nil},
	})
	t.Run("negative is judged anew after a change", func(t *testing.T) {
		g := config2.group()
		p := packetOf(peerAdvert2, low4, MessageOnly, nil)
		for _, step := range []struct {
			vips []netip.Addr
			want error
		}{{vips4, nil}, {vips4[:1], DiscardAddresses}, {vips4, nil}} {
			g.Update(config2.with(func(c *GroupConfig) { c.Addresses = step.vips }))
			for range 2 {
				if _, err := g.Receive(wallClock, p, ownParameters); err != step.want {
					t.Errorf("own addresses %v: got %v, want %v", step.vips, err, step.want)
				}
			}
		}
	})
}

func TestRule19_EmptyFields(t *testing.T) {
	count0 := func(p *Packet) { p.Payload = p.Payload[:8]; p.Payload[3] = 0; resum(p) }
	count0v2 := func(p *Packet) { p.Payload = append(p.Payload[:8], make([]byte, 8)...); p.Payload[3] = 0; resum(p) }
	interval := func(high, low uint8) func(*Packet) {
		return func(p *Packet) { p.Payload[4], p.Payload[5] = high, low; resum(p) }
	}
	mismatch := func(c *Counters) { c.IntervalMismatch++ }
	runRules(t, ownParameters, []ruleCase{
		{"positive interval 1", config4, peerAdvert4, low4, interval(0, 1), nil, mismatch},
		{"positive interval 4095", config6, peerAdvert6, low6, interval(0x0f, 0xff), nil, mismatch},
		{"negative ipv4 count 0", config4, peerAdvert4, low4, count0, DiscardNoAddresses, nil},
		{"negative ipv6 count 0", config6, peerAdvert6, low6, count0, DiscardNoAddresses, nil},
		{"negative version 2 count 0", config2, peerAdvert2, low4, count0v2, DiscardNoAddresses, nil},
		{"negative interval 0", config4, peerAdvert4, low4, interval(0, 0), DiscardZeroInterval, nil},
		{"negative interval 0 with reserved bits", config4, peerAdvert4, low4, interval(0xf0, 0), DiscardZeroInterval, nil},
		{"negative interval 0 in version 2", config2, peerAdvert2, low4, interval(0, 0), DiscardZeroInterval, nil},
	})
}

func TestRule20_AddressFamily(t *testing.T) {
	mismatch := func(c *Counters) { c.AddressMismatch++ }
	runRules(t, ownParameters, []ruleCase{
		{"positive ipv4 in ipv4", config4, peerAdvert4, low4, nil, nil, nil},
		{"positive link-local first", config6, peerAdvert6, low6, nil, nil, nil},
		{"positive link-local alone", config6, peerAdvert6.listing("fe80::51"), low6, nil, nil, mismatch},
		{"negative ipv6 in ipv4", config4, peerAdvert4.listing("2001:db8::10"), low4, nil, DiscardLong, nil},
		{"negative ipv4 in ipv6", config6, peerAdvert6.listing("198.51.100.10"), low6, nil, DiscardShort, nil},
		{"negative ipv4-mapped in ipv6", config6, peerAdvert6.listing("fe80::51", "::ffff:198.51.100.10"), low6, nil, DiscardAddressFamily, nil},
		{"negative link-local second", config6, peerAdvert6.listing("2001:db8::10", "fe80::51"), low6, nil, DiscardFirstAddress, nil},
		{"negative no link-local", config6, peerAdvert6.listing("2001:db8::10"), low6, nil, DiscardFirstAddress, nil},
	})
}
