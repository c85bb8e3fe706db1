// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/pair"
	"github.com/lvs-ha/lvs-ha/integration/traffic/meter"
)

// connections is how many long-lived TCP connections a failover must keep.
const connections = 3

// TestFailoverMasqueraded stops, kills and restarts masters while connections
// are open.
func TestFailoverMasqueraded(t *testing.T) { failover(t, topologyNAT, 4) }

// TestFailoverDirect is the same with direct routing.
func TestFailoverDirect(t *testing.T) { failover(t, topologyDR, 3) }

func failover(t *testing.T, topology string, services int) {
	requireLayer(t, "kernel", "test-kernel")
	r := up(t, topology)
	t.Run("traffic is spread", func(t *testing.T) { r.spread(t, web) })
	t.Run("SIGKILL without restart: the VIP is gone within its lease, connections stay", func(t *testing.T) {
		bestOf3(t, "SIGKILL of the master", func(int) string { return r.killMaster() })
	})
	t.Run("SIGKILL and restart at once", func(t *testing.T) { r.killAndRestart(t, services) })
	t.Run("SIGTERM loses no request for longer than 20 ms", func(t *testing.T) {
		bestOf3(t, "SIGTERM of the master", func(int) string { return r.stopMaster() })
	})
}

// longLived are the flags of long-lived connections. The kernel sends a
// connection's state again every 50 packets (net.ipv4.vs.sync_threshold), so a
// director that returns must hear that many before it takes over.
func longLived() []string {
	return []string{"--tcp", echo, "--connections", fmt.Sprint(connections), "--tcp-interval", "20ms"}
}

// established starts long-lived connections, and more streams, and waits until
// a director knows the connections from its peer.
func (r *running) established(on string, streams ...string) *pair.Traffic {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	before, err := r.Established(ctx, on, echo)
	r.check(err)
	tr := r.traffic(append(longLived(), streams...)...)
	r.check(r.WaitReplicated(ctx, on, echo, connections, before))
	return tr
}

// stillAlive ends the traffic and says what became of the connections.
func (r *running) stillAlive(tr *pair.Traffic) (problem string) {
	r.t.Helper()
	report, err := tr.Stop(r.ctx)
	r.check(err)
	return alive(report.TCP, connections)
}

// lease is the topologies' default: master-down interval plus one second, in
// whole seconds; the kernel may take another one to notice.
const lease, kernelSlack = 5 * time.Second, time.Second

// killMaster kills both processes of the master, waits until its VIPs are gone, and starts it
// again; the connections must live through both.
func (r *running) killMaster() (problem string) {
	r.t.Helper()
	tr := r.established("d2")
	killed := time.Now()
	r.check(r.d1.KillAll(r.ctx))
	r.waitVIP("d1", vip4, false)
	gone := time.Since(killed)
	r.waitVIP("d2", vip4, true)
	r.waitLog(r.d2, "sync daemon: master")

	r.d1 = r.start("d1")
	r.waitHealthy(r.d1)
	r.waitVIP("d1", vip4, true)
	r.waitVIP("d2", vip4, false)
	problem = r.stillAlive(tr)
	r.t.Logf("SIGKILL of the master: its VIP was gone after %v", gone.Round(time.Millisecond))
	if problem == "" && gone > lease+kernelSlack {
		problem = fmt.Sprintf("the VIP outlived its lease of %v: %v", lease, gone)
	}
	return problem
}

func (r *running) killAndRestart(t *testing.T, services int) {
	before := r.output("d1", "ipvsadm", "-Sn")
	r.check(r.d1.KillAll(r.ctx))
	r.d1 = r.start("d1")
	r.waitLog(r.d1, "web: initialize -> backup (startup)")
	if got := r.output("d1", "ip", "-o", "addr"); strings.Contains(got, vip4+"/") && !strings.Contains(r.d1.Log(), "-> master") {
		t.Errorf("orphan VIP after the restart:\n%s", got)
	}
	r.waitHealthy(r.d1)
	if got := r.output("d1", "ipvsadm", "-Sn"); got != before {
		t.Errorf("table after the restart:\n%s\nbefore:\n%s", got, before)
	}
	if got := strings.Count(before, "-A "); got != services {
		t.Errorf("%d services, want %d:\n%s", got, services, before)
	}
	r.waitVIP("d1", vip4, true)
}

// maxOutage is the longest time in which every request may be lost at SIGTERM.
const maxOutage = meter.Millis(20 * time.Millisecond)

func (r *running) stopMaster() (problem string) {
	r.t.Helper()
	tr := r.established("d2", "--udp", echo, "--interval", "1ms")
	r.check(r.d1.Stop(r.ctx))
	r.waitVIP("d2", vip4, true)
	report, err := tr.Stop(r.ctx)
	r.check(err)
	r.d1 = r.start("d1")
	r.waitHealthy(r.d1)
	r.waitVIP("d1", vip4, true)
	r.waitVIP("d2", vip4, false)
	r.t.Logf("SIGTERM of the master: UDP %d of %d lost, longest outage %v, longest silence %v, meter's own longest pause %v",
		report.UDP.Lost, report.UDP.Sent, report.UDP.LongestOutage, report.UDP.LongestSilence, report.UDP.LongestPause)
	if problem := alive(report.TCP, connections); problem != "" {
		return problem
	}
	// An outage no longer than the meter's own pause in sending may be one lost
	// request, after which the machine was busy with something else.
	if outage := report.UDP.LongestOutage; outage > maxOutage && outage > report.UDP.LongestPause {
		return fmt.Sprintf("no request answered for %v", outage)
	}
	return ""
}
