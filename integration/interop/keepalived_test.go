// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"text/template"
)

// keepalivedRouter is keepalived, only its VRRP side.
type keepalivedRouter struct {
	speaking
	end *end
	dir string
}

var keepalivedConf = template.Must(template.New("keepalived.conf").Parse(`
global_defs {
	router_id {{.Name}}
	vrrp_version {{.Version}}
}
vrrp_instance web {
	state BACKUP
	interface {{.Interface}}
	virtual_router_id {{.VRID}}
	priority {{.Priority}}
	advert_int {{.Seconds}}
{{- if not .Preempt}}
	nopreempt
{{- end}}
{{- if .VirtualMAC}}
	use_vmac
{{- end}}
{{- if .Unicast}}
	unicast_src_ip {{.Source}}
	unicast_peer {
		{{.Peer}}
	}
{{- end}}
{{- if .Group}}
	old_unicast_checksum
{{- end}}
{{- if .Password}}
	authentication {
		auth_type PASS
		auth_pass {{.Password}}
	}
{{- end}}
	virtual_ipaddress {
{{- range .Addresses}}
		{{.}}
{{- end}}
	}
}
`))

func newKeepalived(t *testing.T, at *end, s settings) *keepalivedRouter {
	t.Helper()
	k := &keepalivedRouter{end: at, dir: folder(t), speaking: speaking{
		out:       newOutput(),
		enters:    regexp.MustCompile(`\(web\) Entering (MASTER|BACKUP|FAULT) STATE`),
		complains: regexp.MustCompile(`(?i)invalid|wrong|bogus|mismatch|dropp|incorrect|received a \d+ auth|not present|unknown`),
	}}
	write(t, filepath.Join(k.dir, "keepalived.conf"), keepalivedConf, s)
	t.Cleanup(k.die)
	return k
}

func (k *keepalivedRouter) start(context.Context) (err error) {
	pids := []string{filepath.Join(k.dir, "pid"), filepath.Join(k.dir, "vrrp.pid")}
	for _, file := range pids { // a killed one leaves them, and does not start while one's process awaits its reaping
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	k.since = len(k.log())
	k.main, err = k.end.start(k.out, "keepalived", "--vrrp", "--dont-fork", "--log-console", "--log-detail", "--no-syslog",
		"--use-file="+filepath.Join(k.dir, "keepalived.conf"), "--pid="+pids[0], "--vrrp_pid="+pids[1])
	return err
}

func (k *keepalivedRouter) resign(ctx context.Context) error { return k.main.terminate(ctx) }

func (k *keepalivedRouter) die() { k.main.kill() }

var _ router = (*keepalivedRouter)(nil)
