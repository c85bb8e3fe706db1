// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/pair"
	"github.com/lvs-ha/lvs-ha/integration/traffic/meter"
	"github.com/lvs-ha/lvs-ha/internal/control"
)

// TestMasqueraded is a day in the life of a pair without a failover.
func TestMasqueraded(t *testing.T) {
	requireLayer(t, "kernel", "test-kernel")
	r := up(t, topologyNAT)

	t.Run("traffic is spread in both families", func(t *testing.T) {
		for _, url := range []string{web, web6} {
			r.spread(t, url)
		}
	})
	t.Run("status tells what ipvsadm and ip tell", func(t *testing.T) { r.statusAgrees(t) })
	t.Run("sync daemons follow the roles", func(t *testing.T) {
		if got := r.output("d1", "ipvsadm", "-l", "--daemon"); !strings.Contains(got, "master sync daemon (mcast=eth2, syncid=7") {
			t.Errorf("sync daemon of the master: %q", got)
		}
		if got := r.output("d2", "ipvsadm", "-l", "--daemon"); !strings.Contains(got, "backup sync daemon (mcast=eth2, syncid=7") {
			t.Errorf("sync daemon of the backup: %q", got)
		}
	})
	t.Run("a dead web server loses its weight and gets it back", func(t *testing.T) { r.webServerDies(t) })
	t.Run("a missed quorum hands the role over", func(t *testing.T) { r.quorumIsMissed(t) })
	t.Run("a flushed table is repaired", func(t *testing.T) {
		before := r.output("d1", "ipvsadm", "-Sn")
		r.output("d1", "ipvsadm", "-C")
		r.wait("the repaired table", func(now string) bool { return now == before }, "d1", "ipvsadm", "-Sn")
		r.waitLog(r.d1, "IPVS table was changed by somebody else, repaired")
	})
	t.Run("a removed VIP is put back", func(t *testing.T) {
		r.output("d1", "ip", "addr", "del", vip4+"/24", "dev", "eth1")
		r.waitVIP("d1", vip4, true)
		r.waitLog(r.d1, "VIP 10.0.1.100/24 dev eth1 was removed by somebody else, put back")
	})
	t.Run("a bad reload changes nothing and says why", func(t *testing.T) { r.badReload(t) })
	t.Run("an interface that goes down and comes back", func(t *testing.T) {
		r.check(r.Link(r.ctx, "d1", "eth1", "down"))
		r.waitLog(r.d1, "web: fault: interface eth1 is down")
		r.waitVIP("d1", gateway, false)
		r.waitVIP("d2", vip4, true)
		r.check(r.Link(r.ctx, "d1", "eth1", "up"))
		r.waitLog(r.d1, "web: fault is over")
		r.waitVIP("d1", vip4, true)
		r.waitVIP("d2", vip4, false)
	})
	t.Run("a second daemon is refused", func(t *testing.T) {
		out, err := r.Node("d1").Command(r.ctx, "lvs-ha", "run", "-c", configFile).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "another lvs-ha runs with state_dir /run/lvs-ha") {
			t.Errorf("second daemon: %v: %s", err, out)
		}
	})
	t.Run("a stop leaves nothing behind", func(t *testing.T) {
		r.check(r.d2.Stop(r.ctx))
		r.check(r.d1.Stop(r.ctx))
		for _, node := range []string{"d1", "d2"} {
			if got := r.output(node, "ipvsadm", "-Sn"); got != "" {
				t.Errorf("IPVS table of %s after the stop: %s", node, got)
			}
			if got := r.output(node, "ipvsadm", "-l", "--daemon"); got != "" {
				t.Errorf("sync daemons of %s after the stop: %s", node, got)
			}
			if got := r.output(node, "ip", "-o", "addr"); strings.Contains(got, vip4+"/") || strings.Contains(got, gateway+"/") {
				t.Errorf("addresses of %s after the stop: %s", node, got)
			}
		}
	})
}

// httpRequests are the flags of requests that a busy machine answers too.
func httpRequests(url string) []string {
	return []string{"--http", url, "--http-interval", "100ms", "--timeout", "10s"}
}

// spread sends requests until both real servers answered, and none was lost.
func (r *running) spread(t *testing.T, url string) {
	t.Helper()
	report, err := r.Measure(r.ctx, "client", 2*time.Second, httpRequests(url)...)
	r.check(err)
	if report.HTTP.Lost > 0 || report.HTTP.ByServer["rs1"] == 0 || report.HTTP.ByServer["rs2"] == 0 {
		t.Errorf("%s: %d of %d lost, by server %v, errors %v", url, report.HTTP.Lost, report.HTTP.Sent, report.HTTP.ByServer, report.HTTP.Errors)
	}
}

func (r *running) statusAgrees(t *testing.T) {
	s, err := r.d1.Status(r.ctx)
	r.check(err)
	web := s.Instances[0]
	if web.State != "master" || len(web.Held) != 4 {
		t.Errorf("instance = %+v, want master with 4 VIPs", web)
	}
	addresses := r.output("d1", "ip", "-o", "addr")
	for _, held := range web.Held {
		address, _, _ := strings.Cut(held, " ")
		line := regexp.MustCompile(regexp.QuoteMeta(address) + `.* valid_lft (\d+)sec preferred_lft 0sec`).FindString(addresses)
		if line == "" {
			t.Errorf("%s is not a lease in the kernel:\n%s", held, addresses)
		}
	}
	table := r.output("d1", "ipvsadm", "-Sn")
	for _, vs := range s.VirtualServers {
		for _, rs := range vs.RealServers {
			flag := map[string]string{"tcp": "-t", "udp": "-u"}[vs.Protocol]
			line := fmt.Sprintf("-a %s %s -r %s -m -w %d\n", flag, vs.Address, rs.Address, *rs.WeightKernel)
			if !strings.Contains(table, line) {
				t.Errorf("ipvsadm -Sn lacks %q:\n%s", line, table)
			}
		}
	}
}

