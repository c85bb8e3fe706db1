// SPDX-License-Identifier: Apache-2.0

package director

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/internal/health"
	"github.com/lvs-ha/lvs-ha/internal/ipvs"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/syncd"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

const secondService = `
[[virtual_server]]
name = "mail"
addresses = ["192.0.2.10:25"]
scheduler = "sed"

  [[virtual_server.real_server]]
  address = "10.0.1.13:25"
  weight = 5
`

// refuseMail is a kernel without the scheduler of the second service.
func refuseMail(op ipvs.Op) error {
	if add, ok := op.(ipvs.AddService); ok && add.Service.Scheduler == "sed" {
		return unix.ENOENT
	}
	return nil
}

func TestARefusedServiceDoesNotKeepTheOthersFromWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig+secondService, nil)
		w.table.Refuse(refuseMail)
		w.start()
		w.wantKernel("192.0.2.10:80: 10.0.1.11=0 10.0.1.12=0\n")
		w.probe(rs1, health.Healthy, "")
		w.wantKernel("192.0.2.10:80: 10.0.1.11=10 10.0.1.12=0\n")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.records(TableFailed); len(got) != 1 || !strings.Contains(got[0]["reason"].(string), "the kernel has no scheduler sed") {
			t.Errorf("failures in the journal: %v, want it said once", got)
		}
		changes := w.records(TableChanged)
		if last := changes[len(changes)-1]; last["real_server"] != "10.0.1.11:80" || last["from"] != "0" || last["to"] != "10" || last["virtual_server"] != "www" {
			t.Errorf("last change = %v, want the weight of 10.0.1.11:80", last)
		}

		w.table.Replace(nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := w.records(TableRepaired); len(got) != 3 {
			t.Errorf("repairs beside a failure: %v, want 3", got)
		}

		w.table.Refuse(nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		w.wantKernel("192.0.2.10:25: 10.0.1.13=5\n192.0.2.10:80: 10.0.1.11=10 10.0.1.12=0\n")
	})
}

func TestReloadThatTheKernelRefusesSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.table.Refuse(refuseMail)
		w.write(exampleConfig + secondService)
		_, err := w.director.Reload(t.Context())
		if err == nil || !strings.Contains(err.Error(), "in force") || !strings.Contains(err.Error(), "scheduler sed") {
			t.Errorf("Reload() = %v, want that it is in force and what is missing", err)
		}
	})
}

func TestReloadTellsTheSpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.write(strings.Replace(exampleConfig, "priority = 150", "priority = 90", 1))
		if _, err := w.director.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c, ok := w.commands[len(w.commands)-1].(speaker.Configure)
		if !ok || len(c.Instances) != 1 || c.Instances[0].Priority != 90 {
			t.Errorf("last command = %+v, want the new priority", w.commands[len(w.commands)-1])
		}
	})
}

// oneInterface is a machine that has eth0 at first.
type oneInterface struct{ gone bool }

func (o *oneInterface) InterfaceAddresses(name string) ([]netip.Prefix, bool) {
	return nil, !o.gone && (name == "eth0" || name == "eth1")
}

func (o *oneInterface) UserExists(string) bool { return true }
func (o *oneInterface) IPVSFault() string      { return "" }

func TestReloadWhileAnInterfaceIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		host := &oneInterface{gone: true}
		w.director.opts.Host = host
		w.write(strings.Replace(exampleConfig, "weight = 10", "weight = 15", 1))
		if _, err := w.director.Reload(t.Context()); err != nil {
			t.Errorf("Reload() with the running interface gone = %v", err)
		}
		w.write(strings.Replace(exampleConfig, `interface = "eth0"`, `interface = "eth9"`, 1))
		if _, err := w.director.Reload(t.Context()); err != nil {
			t.Errorf("Reload() with a new interface that may come later = %v", err)
		}
		if got := w.records(ConfigAdvice); len(got) == 0 || !strings.Contains(got[len(got)-1]["msg"].(string), "eth9") {
			t.Errorf("advice = %v, want the missing interface named", got)
		}
	})
}

func TestStatusTellsWhatSyncDaemonReallyRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		w.start()
		w.sync.Refuse(func(op syncd.Op) error {
			if op.Verb == syncd.Start {
				return unix.ENODEV
			}
			return nil
		})
		w.events <- speaker.Transition{Instance: "web", To: vrrp.Master}
		synctest.Wait()
		s, err := w.director.Status(t.Context())
		if err != nil || s.Sync.Wanted != "master" || len(s.Sync.Daemons) != 0 {
			t.Errorf("sync = %+v, %v; want master wanted and none running", s.Sync, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.records(SyncFailed); len(got) != 1 {
			t.Errorf("failures in the journal: %v, want it said once", got)
		}
		w.sync.Refuse(nil)
	})
}

func TestStopDoesAllItCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		stop := w.start()
		w.sync.Refuse(func(syncd.Op) error { return unix.EPERM })
		if err := stop(); err == nil || !strings.Contains(err.Error(), "stop sync daemon") {
			t.Errorf("Run() = %v, want what failed", err)
		}
		w.wantKernel("")
		w.stopped = true
	})
}

func TestAStateDirThatCannotBeWrittenDoesNotStopTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exampleConfig, nil)
		// A folder in the file's place makes the rename fail.
		if err := os.MkdirAll(filepath.Join(filepath.Dir(w.file), "ipvs.json", "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		w.owned = &owned{path: filepath.Join(filepath.Dir(w.file), "ipvs.json"), services: make(map[ipvs.ServiceKey]bool)}
		stop := w.start()
		w.wantKernel("192.0.2.10:80: 10.0.1.11=0 10.0.1.12=0\n")
		if got := w.records(TableFailed); len(got) != 1 || !strings.Contains(got[0]["reason"].(string), "ipvs.json") {
			t.Errorf("failures in the journal: %v, want the file named", got)
		}
		if err := stop(); err == nil {
			t.Error("Run() = nil, want the file named")
		}
		w.stopped = true
	})
}
