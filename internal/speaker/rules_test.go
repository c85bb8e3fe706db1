// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// The numbers are those of the VRRP conformance checklist.

// TestRule14_VRID: a packet counts for the instance of its VRID on the interface
// that it came in on, and for no other.
func TestRule14_VRID(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Instance) // of the sender's configuration
		ifname string
		master bool // whether ours takes over
		strays map[string]uint64
	}{
		{"positive: VRID and interface of the instance", func(*Instance) {}, "eth0", false, nil},
		{"negative: other VRID", func(i *Instance) { i.VRID = 99 }, "eth0", true, map[string]uint64{"vrid": 1}},
		{"negative: VRID of another interface", func(*Instance) {}, "eth1", true, map[string]uint64{"vrid": 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net, a, _ := newPair(t)
				other := instanceOf(100, vipIn)
				other.Name, other.Interface, other.VRID = "in", "eth1", 52
				a.configure(instanceOf(100, vip4), other)
				wait(3 * time.Second)
				sender := instanceOf(200, vip4)
				test.change(&sender)
				net.deliver(newHost(net, "192.0.2.9"), test.ifname, vrrp.IPv4, advertFrom("192.0.2.9", sender, 200))
				wait(time.Second)
				if got := slices.Contains(masters(a), "web"); got != test.master {
					t.Errorf("master %t, want %t", got, test.master)
				}
				a.commands <- Query{}
				synctest.Wait()
				st := seen[Status](a)[0]
				if got := st.Unclaimed[test.ifname]["vrid"]; got != test.strays["vrid"] {
					t.Errorf("%d packets for no instance on %s, want %d", got, test.ifname, test.strays["vrid"])
				}
			})
		})
	}
}

// TestRule22_UnknownInstance: packets for one that does not run, or does not
// exist, do nothing but be counted.
func TestRule22_UnknownInstance(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(r *running)
		want    string // the counter
	}{
		{"positive: running", func(r *running) { r.configure(instanceOf(100, vip4)) }, ""},
		{"negative: stopped by a fault", func(r *running) {
			i := instanceOf(100, vip4)
			i.Tracks = []TrackUse{{Name: "gateway"}}
			r.configure(i)
			r.commands <- Tracked{Name: "gateway"}
		}, "received"},
		{"negative: unknown", func(r *running) {
			i := instanceOf(100, vip4)
			i.VRID = 52
			r.configure(i)
		}, "vrid"},
		{"negative: removed", func(r *running) {
			other := instanceOf(100, vip4)
			other.Name, other.VRID = "other", 52
			r.configure(instanceOf(100, vip4), other)
			r.configure(other)
		}, "vrid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				test.prepare(r)
				wait(time.Second)
				before, sent := len(seen[Transition](r)), len(r.sentSince(time.Time{}))
				r.segment.inject(vrrp.IPv4, advertFrom("192.0.2.9", instanceOf(100, vip4), 0))
				wait(time.Millisecond)
				r.commands <- Query{}
				synctest.Wait()
				st := seen[Status](r)[0]
				got := ""
				switch {
				case st.Unclaimed["eth0"]["vrid"] == 1:
					got = "vrid"
				case st.Instances[0].State == vrrp.Initialize && st.Instances[0].Received == 1:
					got = "received"
				}
				if got != test.want {
					t.Errorf("counted as %q, want %q (%+v)", got, test.want, st)
				}
				if len(seen[Transition](r)) != before || len(r.sentSince(time.Time{})) != sent {
					t.Error("it had an effect at once")
				}
				wait(time.Second) // the resignation is obeyed after the skew time
				if got := len(masters(r)) == 1; got != (test.want == "") {
					t.Errorf("master %t after a resignation, want %t", got, test.want == "")
				}
			})
		})
	}
}

