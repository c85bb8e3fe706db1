// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// inherit hands over what a lost speaker was master of.
func (p *Process) inherit(ctx context.Context, l loss) error {
	p.inherits = true
	defer func() { p.inherits = false }()
	lost := Lost{At: time.Now(), Reason: l.why}
	var instances []Instance
	if p.configure != nil {
		instances = p.configure.Instances
	}
	for _, i := range instances {
		if p.masters[i.Name] {
			lost.Masters = append(lost.Masters, i.Name)
		}
	}
	p.outbox = append(p.outbox, lost)
	for ; p.queries > 0; p.queries-- {
		p.outbox = append(p.outbox, p.status())
	}
	commands, events := make(chan Command), make(chan Event)
	heir, clean, err := p.opts.Heir(commands, events)
	if err != nil {
		return fmt.Errorf("hand over for the lost speaker: %w", err)
	}
	defer clean()
	masters, silent := maps.Clone(p.masters), time.Duration(0)
	if l.silent {
		// Its loop, which adverts come from, has not turned since its last sign of life. When that was is known to half of this.
		silent = p.vigil.patience / beatsPerPatience
	}
	heir.Succeed(instances, silent, func(name string) bool { return masters[name] })
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = heir.Run(ctx)
	}()
	for !p.standIn(done, events) {
	}
	if err != nil {
		p.handOverFailed(err.Error())
	}
	clear(p.masters)
	return nil
}

// status is the answer to a Query while there is no speaker.
func (p *Process) status() Status {
	s := Status{Absent: true}
	if p.configure == nil {
		return s
	}
	for _, i := range p.configure.Instances {
		is := InstanceStatus{Config: i, Priority: i.Priority, Standby: i.Standby}
		if p.masters[i.Name] {
			is.State, is.HandingOver = vrrp.Master, p.inherits
		} else {
			is.Fault = "no speaker: " + p.absence
		}
		s.Instances = append(s.Instances, is)
	}
	return s
}

func (p *Process) handOverFailed(why string) {
	p.outbox = append(p.outbox, Failed{At: time.Now(), Error: "hand over for the lost speaker: " + why})
}

// find looks for a speaker that an earlier director left.
func (p *Process) find(ctx context.Context) (child Child, err error) {
	p.meanwhile(func() { child, err = p.opts.Find(ctx) })
	return child, err
}

// meanwhile stands in for the speaker while do waits for something.
func (p *Process) meanwhile(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	for !p.standIn(done, nil) {
	}
}

// pause stands in for the speaker for a while, or until it need not come back.
func (p *Process) pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for !p.stopping && !p.standIn(ctx.Done(), nil) {
	}
}

// standIn does, while there is no speaker, the next thing that one would do:
// take a command, or pass on an event, the heir's too if there is an heir. It
// reports whether done was closed instead.
func (p *Process) standIn(done <-chan struct{}, heir <-chan Event) bool {
	out, first := p.next()
	select {
	case <-done:
		return true
	case out <- first:
		p.outbox = p.outbox[1:]
	case c := <-p.commands:
		if _, ok := c.(Query); ok {
			p.outbox = append(p.outbox, p.status())
		} else {
			p.note(c)
		}
	case e := <-heir:
		stopped, ok := e.(Stopped)
		switch {
		case !ok:
			p.take(e)
		case stopped.Error != "":
			p.handOverFailed(stopped.Error)
		}
	}
	return false
}

// deliver passes the last events. The director may have a command for us
// before it takes them.
func (p *Process) deliver(ctx context.Context) {
	for len(p.outbox) > 0 && !p.standIn(ctx.Done(), nil) {
	}
}
