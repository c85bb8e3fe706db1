// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// Child is a speaker's process as the director sees it.
type Child interface {
	// Conn is the connection to it.
	Conn() net.Conn
	// Pulse is our end of the heartbeat.
	Pulse() *Pulse
	// Adopted says that an earlier director started it.
	Adopted() bool
	// Wait waits for its end, at most for d, and says what became of it.
	Wait(d time.Duration) Fate
	// Unfit says why nobody can work with it; empty: nothing is known against it.
	Unfit() string
	// Terminate asks it to end, which it does when it has handed everything over.
	// It obeys only while it has no director.
	Terminate()
	// Kill ends it without any more ado and waits until it is gone. It returns
	// what is known about its end; more than one call does no harm.
	Kill() string
}

// Fate is what became of a speaker's process.
type Fate uint8

// The fates.
const (
	Alive Fate = iota
	Done       // it ended as it should, with everything handed over
	Died       // it ended in another way
)

// ProcessOptions is what a Process needs.
type ProcessOptions struct {
	// Find returns the speaker that an earlier director left, or nil. It waits
	// for one that is just handing over. The one that it returns may be unfit.
	Find func(ctx context.Context) (Child, error)
	// Start starts a new process. A cautious one listens to the network before
	// it becomes master, whatever its priority.
	Start func(cautious bool) (Child, error)
	// Heir makes a speaker of this process that hands over on behalf of a dead
	// one, and what cleans up after it.
	Heir func(commands <-chan Command, events chan<- Event) (heir *Speaker, clean func(), err error)
	// Alive reports whether the director still does its work. While it does not,
	// the speaker is given no sign of life.
	Alive func() bool
	// Ticker makes what paces the heartbeat; nil: a time.Ticker.
	Ticker func(pace time.Duration) Ticker
}

func (o ProcessOptions) ticker(pace time.Duration) Ticker {
	return System{Ticker: o.Ticker}.ticker(pace)
}

// A speaker that ends again and again is started with growing pauses.
const (
	restartPauseMin = 500 * time.Millisecond
	restartPauseMax = 30 * time.Second
	// restartForgiven is how long one has to live to be taken for sound.
	restartForgiven = time.Minute
)

// Process is the director's end of the speaker: it starts the speaker's
// process, passes commands and events, and is the speaker's will. When the
// process is dead or silent it is killed, its roles are handed over, and a new
// one is started.
type Process struct {
	opts     ProcessOptions
	commands <-chan Command
	events   chan<- Event

	outbox    []Event
	configure *Configure         // the last one
	tracked   map[string]Tracked // the last ones
	masters   map[string]bool
	stopping  bool // Shutdown was passed
	stopped   bool // Stopped was passed
	vigil     vigil
	queries   int    // that wait for an answer
	absence   string // why there is no speaker, while there is none
	inherits  bool   // an heir hands over for a lost one
}

// loss is how a speaker's process was lost.
type loss struct {
	why string
	// silent: it shows no sign of life.
	silent bool
	// strange: it lives, and nobody of this program's version can adopt it.
	strange bool
}

// NewProcess returns the director's end of a speaker's process.
func NewProcess(o ProcessOptions, commands <-chan Command, events chan<- Event) *Process {
	return &Process{opts: o, commands: commands, events: events, tracked: make(map[string]Tracked), masters: make(map[string]bool), absence: "its process is yet to be started"}
}

// Run works until the speaker has shut down or ctx ends. Without a first
// speaker's process it fails; later ones are tried again and again.
func (p *Process) Run(ctx context.Context) error {
	child, err := p.find(ctx)
	if err != nil {
		return err
	}
	if child == nil {
		if child, err = p.opts.Start(false); err != nil {
			return fmt.Errorf("start the speaker's process: %w", err)
		}
	}
	pause := restartPauseMin
	for {
		born := time.Now()
		lost := p.attend(ctx, child)
		if p.stopped || ctx.Err() != nil {
			p.deliver(ctx)
			if p.stopped && child.Wait(linkPatience) == Alive {
				child.Kill()
			}
			return nil
		}
		if time.Since(born) > restartForgiven {
			pause = restartPauseMin
		}
		p.absence = "its process was lost (" + lost.why + ")"
		if child, err = p.bury(ctx, child, lost, pause); err != nil {
			return err
		}
		if child != nil {
			why := lost.why
			if why == processEnded {
				why = "it was closed" // by a process that lives
			}
			p.outbox = append(p.outbox, Failed{At: time.Now(), Error: "connection to the speaker was lost (" + why + "), its process lives and is adopted again"})
			pause = min(2*pause, restartPauseMax)
			continue
		}
		if p.stopping {
			p.outbox = append(p.outbox, Stopped{})
			p.deliver(ctx)
			return nil
		}
		for child == nil {
			if p.pause(ctx, pause); ctx.Err() != nil || p.stopping {
				p.outbox = append(p.outbox, Stopped{})
				p.deliver(ctx)
				return nil
			}
			pause = min(2*pause, restartPauseMax)
			if child, err = p.opts.Start(true); err != nil {
				p.outbox = append(p.outbox, Failed{At: time.Now(), Error: fmt.Sprintf("start the speaker's process again: %v", err)})
				child = nil
			}
		}
	}
}

