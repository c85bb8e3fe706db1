// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"bytes"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

func unicast(i Instance, source string, peers ...string) Instance {
	u := vrrp.Unicast{Source: netip.MustParseAddr(source)}
	for _, p := range peers {
		u.Peers = append(u.Peers, netip.MustParseAddr(p))
	}
	i.Unicast = map[vrrp.Family]vrrp.Unicast{vrrp.FamilyOf(u.Source): u}
	return i
}

func TestUnicastPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, b := newPair(t)
		stranger := start(t, newHost(net, "192.0.2.3"))
		a.configure(unicast(instanceOf(150, vip4), "192.0.2.1", "192.0.2.2"))
		b.configure(unicast(instanceOf(100, vip4), "192.0.2.2", "192.0.2.1"))
		wait(settleTime)
		wantMaster(t, a, b, "web")
		for _, s := range a.sentSince(time.Time{}) {
			if s.Destination.String() != "192.0.2.2" || s.Source.String() != "192.0.2.1" || s.HardwareSource != nil {
				t.Fatalf("advert from %s to %s", s.Source, s.Destination)
			}
		}
		// A router that is no peer, whatever its priority.
		before := len(seen[Transition](a)) + len(seen[Transition](b))
		stranger.configure(unicast(instanceOf(250, vip4), "192.0.2.3", "192.0.2.1", "192.0.2.2"))
		wait(2 * settleTime)
		if got := len(seen[Transition](a)) + len(seen[Transition](b)); got != before {
			t.Errorf("%d transitions because of a stranger", got-before)
		}
		if got := a.status("web").Discarded["peer"]; got == 0 {
			t.Error("no packet of the stranger was counted")
		}
		stranger.configure()
		wait(settleTime)
		from := time.Now()
		a.commands <- Shutdown{}
		wait(settleTime)
		wantMaster(t, b, a, "web")
		wantCustody(t, net, from, briefly, vip4)
	})
}

// TestUnicastSourceHasToBeThere: an instance whose source was removed is in
// fault, and comes back with it.
func TestUnicastSourceHasToBeThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.configure(unicast(instanceOf(100, vip4), "192.0.2.7", "192.0.2.2"))
		wait(settleTime)
		if got := seen[Fault](r); len(got) != 1 || got[0].Reason != "interface eth0 does not have the unicast source 192.0.2.7" {
			t.Errorf("faults = %+v", got)
		}
		r.change(func() { r.link.Addresses = append(r.link.Addresses, netip.MustParsePrefix("192.0.2.7/24")) })
		wait(settleTime)
		if got := masters(r); len(got) != 1 {
			t.Errorf("masters %v", got)
		}
	})
}

// TestReloadFromMulticastToUnicast keeps the roles: the master changes first.
func TestReloadFromMulticastToUnicast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, b := newPair(t)
		a.configure(instanceOf(150, vip4))
		b.configure(instanceOf(100, vip4))
		wait(settleTime)
		from := time.Now()
		before := len(seen[Transition](a)) + len(seen[Transition](b))
		a.configure(unicast(instanceOf(150, vip4), "192.0.2.1", "192.0.2.2"))
		wait(500 * time.Millisecond)
		b.configure(unicast(instanceOf(100, vip4), "192.0.2.2", "192.0.2.1"))
		wait(2 * settleTime)
		if got := len(seen[Transition](a)) + len(seen[Transition](b)); got != before {
			t.Errorf("%d transitions", got-before)
		}
		wantCustody(t, net, from, 0, vip4)
	})
}

func version2(i Instance, password string) Instance {
	i.Version, i.Password = vrrp.Version2, password
	return i
}

func TestVersion2Pair(t *testing.T) {
	for _, password := range []string{"", "sesame"} {
		t.Run("password "+password, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net, a, b := newPair(t)
				a.configure(version2(instanceOf(150, vip4), password))
				b.configure(version2(instanceOf(100, vip4), password))
				wait(settleTime)
				wantMaster(t, a, b, "web")
				if got := a.sentSince(time.Time{})[0].Payload; got[0] != 0x21 || len(got) != 20 || !bytes.HasPrefix(got[12:], []byte(password)) {
					t.Errorf("advert % x, want version 2 with its authentication data", got)
				}
				from := time.Now()
				a.commands <- Shutdown{}
				wait(settleTime)
				wantMaster(t, b, a, "web")
				wantCustody(t, net, from, briefly, vip4)
			})
		})
	}
}

