// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"errors"
	"sync"

	"github.com/lvs-ha/lvs-ha/internal/command"
)

// maxRunning bounds the commands that run at the same time.
const maxRunning = 16

// Runner tells its commands of events. New makes one; Run is called once, the other methods at any time from any
// goroutine.
type Runner struct {
	report func(Failure)
	tell   func(context.Context, command.Spec) error

	mu      sync.Mutex
	queues  *queues
	running int // commands
	closing bool

	changed chan struct{}   // holds a token while Run has yet to look at the state above
	ended   chan struct{}   // closed when Run has returned
	life    context.Context // of the commands; ends when what is queued is given up
	abandon context.CancelFunc
}

// New returns a runner without commands. It calls report for every event that a command was not told of or failed on,
// from any goroutine, also from within Set and Notify: report must not block.
func New(report func(Failure)) *Runner {
	life, abandon := context.WithCancel(context.Background())
	return &Runner{
		report:  report,
		tell:    command.Run,
		queues:  newQueues(),
		changed: make(chan struct{}, 1),
		ended:   make(chan struct{}),
		life:    life,
		abandon: abandon,
	}
}

// Set makes commands the ones to tell of later events, in place of those set before. What runs goes on; what waits goes on
// waiting if a command with the same Argv and User is among the new ones.
func (r *Runner) Set(commands []Command) {
	r.mu.Lock()
	dropped := r.queues.set(commands)
	r.mu.Unlock()
	r.wake()
	r.reportAll(dropped)
}

// Notify queues e for the commands that want it, and never blocks. Where 64 events wait already, the oldest of them is
// dropped and reported. After Close it does nothing.
func (r *Runner) Notify(e Event) {
	r.mu.Lock()
	var dropped []Failure
	if !r.closing {
		dropped = r.queues.put(e)
	}
	r.mu.Unlock()
	r.wake()
	r.reportAll(dropped)
}

// Close takes no more events and waits until what is queued has been delivered, which ends Run. When ctx ends before, what
// runs is killed, what waits is reported as dropped. Close returns with Run, which must have been called or yet be called.
func (r *Runner) Close(ctx context.Context) {
	r.mu.Lock()
	r.closing = true
	r.mu.Unlock()
	r.wake()
	select {
	case <-r.ended:
	case <-ctx.Done():
		r.abandon()
		<-r.ended
	}
}

// Run tells commands of events until Close has delivered them all, or ctx ends: then what runs is killed and what waits is
// reported as dropped. It returns nil, once no command runs any more.
func (r *Runner) Run(ctx context.Context) error {
	defer close(r.ended)
	defer r.abandon()
	stop := context.AfterFunc(ctx, r.abandon)
	defer stop()
	var tellings sync.WaitGroup
	defer tellings.Wait()
	for {
		if r.startReady(&tellings) {
			return nil
		}
		select {
		case <-r.life.Done():
			tellings.Wait()
			r.mu.Lock()
			r.closing = true
			dropped := r.queues.drop(func(key) bool { return true }, ErrStopped)
			r.mu.Unlock()
			r.reportAll(dropped)
			return nil
		case <-r.changed:
		}
	}
}

// startReady starts to tell of as many events as may run at once, and reports whether Close has nothing left to wait for.
func (r *Runner) startReady(tellings *sync.WaitGroup) (finished bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.life.Err() == nil && r.running < maxRunning {
		k, i, ok := r.queues.next()
		if !ok {
			break
		}
		r.running++
		tellings.Go(func() {
			r.tellOne(i)
			r.mu.Lock()
			r.queues.done(k)
			r.running--
			r.mu.Unlock()
			r.wake()
		})
	}
	return r.closing && r.queues.empty()
}

// tellOne runs the command of i. One that the kernel does not end holds its queue until it is gone.
func (r *Runner) tellOne(i item) {
	input, err := i.event.input()
	if err == nil {
		err = r.tell(r.life, command.Spec{
			Argv:    i.command.Argv,
			User:    i.command.User,
			Env:     i.event.environment(),
			Stdin:   input,
			Timeout: i.command.Timeout,
		})
	}
	if err == nil {
		return
	}
	r.report(Failure{i.command, i.event, err})
	var failed *command.Error
	if errors.As(err, &failed) && failed.Gone != nil {
		select {
		case <-failed.Gone:
		case <-r.life.Done():
		}
	}
}

func (r *Runner) wake() {
	select {
	case r.changed <- struct{}{}:
	default: // Run has yet to look at the change before this one
	}
}

func (r *Runner) reportAll(failures []Failure) {
	for _, f := range failures {
		r.report(f)
	}
}
