// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
)

func claimOf(vip string) netif.Claim {
	return netif.Claim{Interface: "eth0", Address: netip.MustParsePrefix(vip).Addr(), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 9}}
}

func TestClaimIsAnsweredOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		r.configure(instanceOf(100, vip4))
		wait(3 * settleTime)
		announced := r.count(&r.announced)
		for range 20 { // over two seconds
			r.claims <- claimOf(vip4)
			wait(100 * time.Millisecond)
		}
		claimed := seen[Claimed](r)
		if len(claimed) != 2 || claimed[0].Instance != "web" || claimed[0].Address.Prefix.String() != vip4 || claimed[0].HardwareAddr != "02:00:00:00:00:09" {
			t.Errorf("claimed = %+v, want two", claimed)
		}
		wait(200 * time.Millisecond)
		if got := r.count(&r.announced) - announced; got != 10 {
			t.Errorf("%d announcement rounds, want two of 5", got)
		}
	})
}

func TestClaimOfWhatIsNotHeldIsIgnored(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(r *running)
		vip     string
	}{
		{"backup", func(r *running) { r.configure(instanceOf(100, vip4)) }, vip4},
		{"no VIP of ours", func(r *running) { r.configure(instanceOf(255, vip4)) }, "192.0.2.99/24"},
		{"no instance", func(*running) {}, vip4},
		{"not added yet", func(r *running) {
			r.set(func() { r.holdDelay = 2 * time.Second })
			r.configure(instanceOf(255, vip4))
		}, vip4},
		{"removed by a reload", func(r *running) {
			r.configure(instanceOf(255, vip4, "192.0.2.11/24"))
			wait(time.Second)
			r.configure(instanceOf(255, vip4))
		}, "192.0.2.11/24"},
		{"handing over", func(r *running) {
			r.configure(instanceOf(255, vip4))
			wait(time.Second)
			r.configure()
		}, vip4},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newHost(&segment{}, "192.0.2.1"))
				synctest.Wait()
				test.prepare(r)
				wait(time.Millisecond)
				announced := r.count(&r.announced)
				r.claims <- claimOf(test.vip)
				wait(time.Millisecond)
				if got := seen[Claimed](r); len(got) != 0 || r.count(&r.announced) != announced {
					t.Errorf("claimed = %+v, %d rounds; want none", got, r.count(&r.announced)-announced)
				}
			})
		})
	}
}

// TestClaimsOfAChangeOfMastersAreNoAlarm: the old master's last announcements,
// and the better master's first.
func TestClaimsOfAChangeOfMastersAreNoAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &segment{}
		r := start(t, newHost(net, "192.0.2.1"))
		r.configure(instanceOf(100, vip4))
		for r.vipCount() == 0 {
			wait(10 * time.Millisecond)
		}
		wait(200 * time.Millisecond) // the first announcements are over
		announced := r.count(&r.announced)
		r.claims <- claimOf(vip4)
		wait(claimDelay + 200*time.Millisecond)
		if got := r.count(&r.announced) - announced; got != 5 {
			t.Errorf("%d announcement rounds after the claim of an old master, want 5", got)
		}

		wait(3 * settleTime)
		announced = r.count(&r.announced)
		r.claims <- claimOf(vip4)
		wait(claimDelay / 2)
		better := start(t, newHost(net, "192.0.2.2"))
		better.configure(instanceOf(255, vip4))
		wait(settleTime)
		if got := seen[Claimed](r); len(got) > 0 {
			t.Errorf("claimed = %+v, want no alarm", got)
		}
		if got := r.count(&r.announced) - announced; got != 0 {
			t.Errorf("%d announcement rounds by the old master", got)
		}
	})
}

// TestWatchedAreTheHeld: claims are looked for while a VIP is held.
func TestWatchedAreTheHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newHost(&segment{}, "192.0.2.1"))
		watched := func() int {
			r.host.mu.Lock()
			defer r.host.mu.Unlock()
			return len(r.watched)
		}
		r.configure(instanceOf(100, vip4, vip6))
		wait(time.Second)
		if got := watched(); got != 0 {
			t.Errorf("%d addresses watched as backup", got)
		}
		wait(settleTime)
		if got := watched(); got != 2 {
			t.Errorf("%d addresses watched as master, want 2", got)
		}
		r.commands <- Shutdown{}
		wait(settleTime)
		if got := watched(); got != 0 {
			t.Errorf("%d addresses watched in the end", got)
		}
		if got := len(r.withdrawn); got != 2 {
			t.Errorf("announcements of %d addresses withdrawn, want 2", got)
		}
	})
}
