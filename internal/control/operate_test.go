// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// orders are all that a client can give, and what the daemon hears.
var orders = []struct {
	give func(context.Context, *Client) error
	want string
}{
	{func(ctx context.Context, c *Client) error { return c.Standby(ctx, "web") }, `standby "web"`},
	{func(ctx context.Context, c *Client) error { return c.Standby(ctx, "") }, `standby ""`},
	{func(ctx context.Context, c *Client) error { return c.Resume(ctx, "web") }, `resume "web"`},
	{func(ctx context.Context, c *Client) error { return c.Resume(ctx, "") }, `resume ""`},
	{func(ctx context.Context, c *Client) error { return c.SetPriority(ctx, "web", 254) }, `priority "web" 254`},
	{func(ctx context.Context, c *Client) error { return c.SetPriority(ctx, "web", 0) }, `priority "web" 0`},
	{func(ctx context.Context, c *Client) error { return c.SetPriority(ctx, "a&b=c d/é?", 7) }, `priority "a&b=c d/é?" 7`},
}

func TestOrders(t *testing.T) {
	d := &fakeDaemon{}
	c := NewClient(serve(t, d))
	var want []string
	for _, o := range orders {
		if err := o.give(t.Context(), c); err != nil {
			t.Errorf("%s: %v", o.want, err)
		}
		want = append(want, o.want)
	}
	if diff := cmp.Diff(want, d.orders); diff != "" {
		t.Errorf("orders (-given +heard):\n%s", diff)
	}
}

func TestARefusedOrderSaysWhy(t *testing.T) {
	d := &fakeDaemon{orderErr: errors.New("web stays master: no peer took over")}
	c := NewClient(serve(t, d))
	for _, o := range orders {
		if err := o.give(t.Context(), c); err == nil || err.Error() != d.orderErr.Error() {
			t.Errorf("%s: %v, want the daemon's words: %v", o.want, err, d.orderErr)
		}
	}
}

