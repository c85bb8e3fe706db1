// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func secret(first byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// signed4 is config4 with authentication in time mode.
func signed4(mode AuthMode) GroupConfig {
	return config4.with(func(c *GroupConfig) {
		c.Auth = &Auth{Mode: mode, Keys: []Key{{1, secret(0)}, {2, secret(100)}}, Active: 1}
	})
}

func (c GroupConfig) auth(edit func(*Auth)) GroupConfig {
	auth := *c.Auth
	edit(&auth)
	c.Auth = &auth
	return c
}

// speaks returns the next packet of a router at source.
func (g *Group) speaks(now time.Time) Packet {
	var o Outbox
	g.AppendOutgoing(now, 200, time.Second, &o)
	m := o.Messages[0]
	return Packet{Payload: m.Payload, Source: m.Source, Destination: m.Destination, TTL: m.TTL}
}

// router returns a group of c that sends from source.
func (c GroupConfig) router(source netip.Addr) *Group {
	g := NewGroup(c)
	g.SetLocal(source)
	return g
}

// TestDraftVectors takes the packets of the appendix of
// draft-cassen-vrrp-auth-hmac.
func TestDraftVectors(t *testing.T) {
	at := time.Unix(0x68000000, 1e9/2)
	cases := []struct {
		name, source, destination, vip, want string
	}{
		{"ipv4", "198.51.100.10", "224.0.0.18", "192.0.2.100",
			"3133c80100644402c0000264" + "010100006800000080000000" + "1b84bc4e8e43892dc6d98448f8ee2265"},
		{"ipv6", "fe80::10", "fe80::20", "fe80::100",
			"3133c8010064a2e9fe800000000000000000000000000100" + "010100006800000080000000" + "c8c56146ebfd66ee10ec4d8186461b78"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			source, destination, vip := netip.MustParseAddr(c.source), netip.MustParseAddr(c.destination), netip.MustParseAddr(c.vip)
			config := GroupConfig{VRID: 51, Family: FamilyOf(source), Addresses: []netip.Addr{vip}, Auth: signed4(Enforce).Auth}
			receiver := config
			local := own4
			if !destination.IsMulticast() {
				config.Unicast = &Unicast{Source: source, Peers: []netip.Addr{destination}}
				receiver.Unicast = &Unicast{Source: destination, Peers: []netip.Addr{source}}
				local = destination
			}
			p := config.router(source).speaks(at)
			if got := hex.EncodeToString(p.Payload); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if _, err := receiver.router(local).Receive(at, p, ownParameters); err != nil {
				t.Errorf("receive: %v", err)
			}
		})
	}
}

func TestAuthModes(t *testing.T) {
	plain := config4
	cases := []struct {
		name           string
		sender, at     GroupConfig
		want           error
		wantUnsigned   uint64
		wantTrailerLen int
	}{
		{"signed at enforce", signed4(Enforce), signed4(Enforce), nil, 0, trailerSize},
		{"signed at permissive", signed4(Enforce), signed4(Permissive), nil, 0, trailerSize},
		{"signed at receive-only", signed4(Permissive), signed4(ReceiveOnly), nil, 0, trailerSize},
		{"signed at none", signed4(Enforce), plain, DiscardLong, 0, trailerSize},
		{"unsigned at enforce", plain, signed4(Enforce), DiscardUnsigned, 0, 0},
		{"unsigned at permissive", plain, signed4(Permissive), nil, 1, 0},
		{"unsigned at receive-only", plain, signed4(ReceiveOnly), nil, 1, 0},
		{"receive-only at permissive", signed4(ReceiveOnly), signed4(Permissive), nil, 1, 0},
		{"receive-only at enforce", signed4(ReceiveOnly), signed4(Enforce), DiscardUnsigned, 0, 0},
		{"active key is missing", signed4(Enforce).auth(func(a *Auth) { a.Active = 9 }), signed4(Enforce), DiscardUnsigned, 0, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := c.sender.router(low4).speaks(wallClock)
			if got := len(p.Payload) - 16; got != c.wantTrailerLen {
				t.Errorf("%d octets after the message, want %d", got, c.wantTrailerLen)
			}
			g := c.at.group()
			_, err := g.Receive(wallClock, p, ownParameters)
			if err != c.want || g.Counters().Unsigned != c.wantUnsigned {
				t.Errorf("got %v, %d unsigned; want %v, %d", err, g.Counters().Unsigned, c.want, c.wantUnsigned)
			}
		})
	}
}

