// SPDX-License-Identifier: Apache-2.0

package director

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-ha/lvs-ha/internal/health"
	"github.com/lvs-ha/lvs-ha/internal/ipvs"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/syncd"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

const (
	rs1 = "www 10.0.1.11:80"
	rs2 = "www 10.0.1.12:80"
)

func tableOf(address, scheduler string, weights map[string]int) ipvs.Entry {
	e := ipvs.Entry{Service: ipvs.Service{Key: ipvs.ServiceKey{Protocol: ipvs.TCP, Address: netip.MustParseAddrPort(address)}, Scheduler: scheduler}}
	for a, w := range weights {
		e.Destinations = append(e.Destinations, ipvs.Destination{Address: netip.MustParseAddrPort(a), Forward: ipvs.Masquerade, Weight: w})
	}
	return e
}

func (w *world) wantKernel(want string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.kernel()); diff != "" {
		w.t.Errorf("kernel's table (-want +got):\n%s", diff)
	}
}

func TestNewRealServersStartAtWeight0(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.wantKernel("192.0.2.10:80: 10.0.1.11=0 10.0.1.12=0\n")
		w.probe(rs1, health.Healthy, "")
		w.wantKernel("192.0.2.10:80: 10.0.1.11=10 10.0.1.12=0\n")
	})
}

func TestStartAdoptsTheTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		foreign := tableOf("192.0.2.99:25", "wlc", map[string]int{"10.0.1.50:25": 1})
		w := newWorld(t, exampleConfig, ipvs.Table{
			tableOf("192.0.2.10:80", "rr", map[string]int{"10.0.1.11:80": 10}), foreign,
		})
		w.start()
		w.wantKernel("192.0.2.10:80: 10.0.1.11=10 10.0.1.12=0\n192.0.2.99:25: 10.0.1.50=1\n")
		for _, op := range w.table.Applied() {
			if s := op.String(); !strings.Contains(s, "10.0.1.12") {
				t.Errorf("start did %q, want only the missing real server added", s)
			}
		}
	})
}

func TestFailingRealServer(t *testing.T) {
	for _, test := range []struct{ onFailure, want string }{
		{"weight0", "192.0.2.10:80: 10.0.1.11=0 10.0.1.12=20\n"},
		{"remove", "192.0.2.10:80: 10.0.1.12=20\n"},
	} {
		t.Run(test.onFailure, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, strings.Replace(exampleConfig, "scheduler =", "on_failure = \""+test.onFailure+"\"\nscheduler =", 1), nil)
				w.start()
				w.probe(rs1, health.Healthy, "")
				w.probe(rs2, health.Healthy, "")
				w.probe(rs1, health.Failed, "connection refused")
				w.wantKernel(test.want)
				got := w.records(VerdictChanged)
				last := got[len(got)-1]
				if last["real_server"] != "10.0.1.11:80" || last["virtual_server"] != "www" || last["reason"] != "connection refused" || last["to"] != "failed" {
					t.Errorf("event = %v", last)
				}
				w.probe(rs1, health.Healthy, "")
				w.wantKernel("192.0.2.10:80: 10.0.1.11=10 10.0.1.12=20\n")
			})
		})
	}
}

func TestTableChangedBehindOurBackIsRepairedWithin5s(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.probe(rs1, health.Healthy, "")
		w.probe(rs2, health.Healthy, "")
		w.table.Replace(nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		w.wantKernel("192.0.2.10:80: 10.0.1.11=10 10.0.1.12=20\n")
		if got := w.records(TableRepaired); len(got) != 3 {
			t.Errorf("repairs in the journal: %v, want the service and its two real servers", got)
		}
	})
}

func TestStop(t *testing.T) {
	foreign := tableOf("192.0.2.99:25", "wlc", nil)
	for _, test := range []struct{ onStop, want string }{
		{"remove", "192.0.2.99:25:\n"},
		{"keep", "192.0.2.10:80: 10.0.1.11=0 10.0.1.12=0\n192.0.2.99:25:\n"},
	} {
		t.Run(test.onStop, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, strings.Replace(exampleConfig, "name = \"d1\"", "name = \"d1\"\non_stop = \""+test.onStop+"\"", 1), ipvs.Table{foreign})
				stop := w.start()
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				w.wantKernel(test.want)
				if got, _ := w.sync.Daemons(t.Context()); len(got) != 0 {
					t.Errorf("sync daemons after the stop: %v", got)
				}
				if _, ok := w.commands[len(w.commands)-1].(speaker.Shutdown); !ok {
					t.Errorf("last command = %T, want Shutdown", w.commands[len(w.commands)-1])
				}
			})
		})
	}
}

func TestServicesOfADeadPredecessorAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		// The next daemon, in a world where the first one never stopped.
		next := newWorld(t, strings.ReplaceAll(exampleConfig, "192.0.2.10:80", "192.0.2.11:80"), ipvs.Table{
			tableOf("192.0.2.10:80", "rr", map[string]int{"10.0.1.11:80": 10}),
		})
		state, err := openOwned(w.director.config.Director.StateDir)
		if err != nil {
			t.Fatal(err)
		}
		state.path = strings.Replace(next.file, "lvs-ha.toml", "ipvs.json", 1)
		services := state.services
		state.services = nil
		if err := state.set(services, false); err != nil {
			t.Fatal(err)
		}
		next.start()
		next.wantKernel("192.0.2.11:80: 10.0.1.11=0 10.0.1.12=0\n")
	})
}

func TestSyncDaemonFollowsTheInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		for _, step := range []struct {
			to   vrrp.State
			want syncd.Role
		}{{vrrp.Backup, syncd.Backup}, {vrrp.Master, syncd.Master}, {vrrp.Backup, syncd.Backup}, {vrrp.Initialize, syncd.Backup}} {
			w.events <- speaker.Transition{Instance: "web", To: step.to}
			synctest.Wait()
			got, err := w.sync.Daemons(t.Context())
			want := []syncd.Daemon{{Role: step.want, Config: syncd.Config{Interface: "eth1", ID: 7}}}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("sync daemons as %s (-want +got): %v\n%s", step.to, err, diff)
			}
		}
	})
}

func TestBadReloadChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.probe(rs1, health.Healthy, "")
		before, commands := w.kernel(), len(w.commands)
		w.write(strings.Replace(exampleConfig, "weight = 10", "wieght = 10", 1))
		_, err := w.director.Reload(t.Context())
		if err == nil || !strings.Contains(err.Error(), "lvs-ha.toml:") || !strings.Contains(err.Error(), "weight") {
			t.Errorf("Reload() = %v, want file, line and the nearest key", err)
		}
		w.wantKernel(before)
		if len(w.commands) != commands {
			t.Errorf("commands by a bad reload: %v", w.commands[commands:])
		}
		if got := w.records(ReloadRefused); len(got) != 1 {
			t.Errorf("refusals in the journal: %v, want one", got)
		}
	})
}

func TestReloadKeepsVerdictsAndChangesOnlyWhatDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.probe(rs1, health.Healthy, "")
		w.probe(rs2, health.Failed, "connection refused")
		before := len(w.table.Applied())
		w.write(strings.Replace(exampleConfig, "weight = 10", "weight = 15", 1))
		if _, err := w.director.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantKernel("192.0.2.10:80: 10.0.1.11=15 10.0.1.12=0\n")
		if got := w.table.Applied()[before:]; len(got) != 1 {
			t.Errorf("reload did %v, want one operation", got)
		}
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.probe(rs1, health.Healthy, "")
		w.probe(rs2, health.Failed, "no answer within 1s")
		s, err := w.director.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := s.VirtualServers[0].RealServers
		if len(got) != 2 || *got[0].WeightWanted != 10 || *got[0].WeightKernel != 10 || got[0].Probe != "healthy" ||
			*got[1].WeightWanted != 0 || got[1].Probe != "failed" || got[1].LastError != "no answer within 1s" || got[1].LastErrorAt == nil {
			t.Errorf("real servers = %+v", got)
		}
		if s.Sync.Wanted != "backup" || len(s.Sync.Daemons) != 1 {
			t.Errorf("sync = %+v", s.Sync)
		}
	})
}

func TestEveryKindHasItsOwnMessageID(t *testing.T) {
	seen := make(map[string]bool)
	for k := Started; k <= SyncFailed; k++ {
		id := kinds[k].id
		if b, err := hex.DecodeString(id); err != nil || len(b) != 16 {
			t.Errorf("kind %d: message id %q is not 128 bits", k, id)
		}
		if seen[id] {
			t.Errorf("kind %d: message id %s is used twice", k, id)
		}
		seen[id] = true
	}
}
