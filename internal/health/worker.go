// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// worker is the one goroutine that probes a target.
type worker struct {
	*assignment
	monitor Monitor // the goroutine's own until done is closed
	jitter  *rand.Rand
	cancel  context.CancelFunc
	done    chan struct{}
}

func newWorker(a *assignment) *worker {
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(a.target.ID)) // a hash never fails
	return &worker{
		assignment: a,
		monitor:    NewMonitor(a.target.Check.Rise, a.target.Check.Fall),
		jitter:     rand.New(rand.NewPCG(seed.Sum64(), 0)),
		done:       make(chan struct{}),
	}
}

func (w *worker) start(ctx context.Context, delay time.Duration, report func(Result)) {
	ctx, w.cancel = context.WithCancel(ctx)
	go func() {
		defer close(w.done)
		defer w.cancel()
		w.run(ctx, delay, report)
	}()
}

// run probes after delay and then at every interval, until ctx ends. The probe
// that the end breaks off is not reported.
func (w *worker) run(ctx context.Context, delay time.Duration, report func(Result)) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		start := time.Now()
		err := w.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		duration := time.Since(start)
		changed := w.monitor.Observe(err == nil)
		report(Result{
			ID:       w.target.ID,
			At:       start,
			Duration: duration,
			Err:      err,
			Verdict:  w.monitor.Verdict(),
			Changed:  changed,
		})
		timer.Reset(nextDelay(w.target.Check.Interval, time.Since(start), w.jitter.Float64()))
	}
}

func (w *worker) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.target.Check.Timeout)
	defer cancel()
	return w.prober.Probe(ctx, w.target.Address)
}
