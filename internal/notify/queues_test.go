// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCommandWants(t *testing.T) {
	tests := []struct {
		name    string
		command Command
		want    bool
	}{
		{"all", Command{}, true},
		{"the instance", Command{Instances: []string{"mail", "web"}}, true},
		{"another instance", Command{Instances: []string{"mail"}}, false},
		{"the event", Command{Events: []string{"fault", "master"}}, true},
		{"another event", Command{Events: []string{"fault"}}, false},
		{"the event of another instance", Command{Instances: []string{"mail"}, Events: []string{"master"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.command.wants(transition); got != tt.want {
				t.Errorf("wants: %t, want %t", got, tt.want)
			}
		})
	}
}

// TestQueuesProperty gives, takes and reloads at random. For each queue events must come out in order, not two at a time,
// and each of them exactly once: told, dropped or still waiting. The queue that waited longest is next.
func TestQueuesProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var commands []Command
		for i := range 3 {
			commands = append(commands, Command{Argv: []string{fmt.Sprint(i)}})
		}
		q := newQueues()
		m := model{waiting: map[key][]string{}, telling: map[key]bool{}}
		serial := 0
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				kept := rapid.SliceOfNDistinct(rapid.SampledFrom([]int{0, 1, 2}), 0, 3, rapid.ID[int]).Draw(t, "commands")
				var set []Command
				for _, i := range kept {
					set = append(set, commands[i])
				}
				m.commands = set
				m.drop(t, q.set(set), func(k key) bool {
					for _, c := range set {
						if c.identity() == k.command {
							return false
						}
					}
					return true
				}, ErrRemoved)
			},
			"put": func(t *rapid.T) {
				e := Event{Instance: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "instance")}
				for range rapid.SampledFrom([]int{1, 1, 1, maxWaiting}).Draw(t, "events") {
					serial++
					e.Reason = fmt.Sprint(serial)
					m.put(t, q.put(e), e)
				}
			},
			"next": func(t *rapid.T) {
				k, i, ok := q.next()
				m.next(t, k, i, ok)
			},
			"done": func(t *rapid.T) {
				for k := range m.telling {
					q.done(k)
					m.done(k)
					break
				}
			},
			"": func(t *rapid.T) {
				if want := len(m.waiting) == 0 && len(m.telling) == 0; q.empty() != want {
					t.Fatalf("empty: %t, want %t", q.empty(), want)
				}
			},
		})
	})
}

// model is what queues must be, told by the definition.
type model struct {
	commands []Command
	waiting  map[key][]string // reasons; no entry without any
	telling  map[key]bool
	ready    []key
}

func (m *model) put(t *rapid.T, dropped []Failure, e Event) {
	want := []Failure{}
	for _, c := range m.commands {
		k := key{c.identity(), e.Instance}
		if len(m.waiting[k]) == 0 && !m.telling[k] {
			m.ready = append(m.ready, k)
		}
		if len(m.waiting[k]) == maxWaiting {
			oldest := Event{Instance: e.Instance, Reason: m.waiting[k][0]}
			want = append(want, Failure{c, oldest, ErrOverrun})
			m.waiting[k] = m.waiting[k][1:]
		}
		m.waiting[k] = append(m.waiting[k], e.Reason)
	}
	if diff := cmp.Diff(want, append([]Failure{}, dropped...), cmp.Comparer(sameError)); diff != "" {
		t.Fatalf("dropped (-want +got):\n%s", diff)
	}
}

func (m *model) next(t *rapid.T, k key, i item, ok bool) {
	if ok != (len(m.ready) > 0) {
		t.Fatalf("next: %t with %d queues ready", ok, len(m.ready))
	}
	if !ok {
		return
	}
	if k != m.ready[0] || i.event.Reason != m.waiting[k][0] || i.command.identity() != k.command {
		t.Fatalf("next: event %s of %v, want %s of %v", i.event.Reason, k, m.waiting[m.ready[0]][0], m.ready[0])
	}
	m.ready = m.ready[1:]
	m.telling[k] = true
	if m.waiting[k] = m.waiting[k][1:]; len(m.waiting[k]) == 0 {
		delete(m.waiting, k)
	}
}

func (m *model) done(k key) {
	delete(m.telling, k)
	if len(m.waiting[k]) > 0 {
		m.ready = append(m.ready, k)
	}
}

func (m *model) drop(t *rapid.T, dropped []Failure, match func(key) bool, reason error) {
	got := map[key][]string{}
	for _, f := range dropped {
		k := key{f.Command.identity(), f.Event.Instance}
		got[k] = append(got[k], f.Event.Reason)
		if !errors.Is(f.Err, reason) {
			t.Fatalf("dropped because %v, want %v", f.Err, reason)
		}
	}
	want := map[key][]string{}
	for k, reasons := range m.waiting {
		if match(k) {
			want[k] = reasons
			delete(m.waiting, k)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("dropped (-want +got):\n%s", diff)
	}
	var ready []key
	for _, k := range m.ready {
		if !match(k) {
			ready = append(ready, k)
		}
	}
	m.ready = ready
}

func sameError(a, b error) bool { return errors.Is(a, b) }
