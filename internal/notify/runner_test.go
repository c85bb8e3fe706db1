// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-ha/lvs-ha/internal/command"
)

// rig is a runner in a synctest bubble whose commands take a second each, unless told otherwise.
type rig struct {
	*Runner
	cancel context.CancelFunc

	mu       sync.Mutex
	running  map[string]int // by command and instance
	most     int            // that ran at once
	told     []string       // what ended well, as "command instance reason"
	failures []string       // as "command instance reason: error"
	result   error          // of a command that has not been killed
}

func newRig(t *testing.T, commands ...Command) *rig {
	t.Helper()
	r := &rig{running: map[string]int{}}
	r.Runner = New(func(f Failure) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.failures = append(r.failures, fmt.Sprintf("%s %s %s: %v", f.Command.Argv[0], f.Event.Instance, f.Event.Reason, f.Err))
	})
	r.tell = r.run
	r.Set(commands)
	return r
}

func (r *rig) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() {
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
}

// run stands for a program.
func (r *rig) run(ctx context.Context, s command.Spec) error {
	value := func(name string) string {
		for _, v := range s.Env {
			if text, ok := strings.CutPrefix(v, name+"="); ok {
				return text
			}
		}
		return ""
	}
	queue := s.Argv[0] + " " + value("LVSHA_INSTANCE")
	r.mu.Lock()
	r.running[queue]++
	total := 0
	for q, n := range r.running {
		total += n
		if n > 1 {
			r.failures = append(r.failures, fmt.Sprintf("%s runs %d times", q, n))
		}
	}
	r.most = max(r.most, total)
	result := r.result
	r.mu.Unlock()

	err := ctx.Err()
	select {
	case <-ctx.Done():
		err = ctx.Err()
	case <-time.After(time.Second):
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[queue]--
	if err == nil && result == nil {
		r.told = append(r.told, queue+" "+value("LVSHA_REASON"))
		return nil
	}
	return errors.Join(err, result)
}

// sleep lets d pass and returns what has been told so far, and what has failed.
func (r *rig) sleep(d time.Duration) (told, failures []string) {
	time.Sleep(d)
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told), slices.Clone(r.failures)
}

// expect compares what was told and what failed, in any order.
func (r *rig) expect(t *testing.T, told, failures []string) {
	t.Helper()
	gotTold, gotFailures := r.sleep(0)
	for _, list := range [][]string{gotTold, gotFailures, told, failures} {
		slices.Sort(list)
	}
	if diff := cmp.Diff([][]string{told, failures}, [][]string{gotTold, gotFailures}); diff != "" {
		t.Errorf("told and failed (-want +got):\n%s", diff)
	}
}

func program(name string) Command {
	return Command{Argv: []string{name}, User: "nobody", Timeout: 10 * time.Second}
}

func event(instance string, serial int) Event {
	return Event{Instance: instance, Reason: fmt.Sprint(serial)}
}

func TestOrderAndLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, program("x"), program("y"))
		r.start(t)
		defer func() { r.cancel(); <-r.ended }()
		const instances, events = 10, 5
		for serial := range events {
			for i := range instances {
				r.Notify(event(fmt.Sprintf("i%d", i), serial))
			}
		}
		told, failures := r.sleep(time.Hour)
		if len(failures) > 0 {
			t.Errorf("failures: %q", failures)
		}
		byQueue := map[string]string{}
		for _, line := range told {
			at := strings.LastIndex(line, " ")
			byQueue[line[:at]] += line[at+1:]
		}
		want := map[string]string{}
		for i := range instances {
			want[fmt.Sprintf("x i%d", i)], want[fmt.Sprintf("y i%d", i)] = "01234", "01234"
		}
		if diff := cmp.Diff(want, byQueue); diff != "" {
			t.Errorf("order in each queue (-want +got):\n%s", diff)
		}
		if r.most != maxRunning {
			t.Errorf("%d commands ran at once, want %d", r.most, maxRunning)
		}
	})
}

func TestOverrunDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, program("x"))
		r.start(t)
		defer func() { r.cancel(); <-r.ended }()
		r.Notify(event("a", 0))
		synctest.Wait() // runs
		var told []string
		for serial := range maxWaiting + 2 {
			r.Notify(event("a", serial+1))
		}
		_, failures := r.sleep(0)
		want := []string{"x a 1: " + ErrOverrun.Error(), "x a 2: " + ErrOverrun.Error()}
		if diff := cmp.Diff(want, failures); diff != "" {
			t.Errorf("failures (-want +got):\n%s", diff)
		}
		for _, serial := range append([]int{0}, numbers(3, maxWaiting+2)...) {
			told = append(told, fmt.Sprintf("x a %d", serial))
		}
		got, _ := r.sleep(time.Hour)
		if diff := cmp.Diff(told, got); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

func numbers(from, to int) (list []int) {
	for n := from; n <= to; n++ {
		list = append(list, n)
	}
	return list
}

func TestFailureIsReportedAndTheNextToldNevertheless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, program("x"))
		r.result = errors.New("no")
		r.start(t)
		defer func() { r.cancel(); <-r.ended }()
		r.Notify(event("a", 1))
		r.Notify(event("a", 2))
		r.sleep(500 * time.Millisecond)
		r.mu.Lock()
		r.result = nil
		r.mu.Unlock()
		r.sleep(time.Hour)
		r.expect(t, []string{"x a 2"}, []string{"x a 1: no"})
	})
}

// TestUnkillableHoldsItsQueue has a command that the kernel does not end: nothing more is started for it until it is gone.
func TestUnkillableHoldsItsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, program("x"))
		gone := make(chan struct{})
		r.result = &command.Error{Program: "x", Reason: command.TimeLimit, Gone: gone}
		r.start(t)
		defer func() { r.cancel(); <-r.ended }()
		r.Notify(event("a", 1))
		r.Notify(event("a", 2))
		r.sleep(10 * time.Second)
		r.mu.Lock()
		r.result = nil
		r.mu.Unlock()
		r.Notify(event("b", 3))
		if told, _ := r.sleep(time.Hour); !cmp.Equal(told, []string{"x b 3"}) {
			t.Errorf("told %q while it hung, want only another instance's", told)
		}
		close(gone)
		if told, _ := r.sleep(time.Hour); !cmp.Equal(told, []string{"x b 3", "x a 2"}) {
			t.Errorf("told %q, want the waiting event too", told)
		}
	})
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, program("x"), program("y"))
		r.start(t)
		defer func() { r.cancel(); <-r.ended }()
		r.Notify(event("a", 1))
		r.Notify(event("a", 2))
		synctest.Wait() // 1 is being told
		narrowed := program("x")
		narrowed.Instances = []string{"b"}
		r.Set([]Command{narrowed, program("z")})
		r.Notify(event("a", 3))
		r.sleep(time.Hour)
		r.expect(t, []string{"x a 1", "y a 1", "x a 2", "z a 3"}, []string{"y a 2: " + ErrRemoved.Error()})
	})
}

func TestClose(t *testing.T) {
	tests := []struct {
		name     string
		patience time.Duration
		told     []string
		failures []string
	}{
		{"all delivered", time.Minute, []string{"x a 1", "x a 2", "x a 3"}, nil},
		{"out of time", 1500 * time.Millisecond, []string{"x a 1"}, []string{"x a 2: context canceled", "x a 3: " + ErrStopped.Error()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, program("x"))
				for serial := range 3 {
					r.Notify(event("a", serial+1)) // before Run is fine
				}
				r.start(t)
				defer r.cancel()
				ctx, cancel := context.WithTimeout(t.Context(), tt.patience)
				defer cancel()
				r.Close(ctx)
				select {
				case <-r.ended:
				default:
					t.Error("Run goes on after Close")
				}
				r.Notify(event("a", 4))
				r.expect(t, tt.told, tt.failures)
			})
		})
	}
}

func TestRunEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, program("x"))
		r.start(t)
		r.Notify(event("a", 1))
		r.Notify(event("a", 2))
		synctest.Wait()
		r.cancel()
		<-r.ended
		r.Close(t.Context()) // returns at once
		r.expect(t, nil, []string{"x a 1: context canceled", "x a 2: " + ErrStopped.Error()})
	})
}
