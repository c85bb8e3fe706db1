// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"testing"
	"text/template"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/control"
)

// lvsHA is the daemon under test.
type lvsHA struct {
	end    *end
	dir    string
	out    *output
	main   *process // nil until it is started
	client *control.Client
}

// lvsHAConf has only the keys whose defaults will not do.
var lvsHAConf = template.Must(template.New("lvs-ha.toml").Funcs(template.FuncMap{
	"duration": func(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) },
}).Parse(`
[director]
name = "{{.Name}}"
state_dir = "{{.StateDir}}"

[speaker]
heartbeat = "10s" # many run at once, on few processors

[[vrrp]]
name = "web"
interface = "{{.Interface}}"
vrid = {{.VRID}}
priority = {{.Priority}}
advert_interval = "{{duration .Seconds}}"
{{- if eq .Version 2}}
version = 2
{{- end}}
{{- if not .Preempt}}
preempt = false
{{- end}}
{{- if .VirtualMAC}}
virtual_mac = true
{{- end}}
{{- if .Unicast}}
unicast = { source = "{{.Source}}", peers = ["{{.Peer}}"]{{if .MinTTL}}, min_ttl = {{.MinTTL}}{{end}} }
{{- end}}
{{- if .Group}}
checksum_compat = true
{{- end}}
{{- if .Password}}
password = "{{.Password}}"
{{- end}}
{{- if .Keys}}
auth = {{.Keys}}
{{- end}}
addresses = [{{range $i, $a := .Addresses}}{{if $i}}, {{end}}"{{$a}}"{{end}}]
`))

func newLVSHA(t *testing.T, at *end, s settings) *lvsHA {
	t.Helper()
	l := &lvsHA{end: at, dir: folder(t), out: newOutput()}
	l.client = control.NewClient(control.SocketPath(l.dir))
	l.configure(t, s)
	t.Cleanup(l.die)
	return l
}

// configure writes the configuration file.
func (l *lvsHA) configure(t *testing.T, s settings) {
	t.Helper()
	s.StateDir = l.dir
	write(t, l.file(), lvsHAConf, s)
}

func (l *lvsHA) file() string { return filepath.Join(l.dir, "lvs-ha.toml") }

func (l *lvsHA) start(context.Context) (err error) {
	path, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	l.main, err = l.end.start(l.out, path, "run", "--config", l.file())
	return err
}

func (l *lvsHA) resign(ctx context.Context) error { return l.main.terminate(ctx) }

func (l *lvsHA) die() { l.main.kill() }

func (l *lvsHA) log() string { return l.out.String() }

// statusTimeout bounds the wait for a status, as that of the status command.
const statusTimeout = 5 * time.Second

func (l *lvsHA) status(ctx context.Context) (control.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	return l.client.Status(ctx)
}

// instance returns the daemon's word on its instance.
func (l *lvsHA) instance(ctx context.Context) (control.Instance, error) {
	status, err := l.status(ctx)
	if err != nil {
		return control.Instance{}, err
	}
	if len(status.Instances) != 1 {
		return control.Instance{}, fmt.Errorf("lvs-ha has %d instances, not 1", len(status.Instances))
	}
	return status.Instances[0], nil
}

// waitInstance waits until the daemon's word on its instance satisfies holds.
func (l *lvsHA) waitInstance(ctx context.Context, what string, holds func(control.Instance) bool) error {
	var last control.Instance
	var problem error
	err := poll(ctx, what, func() (bool, error) {
		if l.main.ended() {
			return false, fmt.Errorf("it ended: %v", l.main.err)
		}
		last, problem = l.instance(ctx) // an error: it is not up yet; ctx ends the patience
		return problem == nil && holds(last), nil
	})
	if err != nil {
		return fmt.Errorf("%w; lvs-ha is %q (%s): %v", err, last.State, last.Reason, problem)
	}
	return nil
}

func (l *lvsHA) waitRole(ctx context.Context, role string) error {
	return l.waitInstance(ctx, "it is "+role, func(i control.Instance) bool { return i.State == role })
}

func (l *lvsHA) role(ctx context.Context) (role string, mark int64, err error) {
	i, err := l.instance(ctx)
	return i.State, i.Since.UnixNano(), err
}

func (l *lvsHA) complaints(ctx context.Context) (string, error) {
	discards, err := l.discards(ctx)
	if err != nil {
		return "", err
	}
	i, err := l.instance(ctx)
	switch {
	case err != nil:
		return "", err
	case len(discards) > 0:
		return fmt.Sprintf("discarded %v", discards), nil
	case i.IntervalMismatch > 0, i.AddressMismatch > 0:
		return fmt.Sprintf("interval mismatch %d, address mismatch %d", i.IntervalMismatch, i.AddressMismatch), nil
	}
	return "", nil
}

// discards returns how many packets were refused for each reason, with and
// without an instance that they belong to.
func (l *lvsHA) discards(ctx context.Context) (map[string]uint64, error) {
	status, err := l.status(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[string]uint64)
	for _, unclaimed := range status.Unclaimed {
		maps.Copy(all, unclaimed)
	}
	for _, i := range status.Instances {
		for reason, n := range i.Discarded {
			all[reason] += n
		}
	}
	return all, nil
}

var _ router = (*lvsHA)(nil)

// pollInterval is how often poll looks.
const pollInterval = 30 * time.Millisecond

// poll looks, at what no event tells of, until it holds or ctx ends.
func poll(ctx context.Context, what string, holds func() (bool, error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		ok, err := holds()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}
