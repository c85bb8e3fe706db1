// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestReplay(t *testing.T) {
	for _, mode := range []ReplayMode{ReplayTime, ReplayMonotonic} {
		t.Run(mode.String(), func(t *testing.T) {
			c := signed4(Enforce).auth(func(a *Auth) { a.Replay = mode })
			low, high, g := c.router(low4), c.router(high4), c.group()
			hear := func(what string, now time.Time, p Packet, want error) {
				t.Helper()
				if _, err := g.Receive(now, p, ownParameters); err != want {
					t.Errorf("%s: got %v, want %v", what, err, want)
				}
			}
			first := low.speaks(wallClock)
			second := low.speaks(wallClock)
			hear("first", wallClock, first, nil)
			hear("first again", wallClock, first, DiscardReplayed)
			hear("second of the same tick", wallClock, second, nil)
			hear("first after second", wallClock, first, DiscardReplayed)
			hear("another sender at the same time", wallClock, high.speaks(wallClock), nil)

			forged := low.speaks(wallClock.Add(4 * time.Second))
			forged.Payload[len(forged.Payload)-1] ^= 1
			hear("forged", wallClock, forged, DiscardHMAC)
			hear("a forged message moves no mark", wallClock.Add(time.Second), low.speaks(wallClock.Add(time.Second)), nil)

			g.Update(c.auth(func(a *Auth) { a.Keys, a.Active = a.Keys[:1], 1 }))
			hear("second after a change of keys", wallClock, second, DiscardReplayed)

			later := low.speaks(wallClock.Add(time.Hour))
			want := error(nil)
			if mode == ReplayTime {
				want = DiscardWindow
			}
			hear("from a clock an hour ahead", wallClock, later, want)
		})
	}
}

func TestWindow(t *testing.T) {
	const second, minute = time.Second, time.Minute
	cases := []struct {
		name     string
		interval time.Duration
		window   time.Duration
		ahead    time.Duration
		want     error
	}{
		{"same time", second, 0, 0, nil},
		{"5 s behind", second, 0, -5 * second, nil},
		{"more behind", second, 0, -5*second - 20*time.Millisecond, DiscardWindow},
		{"5 s ahead", second, 0, 5 * second, nil},
		{"more ahead", second, 0, 5*second + 20*time.Millisecond, DiscardWindow},
		{"three intervals", 10 * second, 0, -29 * second, nil},
		{"more than three intervals", 10 * second, 0, -31 * second, DiscardWindow},
		{"configured", second, minute, -59 * second, nil},
		{"configured, more", second, minute, 61 * second, DiscardWindow},
		{"half the range of the seconds away", second, minute, 1 << 31 * second, DiscardWindow},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			config := signed4(Enforce).auth(func(a *Auth) { a.Window = c.window })
			own := ownParameters
			own.AdvertInterval = c.interval
			g := config.group()
			_, err := g.Receive(wallClock, config.router(low4).speaks(wallClock.Add(c.ahead)), own)
			if err != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
			wantSkew, wantPeer := c.ahead, low4
			if err != nil {
				wantSkew, wantPeer = 0, netip.Addr{}
			}
			skew, peer := g.ClockSkew()
			if (skew-wantSkew).Abs() > time.Millisecond || peer != wantPeer {
				t.Errorf("clock skew: got %v of %v, want %v of %v", skew, peer, wantSkew, wantPeer)
			}
		})
	}
}

// TestMarkOutsideWindowIsForgotten: a sender whose clock was ahead together with
// ours is heard again once both are right.
func TestMarkOutsideWindowIsForgotten(t *testing.T) {
	c := signed4(Enforce)
	g := c.group()
	wrong := wallClock.Add(time.Hour)
	if _, err := g.Receive(wrong, c.router(low4).speaks(wrong), ownParameters); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Receive(wallClock, c.router(low4).speaks(wallClock), ownParameters); err != nil {
		t.Errorf("after the clocks were set right: %v", err)
	}
	monotonic := c.auth(func(a *Auth) { a.Replay = ReplayMonotonic })
	g = monotonic.group()
	if _, err := g.Receive(wrong, c.router(low4).speaks(wrong), ownParameters); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Receive(wallClock, c.router(low4).speaks(wallClock), ownParameters); err != DiscardReplayed {
		t.Errorf("monotonic: got %v, want %v", err, DiscardReplayed)
	}
}