func (r *running) webServerDies(t *testing.T) {
	weight := func(want int) func(control.Status) bool {
		return func(s control.Status) bool {
			for _, vs := range s.VirtualServers {
				for _, rs := range vs.RealServers {
					if rs.Address == "10.0.2.21:80" {
						return rs.WeightKernel != nil && *rs.WeightKernel == want
					}
				}
			}
			return false
		}
	}
	r.check(r.KillAll(r.ctx, "rs1"))
	for _, d := range []*pair.Director{r.d1, r.d2} {
		r.check(d.WaitStatus(r.ctx, "weight 0", weight(0)))
	}
	r.waitLog(r.d1, "www: real server 10.0.2.21:80: healthy -> failed (connection refused)")
	report, err := r.Measure(r.ctx, "client", 2*time.Second, httpRequests(web)...)
	r.check(err)
	if report.HTTP.Lost > 0 || report.HTTP.ByServer["rs1"] > 0 {
		t.Errorf("after the fall time: %d requests lost, by server %v", report.HTTP.Lost, report.HTTP.ByServer)
	}
	r.check(r.StartServer("rs1"))
	r.waitHealthy(r.d1, r.d2)
}

// quorumIsMissed lets d1's role depend on both web servers, and takes one away.
func (r *running) quorumIsMissed(t *testing.T) {
	undo := r.exchange("scheduler = \"rr\"", "scheduler = \"rr\"\nquorum = 300", "vrid = 51", "vrid = 51\ntrack = [{ name = \"both\", weight = -100 }]",
		"[sync]", "[[track]]\nname = \"both\"\ntype = \"quorum\"\nvirtual_server = \"www\"\n\n[sync]")
	r.output("d1", "lvs-ha", "reload")
	r.check(r.KillAll(r.ctx, "rs1"))
	r.waitVIP("d2", vip4, true)
	r.waitVIP("d1", vip4, false)
	s, err := r.d1.Status(r.ctx)
	r.check(err)
	want := []control.Contribution{{Track: "both", Weight: -100, Detail: "weight 200 of quorum 300"}}
	if web := s.Instances[0]; web.Priority != 50 || !slices.Equal(web.Contributions, want) {
		t.Errorf("priority %d, %+v; want 50, %+v", web.Priority, web.Contributions, want)
	}
	r.check(r.StartServer("rs1"))
	r.waitVIP("d1", vip4, true)
	r.waitVIP("d2", vip4, false)
	undo()
	r.output("d1", "lvs-ha", "reload")
	r.waitHealthy(r.d1, r.d2)
}

const configFile = "/etc/lvs-ha/lvs-ha.toml"

// exchange replaces the first of each old text in d1's configuration by the new
// one that follows it, until undo.
func (r *running) exchange(oldNew ...string) (undo func()) {
	text := r.output("d1", "cat", configFile)
	for pair := range slices.Chunk(oldNew, 2) {
		text = strings.Replace(text, pair[0], pair[1], 1)
	}
	r.writeFile("d1", "/run/other.toml", text)
	r.output("d1", "mount", "--bind", "/run/other.toml", configFile)
	return func() { r.output("d1", "umount", configFile) }
}

func (r *running) badReload(t *testing.T) {
	moves := func() int { return strings.Count(r.d1.Log(), "web: master ->") }
	before, moved := r.output("d1", "ipvsadm", "-Sn"), moves()
	undo := r.exchange("scheduler = \"rr\"", "shceduler = \"rr\"")
	out, err := r.Node("d1").Command(r.ctx, "lvs-ha", "reload").CombinedOutput()
	if err == nil || !regexp.MustCompile(configFile+`:\d+:\d+: unknown key "shceduler".*did you mean "scheduler"`).Match(out) {
		t.Errorf("reload: %v: %s", err, out)
	}
	r.check(syscall.Kill(r.d1.PID(), syscall.SIGHUP))
	r.wait("the second refusal", func(string) bool { return strings.Count(r.d1.Log(), "reload refused, nothing changed") == 2 }, "d1", "true")
	if after := r.output("d1", "ipvsadm", "-Sn"); after != before {
		t.Errorf("table after the bad reloads:\n%s\nbefore:\n%s", after, before)
	}
	undo()
	r.output("d1", "lvs-ha", "reload")
	if got := moves() - moved; got != 0 {
		t.Errorf("reloads moved the instance %d times", got)
	}
}

func (r *running) writeFile(node, path, text string) {
	r.t.Helper()
	c := r.Node(node).Command(r.ctx, "tee", path)
	c.Stdin = strings.NewReader(text)
	r.check(c.Run())
}

// alive says what is wrong with long-lived connections; empty: nothing.
func alive(c *meter.ConnectionsReport, want int) string {
	if c.Opened == want && c.Broken+c.Stalled+c.Refused+c.SequenceErrors == 0 {
		return ""
	}
	return fmt.Sprintf("long-lived connections: want %d alive, opened %d, broken %d, stalled %d, refused %d, sequence errors %d (%v)",
		want, c.Opened, c.Broken, c.Stalled, c.Refused, c.SequenceErrors, c.Errors)
}