// TestAuthTampered changes one octet of a signed message at a time, with the
// IPv4 checksum made right again.
func TestAuthTampered(t *testing.T) {
	const message = 16
	at := func(i int) func([]byte) { return func(b []byte) { b[i] ^= 1 } }
	cases := []struct {
		name string
		edit func([]byte)
		want error
	}{
		{"nothing", func([]byte) {}, nil},
		{"priority", at(2), DiscardHMAC},
		{"interval", at(5), DiscardHMAC},
		{"address", at(message - 1), DiscardHMAC},
		{"type", at(message), DiscardTrailer},
		{"reserved", at(message + 3), DiscardTrailer},
		{"unknown key", func(b []byte) { b[message+1] = 7 }, DiscardUnknownKey},
		{"other key", func(b []byte) { b[message+1] = 2 }, DiscardHMAC},
		{"seconds", at(message + 7), DiscardHMAC},
		{"hours", at(message + 5), DiscardWindow},
		{"counter", at(message + 11), DiscardHMAC},
		{"hmac", at(message + 12), DiscardHMAC},
		{"last octet of hmac", at(message + 27), DiscardHMAC},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := signed4(Enforce).router(low4).speaks(wallClock)
			c.edit(p.Payload)
			p.Payload[6], p.Payload[7] = 0, 0
			sum := ^fold(onesSum(0, p.Payload[:message]))
			p.Payload[6], p.Payload[7] = uint8(sum>>8), uint8(sum)
			for _, mode := range []AuthMode{Enforce, Permissive, ReceiveOnly} {
				if _, err := signed4(mode).group().Receive(wallClock, p, ownParameters); err != c.want {
					t.Errorf("%s: got %v, want %v", mode, err, c.want)
				}
			}
		})
	}
}

// TestAuthBinds: what is outside of the message is bound to it as well.
func TestAuthBinds(t *testing.T) {
	p := signed4(Enforce).router(low4).speaks(wallClock)
	p.Source = high4
	if _, err := signed4(Enforce).group().Receive(wallClock, p, ownParameters); err != DiscardHMAC {
		t.Errorf("other source: got %v, want %v", err, DiscardHMAC)
	}
}

func TestAuthVersion2(t *testing.T) {
	c := config2.with(func(c *GroupConfig) { c.Auth, c.Password = signed4(Enforce).Auth, "secret" })
	p := c.router(low4).speaks(wallClock)
	if _, err := c.group().Receive(wallClock, p, ownParameters); err != nil {
		t.Error(err)
	}
	p.Payload[20] ^= 1
	p.Payload[22] ^= 1 // keeps the sum
	resumed := p
	resumed.Payload = bytes.Clone(p.Payload[:24])
	resum(&resumed)
	copy(p.Payload, resumed.Payload)
	if _, err := c.group().Receive(wallClock, p, ownParameters); err != DiscardHMAC {
		t.Errorf("password changed: got %v, want %v", err, DiscardHMAC)
	}
}

func TestKeyIsNotPrinted(t *testing.T) {
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(format, Auth{Keys: []Key{{7, []byte("hush-hush-hush-hush-hush-hush-hu")}}})
		if strings.Contains(text, "hush") || strings.Contains(text, "104") || strings.Contains(text, "0x68") {
			t.Errorf("%s prints the secret: %s", format, text)
		}
	}
}

func TestModeWords(t *testing.T) {
	for i, want := range []string{"enforce", "permissive", "receive-only"} {
		var m AuthMode
		if err := m.UnmarshalText([]byte(want)); err != nil || m != AuthMode(i) || m.String() != want {
			t.Errorf("%q: got %v, %v", want, m, err)
		}
	}
	for i, want := range []string{"time", "monotonic"} {
		var m ReplayMode
		if err := m.UnmarshalText([]byte(want)); err != nil || m != ReplayMode(i) || m.String() != want {
			t.Errorf("%q: got %v, %v", want, m, err)
		}
	}
	m := Permissive
	err := m.UnmarshalText([]byte("lax"))
	want := `auth mode "lax" is unknown: want one of enforce, permissive, receive-only`
	if err == nil || err.Error() != want || m != Permissive {
		t.Errorf("got %v and mode %v, want %q and no change", err, m, want)
	}
}

func FuzzTrailer(f *testing.F) {
	p := signed4(Enforce).router(low4).speaks(wallClock)
	f.Add(p.Payload[16:])
	f.Add(make([]byte, trailerSize))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := packetOf(peerAdvert4, low4, MessageOnly, func(p *Packet) { p.Payload = append(p.Payload, b...) })
		_, err := signed4(Permissive).group().Receive(wallClock, p, ownParameters)
		if _, ok := err.(Discard); err != nil && !ok {
			t.Errorf("error %T %v is no Discard", err, err)
		}
		if len(b) != trailerSize {
			if err == nil && len(b) != 0 {
				t.Errorf("%d octets were taken for a trailer", len(b))
			}
			return
		}
		if err == nil {
			t.Errorf("forged trailer %x was accepted", b)
		}
		if diff := cmp.Diff(b, parseTrailer(b).appendTo(nil)); diff != "" {
			t.Errorf("trailer (-parsed +encoded):\n%s", diff)
		}
	})
}
