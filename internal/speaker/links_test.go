// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
)

// TestVIPRemovedWhileTheKeeperIsBusyIsPutBack: without leases no renewal finds
// it out.
func TestVIPRemovedWhileTheKeeperIsBusyIsPutBack(t *testing.T) {
	const second = "192.0.2.11/24"
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		config := instanceOf(100, vip4)
		config.Lease = 0
		r.configure(config)
		wait(settleTime)
		config.Addresses = append(config.Addresses, vipOn("eth0", second))
		r.set(func() { r.holdTail = time.Second })
		r.configure(config)
		wait(100 * time.Millisecond)
		if r.vipCount() != 2 {
			t.Fatal("the second VIP is not there yet")
		}
		a := netif.Address{Interface: "eth0", Prefix: netip.MustParsePrefix(vip4)}
		r.change(func() { delete(r.vips, a) })
		wait(settleTime)
		if got := seen[Restored](r); r.vipCount() != 2 || len(got) != 1 || got[0].Address != a {
			t.Errorf("%d VIPs, restored %+v; want both, %s restored", r.vipCount(), got, a)
		}
	})
}
