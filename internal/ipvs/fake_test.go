// SPDX-License-Identifier: Apache-2.0

package ipvs_test

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
)

// A table of operations and how IPVS answers them, whoever is asked: the fake here, the kernel in the lab.
var answers = []struct {
	name string
	op   ipvs.Op
	err  error
}{
	{"destination before its service", ipvs.AddDestination{Service: key(ipvs.TCP, "192.0.2.10:80"), Destination: destination("10.9.0.11:80", 1)}, unix.ESRCH},
	{"edit of a missing service", ipvs.EditService{Service: service(ipvs.TCP, "192.0.2.10:80", "rr")}, unix.ESRCH},
	{"deletion of a missing service", ipvs.DeleteService{Key: key(ipvs.TCP, "192.0.2.10:80")}, unix.ESRCH},
	{"service", ipvs.AddService{Service: service(ipvs.TCP, "192.0.2.10:80", "wlc")}, nil},
	{"service again", ipvs.AddService{Service: service(ipvs.TCP, "192.0.2.10:80", "rr")}, unix.EEXIST},
	{"edit of a missing destination", ipvs.EditDestination{Service: key(ipvs.TCP, "192.0.2.10:80"), Destination: destination("10.9.0.11:80", 1)}, unix.ENOENT},
	{"deletion of a missing destination", ipvs.DeleteDestination{Service: key(ipvs.TCP, "192.0.2.10:80"), Address: destination("10.9.0.11:80", 1).Address}, unix.ENOENT},
	{"destination", ipvs.AddDestination{Service: key(ipvs.TCP, "192.0.2.10:80"), Destination: destination("10.9.0.11:80", 1)}, nil},
	{"destination again", ipvs.AddDestination{Service: key(ipvs.TCP, "192.0.2.10:80"), Destination: destination("10.9.0.11:80", 2)}, unix.EEXIST},
	{"greatest weight", ipvs.EditDestination{Service: key(ipvs.TCP, "192.0.2.10:80"), Destination: destination("10.9.0.11:80", ipvs.MaxWeight)}, nil},
	{"thresholds crossed", ipvs.EditDestination{Service: key(ipvs.TCP, "192.0.2.10:80"), Destination: thresholds("10.9.0.11:80", 5, 4)}, unix.ERANGE},
	{"thresholds", ipvs.EditDestination{Service: key(ipvs.TCP, "192.0.2.10:80"), Destination: thresholds("10.9.0.11:80", 4, 5)}, nil},
	{"other address family, no tunnel", ipvs.AddDestination{Service: key(ipvs.TCP, "192.0.2.10:80"), Destination: destination("[2001:db8:9::11]:80", 1)}, unix.EINVAL},
	{"other address family, tunnel", ipvs.AddDestination{Service: key(ipvs.TCP, "192.0.2.10:80"), Destination: tunnel("[2001:db8:9::11]:80")}, nil},
	{"same address, other protocol", ipvs.AddService{Service: service(ipvs.UDP, "192.0.2.10:80", "wlc")}, nil},
	{"deletion of a service with destinations", ipvs.DeleteService{Key: key(ipvs.TCP, "192.0.2.10:80")}, nil},
	{"the service again, empty", ipvs.AddService{Service: service(ipvs.TCP, "192.0.2.10:80", "wlc")}, nil},
	{"its destinations were deleted with it", ipvs.DeleteDestination{Service: key(ipvs.TCP, "192.0.2.10:80"), Address: destination("10.9.0.11:80", 1).Address}, unix.ENOENT},
}

func thresholds(address string, lower, upper uint32) ipvs.Destination {
	d := destination(address, 1)
	d.LowerThreshold, d.UpperThreshold = lower, upper
	return d
}

func tunnel(address string) ipvs.Destination {
	d := destination(address, 1)
	d.Forward = ipvs.Tunnel
	return d
}

// testAnswers plays the table of answers against an empty table.
func testAnswers(t *testing.T, table interface {
	Apply(context.Context, []ipvs.Op) error
}) {
	for _, tt := range answers {
		err := table.Apply(t.Context(), []ipvs.Op{tt.op})
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.err)
		}
		var opErr *ipvs.OpError
		if err != nil && (!errors.As(err, &opErr) || opErr.Op != tt.op) {
			t.Errorf("%s: error %v does not name the operation", tt.name, err)
		}
	}
}

func TestFakeAnswers(t *testing.T) { testAnswers(t, ipvs.NewFake(nil)) }

func TestFakeAppliesWhatItCan(t *testing.T) {
	fake := ipvs.NewFake(nil)
	web := ipvs.AddService{Service: service(ipvs.TCP, "192.0.2.10:80", "wlc")}
	dns := ipvs.AddService{Service: service(ipvs.UDP, "192.0.2.10:53", "rr")}
	fake.Refuse(func(op ipvs.Op) error {
		if op == ipvs.Op(dns) {
			return unix.ENOENT
		}
		return nil
	})
	bad := ipvs.DeleteService{}
	err := fake.Apply(t.Context(), []ipvs.Op{dns, bad, web, web})
	want := "add service udp 192.0.2.10:53 rr: no such file or directory (the kernel has no scheduler rr)\n" +
		"delete service protocol(0) invalid AddrPort: IPVS balances tcp, udp and sctp, not protocol(0)\n" +
		"add service tcp 192.0.2.10:80 wlc: file exists (somebody else has added it)"
	if err == nil || err.Error() != want {
		t.Errorf("error (-want +got):\n%s", diff(want, err.Error()))
	}
	if d := diff([]ipvs.Op{web}, fake.Applied()); d != "" {
		t.Errorf("applied (-want +got):\n%s", d)
	}
}

func TestFakeReportsConnectionsOfWhatExists(t *testing.T) {
	rs1 := destination("10.0.1.11:80", 1)
	web := ipvs.Entry{Service: service(ipvs.TCP, "192.0.2.10:80", "wlc"), Destinations: []ipvs.Destination{rs1}}
	fake := ipvs.NewFake(ipvs.Table{web})
	k := ipvs.DestinationKey{Service: web.Service.Key, Address: rs1.Address}
	fake.SetConnections(k, ipvs.Connections{Active: 3, Inactive: 2, Persistent: 1})
	fake.SetConnections(ipvs.DestinationKey{}, ipvs.Connections{Active: 9})
	snap, err := fake.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[ipvs.DestinationKey]ipvs.Connections{k: {Active: 3, Inactive: 2, Persistent: 1}}
	if d := diff(want, snap.Connections); d != "" {
		t.Errorf("connections (-want +got):\n%s", d)
	}
}
