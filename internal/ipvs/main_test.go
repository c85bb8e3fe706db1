// SPDX-License-Identifier: Apache-2.0

package ipvs_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// diff compares tables and operations by value; a nil and an empty list are the same.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty())
}

func key(protocol ipvs.Protocol, address string) ipvs.ServiceKey {
	return ipvs.ServiceKey{Protocol: protocol, Address: netip.MustParseAddrPort(address)}
}

func service(protocol ipvs.Protocol, address, scheduler string) ipvs.Service {
	return ipvs.Service{Key: key(protocol, address), Scheduler: scheduler}
}

func destination(address string, weight int) ipvs.Destination {
	return ipvs.Destination{Address: netip.MustParseAddrPort(address), Weight: weight}
}