// TestForeignAdvertsAreDiscarded: what does not fit is counted with its reason
// and does not hold the role back.
func TestForeignAdvertsAreDiscarded(t *testing.T) {
	key := func(id uint8, octet byte) *vrrp.Auth {
		return authOf(vrrp.Enforce, id, vrrp.Key{ID: id, Secret: secret(octet)})
	}
	signed := func(i Instance, a *vrrp.Auth) Instance {
		i.Auth = a
		return i
	}
	plain := instanceOf(100, vip4)
	for _, test := range []struct {
		name         string
		ours, theirs Instance
		reason       string
	}{
		{"other password", version2(plain, "sesame"), version2(plain, "simsalab"), "password"},
		{"no password", version2(plain, "sesame"), version2(plain, ""), "auth_type"},
		{"other version", plain, version2(plain, ""), "version"},
		{"other secret", signed(plain, key(1, 'a')), signed(plain, key(1, 'b')), "hmac"},
		{"other key", signed(plain, key(1, 'a')), signed(plain, key(2, 'a')), "unknown_key"},
		{"no trailer", signed(plain, key(1, 'a')), plain, "unsigned"},
		{"a trailer where none is expected", plain, signed(plain, key(1, 'a')), "long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, a, b := newPair(t)
				test.theirs.Priority = 255
				b.configure(test.theirs)
				a.configure(test.ours)
				wait(settleTime + time.Second)
				if len(masters(a)) != 1 {
					t.Error("not master")
				}
				got := a.status("web").Discarded
				if got[test.reason] < 5 || len(got) != 1 {
					t.Errorf("discarded %v, want all for %s", got, test.reason)
				}
			})
		})
	}
}

func secret(octet byte) []byte { return bytes.Repeat([]byte{octet}, 32) }

func authOf(mode vrrp.AuthMode, active uint8, keys ...vrrp.Key) *vrrp.Auth {
	return &vrrp.Auth{Mode: mode, Active: active, Keys: keys}
}

// TestKeyRotationLosesNoAdvert walks a pair from no authentication over one key
// to another one, a router at a time.
func TestKeyRotationLosesNoAdvert(t *testing.T) {
	one, two := vrrp.Key{ID: 1, Secret: secret('1')}, vrrp.Key{ID: 2, Secret: secret('2')}
	steps := []*vrrp.Auth{
		nil,
		authOf(vrrp.ReceiveOnly, 1, one), authOf(vrrp.Permissive, 1, one), authOf(vrrp.Enforce, 1, one),
		authOf(vrrp.Enforce, 1, one, two), authOf(vrrp.Enforce, 2, one, two), authOf(vrrp.Enforce, 2, two),
	}
	synctest.Test(t, func(t *testing.T) {
		net, a, b := newPair(t)
		var from time.Time
		before, received := 0, uint64(0)
		for n, auth := range steps {
			for _, r := range []*running{b, a} {
				config := instanceOf(150, vip4, vip6)
				if r == b {
					config.Priority = 100
				}
				config.AdvertInterval = 100 * time.Millisecond
				config.Auth = auth
				r.configure(config)
				wait(1230 * time.Millisecond)
			}
			if n == 0 {
				wait(settleTime)
				wantMaster(t, a, b, "web")
				from, before = time.Now(), len(seen[Transition](a))+len(seen[Transition](b))
				received = b.status("web").Received
			}
		}
		if got := len(seen[Transition](a)) + len(seen[Transition](b)); got != before {
			t.Errorf("%d transitions", got-before)
		}
		st := b.status("web")
		if len(st.Discarded) != 0 {
			t.Errorf("discarded %v", st.Discarded)
		}
		if sent := uint64(len(a.sentSince(from))); st.Received-received != sent {
			t.Errorf("%d adverts received, %d sent", st.Received-received, sent)
		}
		wantCustody(t, net, from, 0, vip4, vip6)
		left := time.Now()
		a.commands <- Shutdown{}
		wait(settleTime)
		wantMaster(t, b, a, "web")
		wantCustody(t, net, left, briefly, vip4, vip6)
	})
}

// TestClocksThatRunApartAreSaid before authentication refuses anything.
func TestClocksThatRunApartAreSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		config := instanceOf(100, vip4)
		config.Auth = authOf(vrrp.Enforce, 1, vrrp.Key{ID: 1, Secret: secret('a')})
		r.configure(config)
		wait(settleTime)
		g := vrrp.NewGroup(config.groupConfig(vrrp.IPv4))
		g.SetLocal(netip.MustParseAddr("192.0.2.9"))
		for range 8 { // said after 0, 1, 3 and 7 s
			r.segment.inject(vrrp.IPv4, vrrp.Packet{
				Payload: g.Advertisement(time.Now().Add(2*time.Second), 200, time.Second, nil),
				Source:  netip.MustParseAddr("192.0.2.9"), Destination: vrrp.IPv4.Group(), TTL: vrrp.TTL,
			})
			wait(time.Second)
		}
		got := seen[Conflict](r)
		if len(got) != 4 || got[0].Reason != "its clock and ours differ by about 2s, and adverts are refused from 5s on: set both by NTP" {
			t.Errorf("conflicts = %+v, want four", got)
		}
		if st := r.status("web"); st.State != vrrp.Backup || st.ClockPeer.String() != "192.0.2.9" || st.ClockSkew.Round(time.Second) != 2*time.Second {
			t.Errorf("%v, clock of %s ahead by %v", st.State, st.ClockPeer, st.ClockSkew)
		}
	})
}
