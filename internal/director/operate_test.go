// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-ha/lvs-ha/internal/speaker"
)

// groupConfig has two instances that move together, one alone, and an owner.
const groupConfig = `
[director]
name = "d1"

[[vrrp]]
name = "web"
interface = "eth0"
vrid = 51
priority = 150
addresses = ["192.0.2.10/24"]

[[vrrp]]
name = "inside"
interface = "eth1"
vrid = 51
priority = 150
addresses = ["10.0.1.1/24"]

[[sync_group]]
name = "both"
members = ["web", "inside"]

[[vrrp]]
name = "dns"
interface = "eth0"
vrid = 53
priority = 120
addresses = ["192.0.2.53/24"]

[[vrrp]]
name = "own"
interface = "eth2"
vrid = 54
priority = 255
addresses = ["198.51.100.1/24"]
`

// ownerHost is a machine with the interfaces of groupConfig.
type ownerHost struct{}

func (ownerHost) InterfaceAddresses(name string) ([]netip.Prefix, bool) {
	return map[string][]netip.Prefix{"eth0": {}, "eth1": {}, "eth2": {netip.MustParsePrefix("198.51.100.1/24")}}[name], true
}

func (ownerHost) UserExists(string) bool { return true }
func (ownerHost) IPVSFault() string      { return "" }

// operated is what the operator's orders make of an instance.
type operated struct {
	standby  bool
	priority uint8
}

// ordered returns what the speaker was told last.
func (w *world) ordered() map[string]operated {
	w.t.Helper()
	all := told[speaker.Configure](w)
	if len(all) == 0 {
		w.t.Fatal("the speaker was never configured")
	}
	m := make(map[string]operated)
	for _, i := range all[len(all)-1].Instances {
		m[i.Name] = operated{i.Standby, i.Priority}
	}
	return m
}

func (w *world) wantOrdered(when string, want map[string]operated) {
	w.t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, w.ordered(), cmp.AllowUnexported(operated{})); diff != "" {
		w.t.Errorf("%s: instances (-want +got):\n%s", when, diff)
	}
}

// configured is groupConfig without an order.
func configured() map[string]operated {
	return map[string]operated{"web": {false, 150}, "inside": {false, 150}, "dns": {false, 120}, "own": {false, 255}}
}

func TestOrders(t *testing.T) {
	tests := []struct {
		name  string
		give  func(d *Director, ctx context.Context) error
		want  func(m map[string]operated)
		event string
		err   string // nothing changes then
	}{
		{
			"standby of one", func(d *Director, ctx context.Context) error { return onlyError(d.Standby(ctx, "dns")) },
			func(m map[string]operated) { m["dns"] = operated{true, 120} }, "operator: standby of dns", "",
		},
		{
			"standby of a sync group", func(d *Director, ctx context.Context) error { return onlyError(d.Standby(ctx, "inside")) },
			func(m map[string]operated) { m["web"], m["inside"] = operated{true, 150}, operated{true, 150} }, "operator: standby of web, inside", "",
		},
		{
			"standby of all", func(d *Director, ctx context.Context) error { return onlyError(d.Standby(ctx, "")) },
			func(m map[string]operated) {
				for name, o := range m {
					m[name] = operated{true, o.priority}
				}
			}, "operator: standby of web, inside, dns, own", "",
		},
		{
			"priority", func(d *Director, ctx context.Context) error { return onlyError(d.SetPriority(ctx, "dns", 7)) },
			func(m map[string]operated) { m["dns"] = operated{false, 7} }, "operator: priority 7 of dns", "",
		},
		{
			"priority 0 is the configured one", func(d *Director, ctx context.Context) error {
				return errors.Join(onlyError(d.SetPriority(ctx, "dns", 7)), onlyError(d.SetPriority(ctx, "dns", 0)))
			}, nil, "operator: the configured priority of dns", "",
		},
		{
			"resume of a sync group", func(d *Director, ctx context.Context) error {
				return errors.Join(onlyError(d.Standby(ctx, "")), d.Resume(ctx, "web"))
			},
			func(m map[string]operated) { m["dns"], m["own"] = operated{true, 120}, operated{true, 255} }, "operator: resume of web, inside", "",
		},
		{
			"resume of all", func(d *Director, ctx context.Context) error {
				return errors.Join(onlyError(d.Standby(ctx, "web")), onlyError(d.Standby(ctx, "dns")), d.Resume(ctx, ""))
			}, nil, "operator: resume of web, inside, dns, own", "",
		},
		{
			"unknown instance", func(d *Director, ctx context.Context) error { return onlyError(d.Standby(ctx, "wbe")) },
			nil, "", `no VRRP instance "wbe": there are web, inside, dns, own`,
		},
		{
			"resume of an unknown instance", func(d *Director, ctx context.Context) error { return d.Resume(ctx, "wbe") },
			nil, "", `no VRRP instance "wbe"`,
		},
		{
			"priority of an unknown instance", func(d *Director, ctx context.Context) error { return onlyError(d.SetPriority(ctx, "wbe", 7)) },
			nil, "", `no VRRP instance "wbe"`,
		},
		{
			"priority of an owner", func(d *Director, ctx context.Context) error { return onlyError(d.SetPriority(ctx, "own", 100)) },
			nil, "", "own has priority 255 as the owner of its addresses, which an order cannot change",
		},
		{
			"the owner's priority", func(d *Director, ctx context.Context) error { return onlyError(d.SetPriority(ctx, "dns", 255)) },
			nil, "", "priority 255 is for the owner of the addresses: give 1 to 254",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, groupConfig, nil)
				w.start()
				before := len(told[speaker.Configure](w))
				err := test.give(w.director, t.Context())
				synctest.Wait()
				if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
					t.Errorf("error = %v, want %q", err, test.err)
				}
				want := configured()
				if test.want != nil {
					test.want(want)
				}
				w.wantOrdered("after the order", want)
				events := w.records(Operated)
				switch {
				case test.err != "" && (len(events) > 0 || len(told[speaker.Configure](w)) > before):
					t.Errorf("a refused order had effects: %v", events)
				case test.err == "" && events[len(events)-1]["msg"] != test.event:
					t.Errorf("event = %v, want %q", events[len(events)-1]["msg"], test.event)
				}
			})
		})
	}
}

func TestOrdersSurviveReloadAndRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, groupConfig, nil)
		stop := w.start()
		w.director.opts.Host = ownerHost{}
		if err := errors.Join(onlyError(w.director.Standby(t.Context(), "web")), onlyError(w.director.SetPriority(t.Context(), "dns", 7))); err != nil {
			t.Fatal(err)
		}
		want := configured()
		want["web"], want["inside"], want["dns"] = operated{true, 150}, operated{true, 150}, operated{false, 7}
		w.wantOrdered("after the orders", want)

		w.write(strings.Replace(groupConfig, "priority = 120", "priority = 130", 1))
		if _, err := w.director.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.wantOrdered("after a reload", want)

		if err := stop(); err != nil {
			t.Fatal(err)
		}
		w.owned = nil
		w.start()
		w.wantOrdered("after a restart", want)

		if err := onlyError(w.director.SetPriority(t.Context(), "dns", 0)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want["dns"] = operated{false, 130}
		w.wantOrdered("with the configured priority", want)
	})
}

func TestOrdersForARemovedInstanceAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, groupConfig, nil)
		stop := w.start()
		w.director.opts.Host = ownerHost{}
		if err := errors.Join(onlyError(w.director.Standby(t.Context(), "dns")), onlyError(w.director.SetPriority(t.Context(), "dns", 7)), onlyError(w.director.Standby(t.Context(), "own"))); err != nil {
			t.Fatal(err)
		}
		w.write(strings.Replace(groupConfig, `name = "dns"`, `name = "ntp"`, 1))
		if _, err := w.director.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.write(groupConfig)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		w.owned = nil
		w.start()
		want := configured()
		want["own"] = operated{true, 255}
		w.wantOrdered("back in the configuration", want)
	})
}

func TestAnOrderThatCannotBeWrittenIsInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, groupConfig, nil)
		w.start()
		// A folder in the file's place makes the rename fail.
		if err := os.MkdirAll(filepath.Join(filepath.Dir(w.file), "overrides.json", "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		err := onlyError(w.director.SetPriority(t.Context(), "dns", 7))
		synctest.Wait()
		if err == nil || !strings.Contains(err.Error(), "in force, but not over a restart") || !strings.Contains(err.Error(), "overrides.json") {
			t.Errorf("SetPriority() = %v", err)
		}
		want := configured()
		want["dns"] = operated{false, 7}
		w.wantOrdered("after the order", want)
	})
}

func TestStatusTellsTheOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, groupConfig, nil)
		w.start()
		if err := onlyError(w.director.SetPriority(t.Context(), "dns", 7)); err != nil {
			t.Fatal(err)
		}
		w.status = speaker.Status{Instances: []speaker.InstanceStatus{
			{Config: speaker.Instance{Name: "web", Priority: 150}, Priority: 150, Standby: true, HandingOver: true},
			{Config: speaker.Instance{Name: "dns", Priority: 7}, Priority: 12, Contributions: []speaker.Contribution{{Track: "load", Weight: 5, Detail: "value 5"}}},
		}}
		s, err := w.director.Status(t.Context())
		if err != nil || len(s.Instances) != 2 {
			t.Fatalf("Status() = %+v, %v", s, err)
		}
		web, dns := s.Instances[0], s.Instances[1]
		if !web.Standby || !web.HandingOver || web.PriorityOrdered {
			t.Errorf("web = %+v", web)
		}
		if dns.Standby || !dns.PriorityOrdered || dns.PriorityBase != 7 || dns.Priority != 12 || len(dns.Contributions) != 1 {
			t.Errorf("dns = %+v", dns)
		}
	})
}
