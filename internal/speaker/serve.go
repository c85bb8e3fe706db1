// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// ServeOptions is what the speaker's process needs.
type ServeOptions struct {
	// Director is the connection to the director that started the process.
	Director net.Conn
	// Successors is where a new director may connect when the old one is gone.
	Successors net.Listener
	// Speaker makes the speaker that is served.
	Speaker func(commands <-chan Command, events chan<- Event) *Speaker
	// Pulse is this process's end of the heartbeat; whoever makes the speaker
	// sees that its loop beats.
	Pulse *Pulse
	// Turned holds a token when the loop has turned: the time to look after the
	// director.
	Turned <-chan struct{}
	// Apply brings the process to its settings.
	Apply func(Settings) error
	// Terminate fires when the process was asked to end; a director that is
	// there decides that, and it is ignored.
	Terminate <-chan struct{}
	// Tell takes the events while there is no director.
	Tell func(Event)
	Log  *slog.Logger
}

// defaultPatience is the silence that is tolerated before a director has said
// anything about it.
const defaultPatience = time.Second

// Serve runs a speaker until its director has it shut down, or until the
// director is gone and everything is handed over. It is the director's will: a
// director that is dead, or silent for longer than its heartbeat, is handed
// over for at once, or waited for as the settings say.
func Serve(ctx context.Context, o ServeOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &attendant{
		ServeOptions: o, commands: make(chan Command), events: make(chan Event),
		ended: make(chan error, 1), newcomers: make(chan net.Conn), greeted: make(chan greeting),
	}
	sp := o.Speaker(a.commands, a.events)
	var running sync.WaitGroup
	running.Go(func() { a.ended <- sp.Run(ctx) })
	running.Go(func() { a.accept(ctx) })
	defer func() {
		cancel()
		o.Successors.Close()
		running.Wait()
		a.greeting.Wait()
	}()
	return a.run(ctx)
}

// attendant stands between a speaker and its director. One goroutine, that of
// run, owns its state.
type attendant struct {
	ServeOptions
	commands  chan Command
	events    chan Event
	ended     chan error // of the speaker
	newcomers chan net.Conn
	greeted   chan greeting
	greeting  sync.WaitGroup

	director *link[Command] // nil: there is none
	vigil    vigil
	settings Settings
	pending  []Command // for the speaker
	leaving  bool      // everything is being handed over
	holdTill time.Time // until when a new director is waited for; zero: not
}

func (a *attendant) accept(ctx context.Context) {
	for {
		conn, err := a.Successors.Accept()
		if err != nil {
			return
		}
		select {
		case a.newcomers <- conn:
		case <-ctx.Done():
			conn.Close()
			return
		}
	}
}

func (a *attendant) run(ctx context.Context) error {
	a.settings.Heartbeat = defaultPatience
	l, _, err := greet(a.Director, decodeCommand)
	if err != nil {
		return err
	}
	a.attach(l)
	for {
		var messages <-chan Command
		var lost <-chan error
		var terminate <-chan struct{}
		switch {
		case a.director != nil:
			messages, lost = a.director.messages, a.director.lost
		case !a.leaving:
			terminate = a.Terminate
		}
		var out chan<- Command
		var first Command
		if len(a.pending) > 0 {
			out, first = a.commands, a.pending[0]
		}
		select {
		case err := <-a.ended:
			return a.end(err)
		case out <- first:
			a.pending = a.pending[1:]
		case c := <-messages:
			a.take(c)
		case err := <-lost:
			a.lose(describeLoss(err))
		case conn := <-a.newcomers:
			a.welcome(ctx, conn)
		case g := <-a.greeted:
			a.adopt(g)
		case e := <-a.events:
			a.tell(e)
		case <-a.Turned:
			a.look(time.Now())
		case <-terminate:
			a.handOver("asked to end")
		}
	}
}

// attach makes l the connection to the director.
func (a *attendant) attach(l *link[Command]) {
	a.director, a.holdTill = l, time.Time{}
	a.vigil = newVigil(time.Now(), startPatience)
}

func (a *attendant) take(c Command) {
	switch c := c.(type) {
	case hello:
		return
	case Configure:
		if err := a.Apply(c.Settings); err != nil {
			a.tell(Failed{At: time.Now(), Error: err.Error()})
		}
		a.settings = c.Settings
		if a.settings.Heartbeat == 0 {
			a.settings.Heartbeat = defaultPatience
		}
		a.vigil.allow(a.settings.Heartbeat)
	case Shutdown:
		a.leaving = true
	}
	a.pending = append(a.pending, c)
}

// tell passes an event on.
func (a *attendant) tell(e Event) {
	if a.director != nil {
		if !a.director.send(e) {
			a.lose("takes no messages")
		}
		return
	}
	a.Tell(e)
}

func (a *attendant) look(now time.Time) {
	if ago, heard := a.Pulse.Heard(); heard {
		a.vigil.patience = a.settings.Heartbeat
		a.vigil.heard(now, ago)
	}
	switch {
	case a.director != nil && a.vigil.look(now):
		a.lose(fmt.Sprintf("silent for %s", a.vigil.patience))
	case !a.holdTill.IsZero() && now.After(a.holdTill):
		a.handOver("no new director came")
	}
}

// lose does what the director has asked for in case that it is gone.
func (a *attendant) lose(why string) {
	a.director.Close()
	a.director = nil
	switch {
	case a.leaving:
	case a.settings.Hold > 0:
		a.holdTill = time.Now().Add(a.settings.Hold)
		a.Log.Warn(fmt.Sprintf("director is gone (%s): roles are held for %s until a new one comes", why, a.settings.Hold))
	default:
		a.handOver("director is gone: " + why)
	}
}

func (a *attendant) handOver(why string) {
	if a.leaving {
		return
	}
	a.leaving, a.holdTill = true, time.Time{}
	a.Log.Warn(why + ": handing over")
	a.pending = append(a.pending, Shutdown{})
}

// greeting is what became of greeting a newcomer.
type greeting struct {
	link *link[Command]
	err  error
}

// welcome greets a new director, while one is waited for. Meanwhile all else
// goes on: it may be no director, and say nothing.
func (a *attendant) welcome(ctx context.Context, conn net.Conn) {
	if a.holdTill.IsZero() {
		conn.Close()
		return
	}
	a.greeting.Go(func() {
		l, _, err := greet(conn, decodeCommand)
		select {
		case a.greeted <- greeting{l, err}:
		case <-ctx.Done():
			if err == nil {
				l.Close()
			}
		}
	})
}

// adopt takes the first newcomer that has greeted for the director.
func (a *attendant) adopt(g greeting) {
	switch {
	case g.err != nil:
		a.Log.Warn(fmt.Sprintf("new director refused: %v", g.err))
	case a.holdTill.IsZero():
		g.link.Close()
	default:
		a.attach(g.link)
		a.Log.Info("new director adopts the roles")
	}
}

// end is the end of the speaker.
func (a *attendant) end(err error) error {
	if a.director == nil {
		return err
	}
	if err != nil {
		a.director.send(Failed{At: time.Now(), Error: err.Error()})
	}
	a.director.finish()
	return err
}

// processEnded is what the end of a stream most often means.
const processEnded = "its process has ended"

// describeLoss says why a link ended.
func describeLoss(err error) string {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return processEnded
	case err == nil:
		return "the connection was closed"
	}
	return err.Error()
}
