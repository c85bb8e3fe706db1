// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lvs-ha/lvs-ha/integration/pair"
	"github.com/lvs-ha/lvs-ha/internal/control"
)

// family is an address family of the tests beside keepalived. The IPv6 list
// begins with a virtual link-local address, as both sides demand.
type family struct {
	name      string
	addresses []string
}

var families = []family{
	{"IPv4", []string{"192.0.2.100/24", "192.0.2.101/24"}},
	{"IPv6", []string{"fe80::100/64", "2001:db8::100/64"}},
}

// vip is the address that tells who is master.
func (f family) vip() string {
	address, _, _ := strings.Cut(f.addresses[1], "/")
	return address
}

// beside is lvs-ha in node a with keepalived in node b.
type beside struct {
	*running
	family family
}

// TestBesideKeepalived holds lvs-ha and a real keepalived against each other,
// each as master and as backup.
func TestBesideKeepalived(t *testing.T) {
	requireLayer(t, "namespaces", "test-namespaces")
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
			t.Cleanup(cancel)
			p, err := pair.Up(ctx, "testdata/interop.clab.yml")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := p.Down(); err != nil {
					t.Error(err)
				}
			})
			b := &beside{&running{Pair: p, t: t, ctx: ctx}, f}
			b.waitLinkLocal()
			t.Run("lvs-ha follows keepalived", b.followsKeepalived)
			t.Run("keepalived follows lvs-ha", b.isFollowed)
		})
	}
}

// followsKeepalived: backup beside a better keepalived, master when that stops,
// backup again when it returns.
func (b *beside) followsKeepalived(t *testing.T) {
	b.t = t
	ka := b.keepalived(200)
	b.waitVIP("b", b.family.vip(), true)
	d := b.lvsHA(100)
	b.waitStatus(d, "ten adverts heard as backup", func(i control.Instance) bool { return i.State == "backup" && i.Received >= 10 })
	b.wantNoDiscards(d)
	b.check(ka.Stop(b.ctx))
	b.waitVIP("a", b.family.vip(), true)
	b.waitLog(d, "web: backup -> master (peer resigned")
	b.waitVIP("b", b.family.vip(), false)
	ka = b.keepalived(200)
	b.waitLog(d, "web: master -> backup (higher priority heard")
	b.waitVIP("b", b.family.vip(), true)
	b.waitVIP("a", b.family.vip(), false)
	b.wantNoDiscards(d)
	b.check(d.Stop(b.ctx))
	b.check(ka.Stop(b.ctx))
}

// isFollowed: a keepalived that starts beside a better lvs-ha. It refuses
// adverts in RFC 9568's checksum form until lvs-ha has heard its own.
func (b *beside) isFollowed(t *testing.T) {
	b.t = t
	d := b.lvsHA(200)
	b.waitVIP("a", b.family.vip(), true)
	ka := b.keepalived(100)
	if b.family.name == "IPv4" {
		b.check(ka.WaitLog(b.ctx, "Entering MASTER STATE"))
		b.check(ka.WaitLogs(b.ctx, "Entering BACKUP STATE", 2))
	} else {
		b.check(ka.WaitLog(b.ctx, "Entering BACKUP STATE"))
	}
	settled := strings.Count(ka.Log(), "Entering MASTER STATE")
	sent := b.status(d).Sent
	b.waitStatus(d, "ten more adverts sent as master", func(i control.Instance) bool { return i.State == "master" && i.Sent >= sent+10 })
	if got := strings.Count(ka.Log(), "Entering MASTER STATE"); got != settled {
		t.Errorf("keepalived became master again beside our adverts:\n%s", ka.Log())
	}
	b.waitVIP("b", b.family.vip(), false)
	b.check(d.Stop(b.ctx))
	b.waitVIP("b", b.family.vip(), true)
	b.waitVIP("a", b.family.vip(), false)
	if !strings.Contains(d.Log(), "web: master -> initialize (handed over") {
		t.Errorf("no hand-over:\n%s", d.Log())
	}
	b.check(ka.Stop(b.ctx))
}

const interval = "500ms"

func (b *beside) lvsHA(priority int) *pair.Director {
	b.t.Helper()
	b.writeFile("a", "/run/lvs-ha.toml", fmt.Sprintf(`
[[vrrp]]
name = "web"
interface = "eth1"
vrid = 51
priority = %d
advert_interval = %q
addresses = ["%s"]
`, priority, interval, strings.Join(b.family.addresses, `", "`)))
	d, err := b.Start("a", nil, "lvs-ha", "run", "-c", "/run/lvs-ha.toml")
	b.check(err)
	b.logAtFailure(d)
	return &pair.Director{Daemon: d}
}

func (b *beside) keepalived(priority int) *pair.Daemon {
	b.t.Helper()
	b.writeFile("b", "/run/keepalived.conf", fmt.Sprintf(`
global_defs {
	router_id b
	vrrp_version 3
}
vrrp_instance web {
	state BACKUP
	interface eth1
	virtual_router_id 51
	priority %d
	advert_int 0.5
	virtual_ipaddress {
		%s
	}
}
`, priority, strings.Join(b.family.addresses, "\n\t\t")))
	d, err := b.Start("b", nil, "keepalived", "--vrrp", "--dont-fork", "--log-console", "--log-detail",
		"-f", "/run/keepalived.conf", "-p", "/run/keepalived.pid", "-r", "/run/vrrp.pid")
	b.check(err)
	b.logAtFailure(d)
	return d
}

func (b *beside) logAtFailure(d *pair.Daemon) {
	t := b.t
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", d.Log())
		}
	})
}

// waitLinkLocal waits until duplicate address detection has passed.
func (b *beside) waitLinkLocal() {
	b.t.Helper()
	for _, node := range []string{"a", "b"} {
		b.wait("a link-local address", func(out string) bool {
			return strings.Contains(out, "fe80:") && !strings.Contains(out, "tentative")
		}, node, "ip", "-6", "-o", "addr", "show", "dev", "eth1")
	}
}

func (b *beside) waitStatus(d *pair.Director, what string, holds func(control.Instance) bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	b.check(d.WaitStatus(ctx, what, func(s control.Status) bool { return slices.ContainsFunc(s.Instances, holds) }))
}

func (b *beside) status(d *pair.Director) control.Instance {
	b.t.Helper()
	s, err := d.Status(b.ctx)
	b.check(err)
	return s.Instances[0]
}

func (b *beside) wantNoDiscards(d *pair.Director) {
	b.t.Helper()
	if got := b.status(d).Discarded; len(got) > 0 {
		b.t.Errorf("adverts of keepalived were discarded: %v", got)
	}
}