// partingTime is how long a process that has closed the connection may take to
// end, if ending is what it does.
const partingTime = 100 * time.Millisecond

// bury does what is left to do for a process that was lost. One that parted
// from us, since we were silent, hands over by itself or waits for a director:
// then it is returned, after a pause.
func (p *Process) bury(ctx context.Context, child Child, l loss, pause time.Duration) (Child, error) {
	fate := Died
	if !l.silent {
		p.meanwhile(func() { fate = child.Wait(partingTime) })
	}
	if fate == Alive {
		if l.strange {
			child.Terminate()
		}
		p.pause(ctx, pause)
		again, err := p.find(ctx)
		if again != nil || err != nil {
			return again, err
		}
		p.meanwhile(func() { fate = child.Wait(partingTime) })
	}
	end := ""
	p.meanwhile(func() { end = child.Kill() })
	if end != "" {
		l.why += ", " + end
	}
	if fate == Done {
		clear(p.masters)
	}
	return nil, p.inherit(ctx, l)
}

// attend works with one speaker's process until it is done, and says how it is
// lost.
func (p *Process) attend(ctx context.Context, child Child) loss {
	if why := child.Unfit(); why != "" {
		return loss{why: why, silent: true}
	}
	var l *link[Event]
	var theirs hello
	var err error
	p.meanwhile(func() { l, theirs, err = greet(child.Conn(), decodeEvent) })
	if err != nil {
		_, strange := errors.AsType[stranger](err)
		return loss{why: err.Error(), silent: errors.Is(err, os.ErrDeadlineExceeded), strange: strange}
	}
	defer l.Close()
	pulse := child.Pulse()
	p.outbox = append(p.outbox, Started{At: time.Now(), PID: theirs.PID, Adopted: child.Adopted()})
	p.vigil = newVigil(time.Now(), startPatience)
	if child.Adopted() {
		l.send(Query{})
	}
	if p.configure != nil {
		c := *p.configure
		c.Tracked = slices.Collect(maps.Values(p.tracked))
		l.send(c)
	}
	if p.stopping {
		l.send(Shutdown{})
	}
	pace := p.patience() / beatsPerPatience
	tick := p.opts.ticker(pace)
	defer tick.Stop()
	repace := func() {
		if due := min(p.vigil.next(), p.patience()/beatsPerPatience); due != pace {
			pace = due
			tick.Reset(pace)
		}
	}
	for {
		out, first := p.next()
		select {
		case <-ctx.Done():
			return loss{why: "the director ends"}
		case out <- first:
			p.outbox = p.outbox[1:]
		case c := <-p.commands:
			p.note(c)
			if !l.send(c) {
				return loss{why: "it takes no commands"}
			}
			p.vigil.allow(p.patience())
			repace()
		case e := <-l.messages:
			if p.take(e); p.stopped {
				return loss{}
			}
		case err := <-l.lost:
			for len(l.messages) > 0 { // what it said before
				if p.take(<-l.messages); p.stopped {
					return loss{}
				}
			}
			return loss{why: describeLoss(err)}
		case <-tick.Chan():
			now := time.Now()
			if p.opts.Alive() {
				pulse.Beat()
			}
			if ago, heard := pulse.Heard(); heard {
				p.vigil.patience = p.patience()
				p.vigil.heard(now, ago)
			}
			if p.vigil.look(now) {
				return loss{why: fmt.Sprintf("silent for %s", p.vigil.patience), silent: true}
			}
			repace()
		}
	}
}

// next returns what to pass to the director, if anything.
func (p *Process) next() (chan<- Event, Event) {
	if len(p.outbox) == 0 {
		return nil, nil
	}
	return p.events, p.outbox[0]
}

// note remembers a command for the next speaker.
func (p *Process) note(c Command) {
	switch c := c.(type) {
	case Configure:
		p.configure = &c
		clear(p.tracked)
		for _, t := range c.Tracked {
			p.tracked[t.Name] = t
		}
	case Tracked:
		p.tracked[c.Name] = c
	case Query:
		p.queries++
	case Shutdown:
		p.stopping = true
	}
}

// startPatience is how long a new process may take to show its first sign of
// life.
const startPatience = 10 * time.Second

// patience is the silence that is tolerated after that.
func (p *Process) patience() time.Duration {
	if p.configure != nil && p.configure.Settings.Heartbeat > 0 {
		return p.configure.Settings.Heartbeat
	}
	return defaultPatience
}

// take passes an event on and remembers the roles.
func (p *Process) take(e Event) {
	switch e := e.(type) {
	case hello:
		return
	case Transition:
		p.masters[e.Instance] = e.To == vrrp.Master
	case Status:
		p.queries = max(0, p.queries-1)
		for _, i := range e.Instances {
			p.masters[i.Config.Name] = i.State == vrrp.Master
		}
	case Stopped:
		p.stopped = true
	}
	p.outbox = append(p.outbox, e)
}