// TestRule25_SourceMAC: adverts leave from the virtual MAC address where the
// instance has one, and over unicast from the interface's own always.
func TestRule25_SourceMAC(t *testing.T) {
	virtual := instanceOf(100, vip4, vip6)
	virtual.VirtualMAC = "vrrp51"
	over4 := instanceOf(100, vip4)
	over4.VirtualMAC = "vrrp51"
	for _, test := range []struct {
		name   string
		config Instance
		want   map[vrrp.Family]string
	}{
		{"positive: virtual MAC", virtual, map[vrrp.Family]string{vrrp.IPv4: "00:00:5e:00:01:33", vrrp.IPv6: "00:00:5e:00:02:33"}},
		{"negative: none configured", instanceOf(100, vip4, vip6), map[vrrp.Family]string{vrrp.IPv4: "", vrrp.IPv6: ""}},
		{"negative: unicast", unicast(over4, "192.0.2.1", "192.0.2.2"), map[vrrp.Family]string{vrrp.IPv4: ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				r.configure(test.config)
				wait(settleTime)
				r.commands <- Shutdown{}
				wait(settleTime)
				heard := make(map[vrrp.Family]int)
				for _, s := range r.sentSince(time.Time{}) {
					f := vrrp.FamilyOf(s.Source)
					heard[f]++
					if got := s.HardwareSource.String(); got != test.want[f] {
						t.Errorf("%s advert of priority %d from %q, want %q", f, s.priority(), got, test.want[f])
					}
					source := map[vrrp.Family]string{vrrp.IPv4: "192.0.2.1", vrrp.IPv6: "fe80::1"}[f]
					if s.Source.String() != source || s.TTL != vrrp.TTL {
						t.Errorf("advert from %s with TTL %d, want %s and %d", s.Source, s.TTL, source, vrrp.TTL)
					}
					if test.config.Unicast == nil && s.Destination != f.Group() {
						t.Errorf("advert to %s, want %s", s.Destination, f.Group())
					}
				}
				for f := range test.want {
					if heard[f] < 4 { // adverts, and the three resignations
						t.Errorf("%d adverts over %s", heard[f], f)
					}
				}
			})
		})
	}
}

// TestReloadKeepsTheSourceMAC: it follows a change between multicast and
// unicast.
func TestReloadKeepsTheSourceMAC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		multicast := instanceOf(100, vip4)
		multicast.VirtualMAC = "vrrp51"
		for _, test := range []struct {
			config Instance
			want   string
		}{
			{unicast(multicast, "192.0.2.1", "192.0.2.2"), ""},
			{multicast, "00:00:5e:00:01:33"},
			{unicast(multicast, "192.0.2.1", "192.0.2.2"), ""},
		} {
			r.configure(test.config)
			from := time.Now().Add(time.Millisecond)
			wait(settleTime)
			for _, s := range r.sentSince(from) {
				if got := s.HardwareSource.String(); got != test.want {
					t.Errorf("advert to %s from %q, want %q", s.Destination, got, test.want)
				}
			}
		}
	})
}

// TestRule36_ShutdownOfABackup: it sends nothing, and no timer of it fires.
func TestRule36_ShutdownOfABackup(t *testing.T) {
	for _, test := range []struct {
		name string
		stop func(r *running)
	}{
		{"positive: shutdown", func(r *running) { r.commands <- Shutdown{} }},
		{"positive: removed by a reload", func(r *running) { r.configure() }},
		{"negative: goes on running", func(*running) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				r.configure(instanceOf(100, vip4))
				wait(3 * time.Second)
				at := time.Now()
				test.stop(r)
				synctest.Wait()
				transitions := seen[Transition](r)
				wait(settleTime)
				sent, runs := len(r.sentSince(time.Time{})), test.name == "negative: goes on running"
				if runs {
					if sent == 0 {
						t.Error("the timer that runs on did not fire")
					}
					return
				}
				last := transitions[len(transitions)-1]
				if last.To != vrrp.Initialize || !last.At.Equal(at) || last.Reason != vrrp.ReasonShutdown.String() {
					t.Errorf("last transition = %+v, want Initialize at once", last)
				}
				if sent != 0 || len(seen[Transition](r)) != len(transitions) || r.vipCount() != 0 {
					t.Errorf("%d adverts, %d VIPs; want none", sent, r.vipCount())
				}
			})
		})
	}
}

// TestRule46_AcceptMode: packets to the VIPs are refused only where accept mode
// is off, and never for the address owner.
func TestRule46_AcceptMode(t *testing.T) {
	for _, test := range []struct {
		name     string
		refuse   bool
		priority uint8
		want     []netip.Addr
	}{
		{"positive: accept mode on", false, 100, nil},
		{"positive: owner", false, 255, nil},
		{"positive: owner with accept mode off", true, 255, nil},
		{"negative: accept mode off", true, 100, []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				config := instanceOf(test.priority, vip4, vip6)
				config.Refuse = test.refuse
				r.configure(config)
				wait(settleTime)
				if got := r.wanted(); !slices.Equal(got.Refuse, test.want) || len(got.Leases) != 2 {
					t.Errorf("refused %v of %d VIPs, want %v", got.Refuse, len(got.Leases), test.want)
				}
			})
		})
	}
}
