// SPDX-License-Identifier: Apache-2.0

package ipvs_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
)

// Few services and addresses, so that two drawn tables have much in common.
var (
	someServices = []ipvs.ServiceKey{
		key(ipvs.TCP, "192.0.2.10:80"),
		key(ipvs.TCP, "192.0.2.10:443"),
		key(ipvs.UDP, "192.0.2.10:80"),
		key(ipvs.SCTP, "198.51.100.1:5060"),
		key(ipvs.TCP, "[2001:db8::10]:80"),
	}
	someIPv4 = []string{"10.0.1.11:80", "10.0.1.12:80", "10.0.1.12:81", "10.0.1.13:80"}
	someIPv6 = []string{"[2001:db8:1::11]:80", "[2001:db8:1::12]:80"}
)

func drawService(t *rapid.T, key ipvs.ServiceKey) ipvs.Service {
	return ipvs.Service{
		Key:       key,
		Scheduler: rapid.SampledFrom([]string{"rr", "wlc", "mh"}).Draw(t, "scheduler"),
		Flags:     rapid.SampledFrom([]uint32{0, ipvs.FlagPersistent, ipvs.FlagOnePacket}).Draw(t, "flags"),
		Timeout:   time.Duration(rapid.IntRange(0, 3).Draw(t, "timeout")) * 500 * time.Millisecond,
		Netmask:   uint8(rapid.IntRange(0, key.Address.Addr().BitLen()).Draw(t, "netmask")),
	}
}

func drawDestination(t *rapid.T, service ipvs.ServiceKey) ipvs.Destination {
	forward, addresses := ipvs.Masquerade, someIPv4
	if service.Address.Addr().Is6() {
		addresses = someIPv6
	}
	if rapid.Bool().Draw(t, "tunnel") {
		forward, addresses = ipvs.Tunnel, append(append([]string(nil), someIPv4...), someIPv6...)
	}
	upper := rapid.Uint32Range(0, 2).Draw(t, "upper")
	return ipvs.Destination{
		Address:        netip.MustParseAddrPort(rapid.SampledFrom(addresses).Draw(t, "address")),
		Forward:        forward,
		Weight:         rapid.SampledFrom([]int{0, 1, 100, ipvs.MaxWeight}).Draw(t, "weight"),
		UpperThreshold: upper,
		LowerThreshold: rapid.Uint32Range(0, upper).Draw(t, "lower"),
	}
}

var tables = rapid.Custom(func(t *rapid.T) ipvs.Table {
	var table ipvs.Table
	for _, key := range rapid.SliceOfDistinct(rapid.SampledFrom(someServices), rapid.ID).Draw(t, "services") {
		entry := ipvs.Entry{Service: drawService(t, key)}
		for range rapid.IntRange(0, 4).Draw(t, "destinations") {
			entry.Destinations = append(entry.Destinations, drawDestination(t, key))
		}
		table = append(table, entry)
	}
	return table
})

// read returns the table of a fake that only a test's own mistake could make fail.
func read(t interface{ Fatal(...any) }, f *ipvs.Fake) ipvs.Table {
	snap, err := f.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return snap.Table
}

func TestPlanLeadsToWhatIsWanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, have := tables.Draw(t, "want"), tables.Draw(t, "have")
		fake := ipvs.NewFake(have)
		if err := fake.Apply(context.Background(), ipvs.Plan(want, have)); err != nil {
			t.Fatalf("apply: %v", err)
		}
		if d := diff(want.Normalize(), read(t, fake)); d != "" {
			t.Fatalf("table after the plan (-want +got):\n%s", d)
		}
	})
}

func TestPlanOfEqualTablesIsEmpty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := tables.Draw(t, "table")
		if ops := ipvs.Plan(table, table.Normalize()); len(ops) > 0 {
			t.Fatalf("operations: %v", ops)
		}
	})
}

func TestPlanLeavesServicesOfOthersAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		own := rapid.SampledFrom(someServices).Draw(t, "own")
		owned := func(k ipvs.ServiceKey) bool { return k == own }
		want, have := tables.Draw(t, "want").Restrict(owned), tables.Draw(t, "have").Normalize()
		for _, op := range ipvs.Plan(want, have.Restrict(owned)) {
			if service, _ := subject(op); service != own {
				t.Fatalf("%v touches a service of others", op)
			}
		}
	})
}

// TestPlanTouchesEachSubjectOnce: what is deleted is not added again, and nothing is edited twice.
func TestPlanTouchesEachSubjectOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seen := make(map[ipvs.DestinationKey]ipvs.Op)
		for _, op := range ipvs.Plan(tables.Draw(t, "want"), tables.Draw(t, "have")) {
			service, address := subject(op)
			k := ipvs.DestinationKey{Service: service, Address: address}
			if before, twice := seen[k]; twice {
				t.Fatalf("%v, then %v", before, op)
			}
			seen[k] = op
		}
	})
}

// TestPlanNeverLeavesServiceWithoutLiveDestination: a service that can take connections before and after can at each step.
func TestPlanNeverLeavesServiceWithoutLiveDestination(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, have := tables.Draw(t, "want"), tables.Draw(t, "have")
		var watched []ipvs.ServiceKey
		for _, k := range someServices {
			if live(want.Normalize(), k) && live(have.Normalize(), k) {
				watched = append(watched, k)
			}
		}
		fake := ipvs.NewFake(have)
		for _, op := range ipvs.Plan(want, have) {
			if err := fake.Apply(context.Background(), []ipvs.Op{op}); err != nil {
				t.Fatalf("apply: %v", err)
			}
			for _, k := range watched {
				if !live(read(t, fake), k) {
					t.Fatalf("%v has no live destination after %q", k, op)
				}
			}
		}
	})
}

func live(t ipvs.Table, key ipvs.ServiceKey) bool {
	entry, _ := t.Lookup(key)
	for _, d := range entry.Destinations {
		if d.Weight > 0 {
			return true
		}
	}
	return false
}

// subject returns the service an operation is about, and the destination if it is about one.
func subject(op ipvs.Op) (ipvs.ServiceKey, netip.AddrPort) {
	switch o := op.(type) {
	case ipvs.AddService:
		return o.Service.Key, netip.AddrPort{}
	case ipvs.EditService:
		return o.Service.Key, netip.AddrPort{}
	case ipvs.DeleteService:
		return o.Key, netip.AddrPort{}
	case ipvs.AddDestination:
		return o.Service, o.Destination.Address
	case ipvs.EditDestination:
		return o.Service, o.Destination.Address
	case ipvs.DeleteDestination:
		return o.Service, o.Address
	default:
		return ipvs.ServiceKey{}, netip.AddrPort{}
	}
}
