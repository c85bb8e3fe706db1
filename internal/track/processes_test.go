// SPDX-License-Identifier: Apache-2.0

package track

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// fakeKernel is a subscription whose events a test sends.
type fakeKernel struct {
	events chan []procEvent // nil events: some were lost
	closed chan struct{}
}

func newFakeKernel() *fakeKernel {
	return &fakeKernel{make(chan []procEvent), make(chan struct{})}
}

func (k *fakeKernel) receive() ([]procEvent, error) {
	select {
	case events, more := <-k.events:
		if !more {
			return nil, errors.New("broken")
		}
		if events == nil {
			return nil, errOverrun
		}
		return events, nil
	case <-k.closed:
		return nil, errors.New("closed")
	}
}

func (k *fakeKernel) close() { close(k.closed) }

// processRig is a rig over a fake proc file system and a fake kernel, in a synctest bubble. It tracks one process named nginx.
type processRig struct {
	*rig
	fakeProc
	kernel *fakeKernel
}

func newProcessRig(t *testing.T) *processRig {
	t.Helper()
	r := &processRig{newRig(t), newFakeProc(t), newFakeKernel()}
	r.proc = r.procfs
	r.Watcher.events = func(context.Context) (subscription, error) { return r.kernel, nil }
	r.add(t, 1, "init", 'S', "")
	r.Set([]Tracker{nginx})
	return r
}

// start runs the loop of processes only: that of files waits for inotify, and the bubble's time would stand still.
func (r *processRig) start(t *testing.T) {
	t.Helper()
	untilTheEnd(t, r.watchProcesses)
}

var nginx = Tracker{Name: "n", Process: "nginx", Count: 1}

// running is the reading of nginx with that many processes.
func running(n int) Reading {
	if n == 0 {
		return Reading{Name: "n", Detail: "0 of nginx running, expected 1"}
	}
	return Reading{Name: "n", Value: n, OK: true}
}

// expectAfter has a reading come after d, and none before.
func (r *processRig) expectAfter(t *testing.T, d time.Duration, want Reading) {
	t.Helper()
	time.Sleep(d - time.Nanosecond)
	synctest.Wait()
	r.expectNone(t)
	time.Sleep(time.Nanosecond)
	synctest.Wait()
	r.expect(t, want)
}

func TestProcessEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newProcessRig(t)
		r.start(t)
		r.expect(t, running(0))
		r.add(t, 7, "nginx", 'S', "")
		r.kernel.events <- []procEvent{{kind: changed, pid: 7}}
		r.expect(t, running(1))
		r.add(t, 8, "nginx", 'S', "")
		r.kernel.events <- []procEvent{{kind: changed, pid: 8}, {kind: changed, pid: 1}}
		r.expect(t, running(2))
		r.add(t, 8, "sh", 'S', "")
		r.kernel.events <- []procEvent{{kind: changed, pid: 8}}
		r.expect(t, running(1))
		r.remove(t, 7)
		r.kernel.events <- []procEvent{{kind: ended, pid: 7}}
		r.expect(t, running(0))
		r.expectNone(t)
	})
}

// TestProcessesFoundBeforeSubscribing has a process start between the first scan and the kernel's answer.
func TestProcessesFoundBeforeSubscribing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newProcessRig(t)
		r.Watcher.events = func(context.Context) (subscription, error) {
			r.add(t, 7, "nginx", 'S', "")
			return r.kernel, nil
		}
		r.start(t)
		r.expect(t, running(0), running(1))
	})
}

// TestLostProcessEvents has a scan take the place of events.
func TestLostProcessEvents(t *testing.T) {
	tests := []struct {
		name  string
		lose  func(*fakeKernel)
		after time.Duration // that the reading comes
	}{
		{"overrun", func(k *fakeKernel) { k.events <- nil }, 0},
		{"kernel silent", func(*fakeKernel) {}, 30 * time.Second},
		{"subscription broken", func(k *fakeKernel) { close(k.events) }, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newProcessRig(t)
				r.start(t)
				r.expect(t, running(0))
				synctest.Wait()
				r.add(t, 7, "nginx", 'S', "")
				tt.lose(r.kernel)
				if tt.after == 0 {
					r.expect(t, running(1))
					return
				}
				r.expectAfter(t, tt.after, running(1))
			})
		})
	}
}

// TestProcessesWithoutKernel is told of nothing, at once or after the bound on the answer.
func TestProcessesWithoutKernel(t *testing.T) {
	tests := []struct {
		name      string
		subscribe func(context.Context) (subscription, error)
		after     time.Duration // that the first regular scan comes
	}{
		{"refused", func(context.Context) (subscription, error) { return nil, errors.New("no") }, time.Second},
		{"no answer", func(ctx context.Context) (subscription, error) { <-ctx.Done(); return nil, ctx.Err() }, 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newProcessRig(t)
				r.Watcher.events = tt.subscribe
				r.start(t)
				r.expect(t, running(0)) // without waiting for the kernel
				synctest.Wait()
				r.add(t, 7, "nginx", 'S', "")
				r.expectAfter(t, tt.after, running(1))
				r.remove(t, 7)
				r.expectAfter(t, time.Second, running(0))
			})
		})
	}
}

func TestSetProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newProcessRig(t)
		var kernels []*fakeKernel
		r.Watcher.events = func(context.Context) (subscription, error) {
			kernels = append(kernels, newFakeKernel())
			return kernels[len(kernels)-1], nil
		}
		r.add(t, 7, "nginx", 'S', "/usr/sbin/nginx")
		r.start(t)
		r.expect(t, running(1))
		synctest.Wait()

		path := Tracker{Name: "p", Process: "/usr/sbin/nginx", Count: 1}
		r.Set([]Tracker{nginx, path}) // nginx is as it was
		r.expect(t, Reading{Name: "p", Value: 1, OK: true})
		two := nginx
		two.Count = 2
		r.Set([]Tracker{two})
		r.expect(t, Reading{Name: "n", Value: 1, Detail: "1 of nginx running, expected 2"})
		r.Set(nil)
		synctest.Wait()
		for n, k := range kernels {
			select {
			case <-k.closed:
			default:
				t.Errorf("subscription %d of %d is open without a tracker", n+1, len(kernels))
			}
		}
		r.Set([]Tracker{nginx})
		r.expect(t, running(1))
		r.expectNone(t)
	})
}
