// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"

	"github.com/lvs-ha/lvs-ha/integration/lab/topo"
	"github.com/lvs-ha/lvs-ha/internal/control"
)

// trackedObjects breaks each object that d1's role depends on, and mends it: d2
// takes over, and gives back.
func trackedObjects(s *segment) {
	d1 := handle(s.t, s.d1.ns)
	s.d1.addPair("up0")
	s.d1.addPair("spare0")
	worker := s.worker()
	end := worker.start()
	s.d1.configure(brisk+`
track = [
  { name = "uplink", weight = -60 },
  { name = "spare" },
  { name = "worker", weight = 70 },
]
priority = 80`, fmt.Sprintf(trackInterface+trackInterface+`
[[track]]
name = "worker"
type = "process"
process = %q
`, "uplink", "up0", "spare", "spare0", worker.path)+calm)
	s.d2.configure(brisk, calm)
	s.begin()

	for _, object := range []struct {
		track    string
		priority uint8 // while it is broken
		state    string
		weights  map[string]int
		fails    func()
		recovers func()
	}{
		{
			"uplink", 90, "backup", map[string]int{"uplink": -60, "worker": 70},
			func() { s.must(d1.LinkSetDown(s.port(d1, "up0"))) },
			func() { s.must(d1.LinkSetUp(s.port(d1, "up0"))) },
		},
		{
			"spare", 150, "fault", map[string]int{"worker": 70},
			func() { s.must(d1.LinkDel(s.port(d1, "spare0"))) },
			func() { s.d1.addPair("spare0") },
		},
		{
			"worker", 80, "backup", nil,
			func() { end() },
			func() { end = worker.start() },
		},
	} {
		whole := shown{150, "master", map[string]int{"worker": 70}}
		s.d1.waitShown(object.track+" whole", whole)
		mark2 := s.d2.log.mark()
		object.fails()
		s.waitHeld(false, true)
		s.d1.waitShown(object.track+" broken", shown{object.priority, object.state, object.weights})
		s.d2.waitLog(mark2, "web: backup -> master")
		object.recovers()
		s.settle()
	}
}

// addPair makes an interface with carrier on a director, and its other end.
func (n *node) addPair(name string) {
	n.t.Helper()
	h := handle(n.t, n.ns)
	n.must(h.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "-end"}))
	for _, end := range []string{name, name + "-end"} {
		n.must(h.LinkSetUp(n.port(h, end)))
	}
}

// shown is what the status says of an instance: weights are those that count.
type shown struct {
	Priority uint8
	State    string
	Weights  map[string]int
}

// waitShown waits until lvs-ha status says so.
func (n *node) waitShown(what string, want shown) {
	n.t.Helper()
	var got shown
	defer func() {
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			n.t.Errorf("%s: status of %s (-want +got):\n%s", what, n.name, diff)
		}
	}()
	n.poll(what+" in the status of "+n.name, func() bool {
		out, err := n.order("status", "--json")
		if err != nil {
			return false // it may be starting
		}
		var s control.Status
		n.must(json.Unmarshal([]byte(out), &s))
		i := s.Instances[0]
		got = shown{i.Priority, i.State, make(map[string]int)}
		for _, c := range i.Contributions {
			if c.Weight != 0 {
				got.Weights[c.Track] = c.Weight
			}
		}
		return cmp.Equal(want, got, cmpopts.EquateEmpty())
	})
}

// worker is a program of its own name.
type worker struct {
	*segment
	path string
}

func (s *segment) worker() worker {
	s.t.Helper()
	sleep, err := exec.LookPath("sleep")
	s.must(err)
	from, err := os.Open(sleep)
	s.must(err)
	defer from.Close()
	w := worker{s, s.path("worker")}
	to, err := os.OpenFile(w.path, os.O_CREATE|os.O_WRONLY, 0o755)
	s.must(err)
	_, err = io.Copy(to, from)
	s.must(err)
	s.must(to.Close())
	return w
}

// start runs the program until it is ended, or the test.
func (w worker) start() (end func()) {
	w.t.Helper()
	cmd := exec.Command(w.path, "infinity")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	w.must(topo.Outside(cmd.Start))
	end = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // it runs until then
		_ = cmd.Wait()
	})
	w.t.Cleanup(end)
	return end
}