// TestNotes come with the answer to an order that was carried out, or after the
// reason why it was not.
func TestNotes(t *testing.T) {
	for _, notes := range [][]string{nil, {"f:1:2: warning: <odd> & \"quoted\""}, {"one", "two"}} {
		d := &fakeDaemon{notes: notes}
		c := NewClient(serve(t, d))
		for what, give := range map[string]func() error{
			"reload":   func() error { return c.Reload(t.Context()) },
			"standby":  func() error { return c.Standby(t.Context(), "web") },
			"priority": func() error { return c.SetPriority(t.Context(), "web", 7) },
		} {
			c.Note = nil
			if err := give(); err != nil {
				t.Errorf("%s, nobody listens: %v", what, err)
			}
			var got []string
			c.Note = func(line string) { got = append(got, line) }
			if err := give(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if diff := cmp.Diff(notes, got); diff != "" {
				t.Errorf("%s: notes (-want +got):\n%s", what, diff)
			}
		}
	}
	d := &fakeDaemon{notes: []string{"one", "two"}, reloadErr: errors.New("in force, but")}
	c := NewClient(serve(t, d))
	c.Note = func(line string) { t.Errorf("note %q of an order that failed", line) }
	if err := c.Reload(t.Context()); err == nil || err.Error() != "in force, but\none\ntwo" {
		t.Errorf("Reload() = %v, want the notes after the reason", err)
	}
}

// TestBadRequests are what no client of ours sends.
func TestBadRequests(t *testing.T) {
	d := &fakeDaemon{}
	c := NewClient(serve(t, d))
	for _, test := range []struct {
		method, path string
		status       int
		answer       string
	}{
		{"POST", "/v1/priority?instance=web", 422, `priority "": expected 1 to 254`},
		{"POST", "/v1/priority?instance=web&priority=256", 422, `priority "256": expected 1 to 254`},
		{"POST", "/v1/priority?instance=web&priority=-1", 422, `priority "-1": expected 1 to 254`},
		{"POST", "/v1/priority?instance=web&priority=high", 422, `priority "high": expected 1 to 254`},
		{"GET", "/v1/standby?instance=web", 405, "Method Not Allowed"},
		{"POST", "/v1/nonsense", 404, "404 page not found"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), test.method, "http://lvs-ha"+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != test.status || strings.TrimSpace(string(body)) != test.answer {
			t.Errorf("%s %s = %d %q, %v; want %d %q", test.method, test.path, resp.StatusCode, body, err, test.status, test.answer)
		}
	}
	if len(d.orders) > 0 {
		t.Errorf("bad requests reached the daemon: %v", d.orders)
	}
}

// hanging is a daemon whose hand-over never ends.
type hanging struct {
	fakeDaemon
	gone chan struct{}
}

func (h *hanging) Standby(ctx context.Context, _ string) ([]string, error) {
	<-ctx.Done()
	close(h.gone)
	return nil, ctx.Err()
}

func TestAnOperatorWhoGivesUpIsNotWaitedFor(t *testing.T) {
	h := &hanging{gone: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := NewClient(serve(t, h)).Standby(ctx, ""); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("Standby() = %v", err)
	}
	<-h.gone
}

// TestTextOfRoles holds the text against testdata/roles.txt.
func TestTextOfRoles(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := Status{
		Name: "d1", Version: "1", PID: 7, SpeakerPID: 8, Started: at, ConfigFile: "/etc/lvs-ha/lvs-ha.toml",
		Instances: []Instance{
			{
				Name: "web", Interface: "eth0", VRID: 51, Priority: 120, PriorityBase: 150, State: "master", Since: at, Reason: "master down timer",
				Contributions: []Contribution{
					{Track: "uplink", Weight: -30, Detail: "interface eth2 is down"}, {Track: "pool", Detail: "weight 3 of quorum 2"},
				},
			},
			{
				Name: "mail", Interface: "eth0", VRID: 52, Priority: 205, PriorityBase: 200, PriorityOrdered: true,
				Contributions: []Contribution{{Track: "load", Weight: 5, Detail: "value 5"}},
				State:         "backup", Since: at, Reason: "standby", Standby: true, Peer: "192.0.2.2",
			},
			{
				Name: "ntp", Interface: "eth0", VRID: 55, Priority: 100, PriorityBase: 100, State: "backup", Since: at, Reason: "startup", Peer: "192.0.2.2",
				ClockSkewSeconds: -1.75, ClockWindowSeconds: 5, ClockPeer: "192.0.2.2",
				Troubles:  []Trouble{{Peer: "192.0.2.9", What: "adverts dropped: ttl", Last: at.Add(87 * time.Second)}, {Peer: "192.0.2.2", What: "its list of VIPs differs from ours", Last: at}},
				Discarded: map[string]uint64{"ttl": 3, "checksum": 1}, AddressMismatch: 7,
			},
			{
				Name: "old", Interface: "eth0", VRID: 56, Priority: 100, PriorityBase: 100, State: "backup", Since: at, Reason: "startup", Peer: "192.0.2.2",
				ClockSkewSeconds: 1.6, ClockWindowSeconds: 5, ClockPeer: "192.0.2.2", Discarded: map[string]uint64{"ttl": 3},
			},
			{Name: "dns", Interface: "eth0", VRID: 53, Priority: 100, PriorityBase: 100, State: "master", Since: at, Reason: "peer resigned", Standby: true, HandingOver: true},
			{Name: "ftp", Interface: "eth9", VRID: 54, Priority: 100, PriorityBase: 100, State: "fault", Since: at, Reason: "interface eth9 does not exist"},
		},
		Sync:      Sync{Mode: "off"},
		Unclaimed: map[string]map[string]uint64{"eth0": {"vrid": 12}, "eth1": {}},
	}
	var b strings.Builder
	if err := s.WriteText(&b, at.Add(90*time.Second)); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "roles.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s\n%s", diff, b.String())
	}
}
