// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// TestDropsAreExplained: each with what the operator has to know, through the
// whole speaker.
func TestDropsAreExplained(t *testing.T) {
	v2 := instanceOf(100, vip4)
	v2.Version = vrrp.Version2
	secretive := v2
	secretive.Password = "sesame"
	signed := instanceOf(100, vip4)
	signed.Auth = authOf(vrrp.Enforce, 1, vrrp.Key{ID: 1, Secret: secret('a')})
	otherKey, otherSecret := signed, signed
	otherKey.Auth = authOf(vrrp.Enforce, 7, vrrp.Key{ID: 7, Secret: secret('b')})
	otherSecret.Auth = authOf(vrrp.Enforce, 1, vrrp.Key{ID: 1, Secret: secret('b')})
	unicast := instanceOf(100, vip4)
	unicast.Unicast = map[vrrp.Family]vrrp.Unicast{vrrp.IPv4: {Source: netip.MustParseAddr("192.0.2.1"), Peers: []netip.Addr{netip.MustParseAddr("192.0.2.9")}, MinTTL: 250}}
	compat := unicast
	compat.ChecksumCompat = true
	slow, others := v2, v2
	slow.AdvertInterval = 2 * time.Second
	others.Addresses = instanceOf(100, "192.0.2.98/24", "192.0.2.99/24").Addresses
	foreign := instanceOf(100, vip4)
	foreign.VRID = 99
	plain := instanceOf(100, vip4)
	toUs := func(p *vrrp.Packet) { p.Destination = netip.MustParseAddr("192.0.2.1") }
	for _, test := range []struct {
		name    string
		ours    Instance
		theirs  Instance
		change  func(p *vrrp.Packet)
		reason  vrrp.Discard
		explain string
	}{
		{"TTL", plain, plain, func(p *vrrp.Packet) { p.TTL = 64 }, vrrp.DiscardTTL, "its TTL is 64, not 255, so a router has forwarded it: keep VRRP on its own link"},
		{"TTL of unicast", unicast, plain, func(p *vrrp.Packet) { toUs(p); p.TTL = 64 }, vrrp.DiscardTTL, "its TTL is 64, vrrp.unicast.min_ttl is 250: lower min_ttl if there are routers in between, else look who forwards it"},
		{"unicast to multicast", plain, plain, toUs, vrrp.DiscardDestination, "it was sent to 192.0.2.1, we expect multicast to 224.0.0.18: use vrrp.unicast on all routers or on none"},
		{"multicast to unicast", unicast, plain, nil, vrrp.DiscardDestination, "it was sent to 224.0.0.18, we expect unicast to 192.0.2.1: use vrrp.unicast on all routers or on none"},
		{"stranger", unicast, plain, func(p *vrrp.Packet) { toUs(p); p.Source = netip.MustParseAddr("192.0.2.8") }, vrrp.DiscardPeer, "192.0.2.8 is no peer of ours: add it to vrrp.unicast.peers if it should be one"},
		{"our address", plain, plain, func(p *vrrp.Packet) { p.Source = netip.MustParseAddr("192.0.2.1") }, vrrp.DiscardOwnSource, "it was sent from our own address 192.0.2.1: another machine has it too, or the network sends our packets back to us"},
		{"no address of a router", plain, plain, func(p *vrrp.Packet) { p.Source = netip.MustParseAddr("224.0.0.1") }, vrrp.DiscardSource, "224.0.0.1 is no address that a router sends from: look for the host that forges it"},
		{"version", plain, v2, nil, vrrp.DiscardVersion, "it speaks VRRP version 2, we speak 3: set the same version on all routers of VRID 51"},
		{"type", plain, plain, func(p *vrrp.Packet) { p.Payload[0] = 0x32 }, vrrp.DiscardType, "its VRRP type is 2, not 1 (advertisement): what sends it is no VRRP router"},
		{"short", plain, plain, func(p *vrrp.Packet) { p.Payload[3] = 3 }, vrrp.DiscardShort, "12 octets are too few for the 3 addresses that it announces: it was damaged, or is not VRRP"},
		{"signed", plain, signed, nil, vrrp.DiscardLong, "octets follow its 1 addresses: if it signs what it sends, give this instance its keys in vrrp.auth"},
		{"long", signed, signed, func(p *vrrp.Packet) { p.Payload = append(p.Payload, 0) }, vrrp.DiscardLong, "octets follow its addresses that are no authentication trailer: it speaks another form of authentication"},
		{"checksum", plain, plain, func(p *vrrp.Packet) { p.Payload[6]++ }, vrrp.DiscardChecksum, "its checksum is wrong: it was damaged on the way, or its sender computes it in a form of its own"},
		{"checksum of unicast", unicast, plain, func(p *vrrp.Packet) { toUs(p); p.Payload[6]++ }, vrrp.DiscardChecksum, "its checksum is wrong: set vrrp.checksum_compat if its sender is an old keepalived, else it was damaged on the way"},
		{"checksum in all forms", compat, plain, func(p *vrrp.Packet) { toUs(p); p.Payload[6]++ }, vrrp.DiscardChecksum, "its checksum is wrong: it was damaged on the way, or its sender computes it in a form of its own"},
		{"unsigned", signed, plain, nil, vrrp.DiscardUnsigned, "it is not signed, and vrrp.auth.mode is enforce: give its sender the keys, or set mode to permissive until it has them"},
		{"key", signed, otherKey, nil, vrrp.DiscardUnknownKey, "it is signed with key 7, which is not in our keyring: add it to vrrp.auth.keys, or set active_key on its sender to one that is"},
		{"secret", signed, otherSecret, nil, vrrp.DiscardHMAC, "its signature with key 1 is wrong: give that key the same secret on all routers; if it is the same, somebody forges packets"},
		{"no password", secretive, v2, nil, vrrp.DiscardAuthType, "its authentication type of version 2 is 0, ours is a password (1): set the same vrrp.password there"},
		{"a password", v2, secretive, nil, vrrp.DiscardAuthType, "its authentication type of version 2 is 1, ours is none: set vrrp.password here, or none there"},
		{"interval", v2, slow, nil, vrrp.DiscardInterval, "its advert_interval is 2s, ours is 1s: version 2 needs the same on all routers"},
		{"VIPs", v2, others, nil, vrrp.DiscardAddresses, "its 2 addresses are not our 1: version 2 needs the same ones on all routers"},
		{"VRID", plain, foreign, nil, vrrp.DiscardVRID, "VRID 99 over IPv4 is not configured on eth0: set vrrp.vrid as on the peer, or let it be if it is another pair's"},
		{"no VRRP", plain, plain, func(p *vrrp.Packet) { p.Payload = p.Payload[:3] }, vrrp.DiscardShort, "3 octets are too few for a VRRP message: it was damaged, or is not VRRP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				r.configure(test.ours)
				synctest.Wait()
				p := advertFrom("192.0.2.9", test.theirs, 200)
				if test.change != nil {
					test.change(&p)
				}
				r.segment.inject(vrrp.IPv4, p)
				synctest.Wait()
				got := seen[Discarded](r)
				if len(got) != 1 || got[0].Reason != test.reason || got[0].Detail != test.explain {
					t.Errorf("discarded = %+v\nwant %v: %s", got, test.reason, test.explain)
				}
			})
		})
	}
}

// TestEveryDropIsExplained: none with the bare phrase of package vrrp, nor with
// a panic for what was cut short.
func TestEveryDropIsExplained(t *testing.T) {
	i := newInstance(time.Now(), instanceOf(100, vip4))
	for _, d := range vrrp.Discards() {
		if d == vrrp.DiscardVRID {
			continue // belongs to no instance
		}
		if got := dropOf(time.Now(), wire{"eth0", vrrp.IPv4}, vrrp.Packet{}, i, d).text(); got == "" || got == d.Error() {
			t.Errorf("%v: %q", d, got)
		}
	}
}