// TestSequenceFollowsClock over any steps of it: what a router signs is taken by
// another one with the same clock, and a sequence is never used twice.
func TestSequenceFollowsClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sender, receiver := signed4(Enforce).router(low4), signed4(Enforce).group()
		now := time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "start"), 0)
		var last sequence
		for i := range rapid.IntRange(2, 50).Draw(t, "messages") {
			now = now.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "step")))
			p := sender.speaks(now)
			s := parseTrailer(p.Payload[16:]).sequence
			if i > 0 && int64(s-last) <= 0 && last.within(now, minWindow) {
				t.Fatalf("message %d: sequence %x after %x, which the clock has not left behind", i, s, last)
			}
			if _, err := receiver.Receive(now, p, ownParameters); err != nil {
				t.Fatalf("message %d, sequence %x after %x: %v", i, s, last, err)
			}
			last = s
		}
	})
}

// TestSequenceWraps passes the end of the 32 bits of seconds in 2106.
func TestSequenceWraps(t *testing.T) {
	sender, g := signed4(Enforce).router(low4), signed4(Enforce).group()
	for i := range 4 {
		now := time.Unix(1<<32-2+int64(i), 0)
		if _, err := g.Receive(now, sender.speaks(now), ownParameters); err != nil {
			t.Errorf("at %v: %v", now.UTC(), err)
		}
	}
}

func TestSequenceTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(0, 1<<34).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		ahead := time.Duration(rapid.Int64Range(-int64(1000*time.Hour), int64(1000*time.Hour)).Draw(t, "ahead"))
		got := sequenceAt(now.Add(ahead)).ahead(now)
		if (got - ahead).Abs() > 32*time.Microsecond {
			t.Errorf("got %v, want %v", got, ahead)
		}
	})
}

func TestMarksAreBounded(t *testing.T) {
	c := signed4(Enforce)
	g := c.group()
	var first Packet
	for i := range 3 * maxPeers {
		p := c.router(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})).speaks(wallClock)
		if i == 0 {
			first = p
		}
		if _, err := g.Receive(wallClock, p, ownParameters); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.keyring.marks) != maxPeers {
		t.Errorf("%d marks, want %d", len(g.keyring.marks), maxPeers)
	}
	if _, err := g.Receive(wallClock, first, ownParameters); err != nil {
		t.Errorf("the mark unused for longest is kept: %v", err)
	}
}

// TestKeyRotation follows the three steps; no message is lost at any of them.
func TestKeyRotation(t *testing.T) {
	old := Key{1, secret(0)}
	fresh := Key{2, secret(50)}
	step := func(active uint8, keys ...Key) GroupConfig {
		return config4.with(func(c *GroupConfig) { c.Auth = &Auth{Keys: keys, Active: active} })
	}
	a, b := step(1, old).router(low4), step(1, old).router(high4)
	now := wallClock
	exchange := func(what string) {
		t.Helper()
		now = now.Add(time.Second)
		if _, err := b.Receive(now, a.speaks(now), ownParameters); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := a.Receive(now, b.speaks(now), ownParameters); err != nil {
			t.Errorf("%s, way back: %v", what, err)
		}
	}
	for _, s := range []GroupConfig{step(1, old), step(1, old, fresh), step(2, old, fresh), step(2, fresh)} {
		a.Update(s)
		exchange(fmt.Sprintf("first at %v, active %d", s.Auth.Keys, s.Auth.Active))
		b.Update(s)
		exchange(fmt.Sprintf("both at %v, active %d", s.Auth.Keys, s.Auth.Active))
	}
}
