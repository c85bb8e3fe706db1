// SPDX-License-Identifier: Apache-2.0

package director

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/lvs-ha/lvs-ha/internal/health"
	"github.com/lvs-ha/lvs-ha/internal/ipvs"
	"github.com/lvs-ha/lvs-ha/internal/notify"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/syncd"
	"github.com/lvs-ha/lvs-ha/internal/track"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const exampleConfig = `
[director]
name = "d1"

[sync]
mode = "multicast"
id = 7
instance = "web"
interface = "eth1"

[[vrrp]]
name = "web"
interface = "eth0"
vrid = 51
priority = 150
addresses = ["192.0.2.10/24"]

[[check]]
name = "web"
type = "tcp"

[[virtual_server]]
name = "www"
addresses = ["192.0.2.10:80"]
scheduler = "rr"
check = "web"

  [[virtual_server.real_server]]
  address = "10.0.1.11:80"
  weight = 10

  [[virtual_server.real_server]]
  address = "10.0.1.12:80"
  weight = 20
`

// world is everything around a director: fake kernel, fake speaker, fake
// probes, a configuration file, and the log that it writes.
type world struct {
	t        *testing.T
	file     string
	table    *ipvs.Fake
	sync     *syncd.Fake
	events   chan speaker.Event
	director *Director
	owned    *owned // nil: read from the state_dir
	tracker  *fakeTracker
	notifier *fakeNotifier
	speaker  speaker.Started // what it says at its first configuration
	stopped  bool            // by the test, which knows how it ended
	heard    int             // commands that wantTracked has seen

	mu       sync.Mutex
	status   speaker.Status // the speaker's answer
	commands []speaker.Command
	targets  []health.Target
	log      bytes.Buffer
}

type fakeTracker struct{ trackers []track.Tracker }

func (f *fakeTracker) Set(trackers []track.Tracker) { f.trackers = trackers }

type fakeNotifier struct {
	commands []notify.Command
	events   []notify.Event
}

func (f *fakeNotifier) Set(commands []notify.Command) { f.commands = commands }
func (f *fakeNotifier) Notify(e notify.Event)         { f.events = append(f.events, e) }

func (w *world) Table(context.Context) (Table, error) { return w.table, nil }

func (w *world) SyncDaemons(context.Context) (SyncDaemons, error) {
	return syncd.NewController(w.sync), nil
}

func (w *world) Set(targets []health.Target) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.targets = targets
	return nil
}

func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

// newWorld prepares a director with the configuration; start runs it.
func newWorld(t *testing.T, toml string, have ipvs.Table) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{
		t: t, file: filepath.Join(dir, "lvs-ha.toml"),
		table: ipvs.NewFake(have), sync: syncd.NewFake(), events: make(chan speaker.Event),
		tracker: &fakeTracker{}, notifier: &fakeNotifier{}, speaker: speaker.Started{PID: 1},
	}
	w.write(toml)
	return w
}

func (w *world) write(toml string) {
	w.t.Helper()
	toml = strings.Replace(toml, "[director]\n", "[director]\nstate_dir = \""+filepath.Dir(w.file)+"\"\n", 1)
	if err := os.WriteFile(w.file, []byte(toml), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// start runs the director; stop, which the test's end calls too, stops it and
// returns what Run did.
func (w *world) start() (stop func() error) {
	w.t.Helper()
	o := Options{ConfigFile: w.file, Version: "test", Log: slog.New(slog.NewJSONHandler(w, nil)), Notify: func(string) {}}
	c, _, err := LoadConfig(o.ConfigFile, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.owned == nil {
		if w.owned, err = openOwned(c.Director.StateDir); err != nil {
			w.t.Fatal(err)
		}
	}
	commands := make(chan speaker.Command)
	orders, err := openOverrides(c.Director.StateDir)
	if err != nil {
		w.t.Fatal(err)
	}
	w.director = &Director{
		opts: o, log: o.Log, kernel: w, probes: w, speaker: commands, events: w.events, results: newQueue[health.Result](),
		tracker: w.tracker, readings: newQueue[track.Reading](), notifier: w.notifier, news: newQueue[Event](),
		config: c, owned: w.owned, overrides: orders,
	}
	w.director.init()
	broken, breakUp := context.WithCancel(context.Background())
	ctx, cancel := context.WithCancel(broken)
	go func() {
		for {
			select {
			case c := <-commands:
				w.command(broken, c)
			case <-broken.Done():
				return
			}
		}
	}()
	done := make(chan error, 1)
	go func() { done <- w.director.Run(ctx, broken, func() {}) }()
	synctest.Wait()
	stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		breakUp()
		return err
	})
	w.t.Cleanup(func() {
		if err := stop(); err != nil && !w.stopped {
			w.t.Error(err)
		}
	})
	return stop
}

// command is the speaker's side.
func (w *world) command(ctx context.Context, c speaker.Command) {
	w.mu.Lock()
	first := len(w.commands) == 0
	w.commands = append(w.commands, c)
	w.mu.Unlock()
	answer := func(e speaker.Event) {
		go func() {
			select {
			case w.events <- e:
			case <-ctx.Done():
			}
		}()
	}
	switch c.(type) {
	case speaker.Configure:
		if first {
			answer(w.speaker)
		}
	case speaker.Query:
		w.mu.Lock()
		status := w.status
		w.mu.Unlock()
		answer(status)
	case speaker.Shutdown:
		answer(speaker.Stopped{})
	}
}

// say lets the speaker say something, and the director think about it.
func (w *world) say(events ...speaker.Event) {
	for _, e := range events {
		w.events <- e
	}
	synctest.Wait()
}

// told returns the speaker's commands of one type.
func told[C speaker.Command](w *world) []C {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []C
	for _, c := range w.commands {
		if c, ok := c.(C); ok {
			all = append(all, c)
		}
	}
	return all
}

func (w *world) probe(id string, v health.Verdict, failure string) {
	r := health.Result{ID: id, Verdict: v, Changed: true}
	if failure != "" {
		r.Err = errors.New(failure)
	}
	w.director.results.put(r)
	synctest.Wait()
}

// kernel returns the fake kernel's table, one "service: destination weight" a
// line.
func (w *world) kernel() string {
	w.t.Helper()
	s, err := w.table.Snapshot(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range s.Table {
		b.WriteString(e.Service.Key.Address.String() + ":")
		for _, d := range e.Destinations {
			b.WriteString(" " + d.Address.Addr().String() + "=" + weightText(d.Weight))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func weightText(w int) string { b, _ := json.Marshal(w); return string(b) }

// records returns the log records of one kind.
func (w *world) records(k Kind) []map[string]any {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []map[string]any
	for line := range bytes.Lines(w.log.Bytes()) {
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			w.t.Fatal(err)
		}
		if r["message_id"] == kinds[k].id {
			found = append(found, r)
		}
	}
	return found
}

// onlyError leaves out what an order notes.
func onlyError(_ []string, err error) error { return err }
