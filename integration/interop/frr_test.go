// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"text/template"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
)

const (
	frrFolder = "/usr/lib/frr"
	// frrUser is the user that Debian's packages run FRR as; another one must be
	// in the group frrvty.
	frrUser = "frr"
)

// frrRouter is FRR's vrrpd, with the zebra that it knows interfaces from. The
// macvlan interface with the virtual MAC and the VIPs is ours to make; vrrpd
// lets zebra switch it off (protodown) unless it is master.
type frrRouter struct {
	speaking
	end   *end
	dir   string
	zebra *process
}

var frrConf = template.Must(template.New("frr.conf").Funcs(template.FuncMap{
	"milliseconds": func(seconds float64) int { return int(seconds * 1000) },
}).Parse(`
hostname {{.Name}}
debug vrrp protocol
interface {{.Interface}}
 vrrp {{.VRID}} version {{.Version}}
 vrrp {{.VRID}} priority {{.Priority}}
 vrrp {{.VRID}} advertisement-interval {{milliseconds .Seconds}}
 {{if not .Preempt}}no {{end}}vrrp {{.VRID}} preempt
{{- range .Addresses}}
 vrrp {{$.VRID}} {{.}}
{{- end}}
`))

func newFRR(t *testing.T, at *end, f family, s settings) *frrRouter {
	t.Helper()
	r := &frrRouter{end: at, dir: folder(t), speaking: speaking{
		out:       newOutput(),
		enters:    regexp.MustCompile(`\] (?:Initialize|Backup|Master) -> (Initialize|Backup|Master)`),
		complains: regexp.MustCompile(`Datagram invalid|Bad `),
	}}
	t.Cleanup(r.close)
	if err := r.addInterface(f, s); err != nil {
		t.Fatal(err)
	}
	s.Addresses = nil
	for _, a := range f.addresses() {
		word := "ip"
		if f == familyIPv6 {
			word = "ipv6"
		}
		s.Addresses = append(s.Addresses, fmt.Sprintf("%s %s", word, a.Addr()))
	}
	write(t, r.conf(), frrConf, s)
	for _, path := range []string{r.dir, r.conf()} {
		if err := give(path); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *frrRouter) conf() string { return filepath.Join(r.dir, "vrrpd.conf") }

// give makes FRR's user the owner of a file or folder.
func give(path string) error {
	u, err := user.Lookup(frrUser)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}

// addInterface makes the macvlan interface.
func (r *frrRouter) addInterface(f family, s settings) error {
	base, err := r.end.links.LinkByName(ifname)
	if err != nil {
		return err
	}
	mac := net.HardwareAddr{0, 0, 0x5e, 0, 1, byte(s.VRID)}
	if f == familyIPv6 {
		mac[4] = 2
	}
	link := &netlink.Macvlan{
		LinkAttrs: netlink.LinkAttrs{Name: "vrrp", ParentIndex: base.Attrs().Index, HardwareAddr: mac},
		Mode:      netlink.MACVLAN_MODE_BRIDGE,
	}
	if err := r.end.links.LinkAdd(link); err != nil {
		return fmt.Errorf("add macvlan interface: %w", err)
	}
	if err := r.end.links.LinkSetIP6AddrGenMode(link, nl.IN6_ADDR_GEN_MODE_NONE); err != nil {
		return err
	}
	if err := r.end.add(link, f.addresses()...); err != nil {
		return err
	}
	return r.end.links.LinkSetUp(link)
}

func (r *frrRouter) start(ctx context.Context) (err error) {
	if r.zebra == nil {
		if err := r.startZebra(ctx); err != nil {
			return err
		}
	}
	r.since = len(r.log())
	r.main, err = r.end.start(r.out, filepath.Join(frrFolder, "vrrpd"), r.arguments("vrrpd", "--config_file", r.conf())...)
	return err
}

// startZebra returns once vrrpd can reach it.
func (r *frrRouter) startZebra(ctx context.Context) (err error) {
	r.zebra, err = r.end.start(r.out, filepath.Join(frrFolder, "zebra"), r.arguments("zebra", "--config_file", os.DevNull)...)
	if err != nil {
		return err
	}
	return poll(ctx, "zebra's socket", func() (bool, error) {
		_, err := os.Stat(r.socket())
		return err == nil, nil
	})
}

func (r *frrRouter) socket() string { return filepath.Join(r.dir, "zserv.api") }

func (r *frrRouter) arguments(name string, more ...string) []string {
	return append([]string{
		"--vty_socket", r.dir, "--vty_port", "0", "--socket", r.socket(), "--pid_file", filepath.Join(r.dir, name+".pid"),
		"--user", frrUser, "--group", frrUser, "--log", "stdout",
	}, more...)
}

func (r *frrRouter) resign(ctx context.Context) error { return r.main.terminate(ctx) }

// die leaves zebra and the interface as they are.
func (r *frrRouter) die() { r.main.kill() }

func (r *frrRouter) close() {
	r.main.kill()
	r.zebra.kill()
}

var _ router = (*frrRouter)(nil)
