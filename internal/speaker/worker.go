// SPDX-License-Identifier: Apache-2.0

package speaker

// worker does what may wait for the kernel in a goroutine of its own, one
// request at a time. Its owner asks only while it is not busy.
type worker[Q, A any] struct {
	work     func(Q) A
	requests chan Q
	results  chan A
	busy     bool
	done     chan struct{}
}

func newWorker[Q, A any](work func(Q) A) worker[Q, A] {
	return worker[Q, A]{work: work, requests: make(chan Q, 1), results: make(chan A, 1), done: make(chan struct{})}
}

func (w *worker[Q, A]) start() {
	go func() {
		defer close(w.done)
		for q := range w.requests {
			w.results <- w.work(q)
		}
	}()
}

// ask hands a request over; its answer comes on results, and the owner then
// clears busy.
func (w *worker[Q, A]) ask(q Q) {
	w.busy = true
	w.requests <- q
}

// stop waits for the request at work.
func (w *worker[Q, A]) stop() {
	close(w.requests)
	<-w.done
}
