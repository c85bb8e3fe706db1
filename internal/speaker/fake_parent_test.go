// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// fakeChild is a speaker's process on a fake host.
type fakeChild struct {
	*served
	conn    net.Conn // the director's end
	theirs  net.Conn
	adopted bool
	unfit   string
}

func newChild(t *testing.T, h *host, prepare ...func(*Speaker)) *fakeChild {
	mine, theirs := socketPair(1000)
	return &fakeChild{served: serve(t, h, theirs, prepare...), conn: mine, theirs: theirs}
}

func (c *fakeChild) Conn() net.Conn { return c.conn }
func (c *fakeChild) Pulse() *Pulse  { return c.pulse }
func (c *fakeChild) Adopted() bool  { return c.adopted }
func (c *fakeChild) Unfit() string  { return c.unfit }
func (c *fakeChild) Terminate()     { c.asked.Do(func() { close(c.terminate) }) }

func (c *fakeChild) Wait(d time.Duration) Fate {
	select {
	case <-c.done:
	case <-time.After(d):
		return Alive
	}
	if c.dead.Load() || c.err != nil || c.adopted {
		return Died
	}
	return Done
}

func (c *fakeChild) Kill() string {
	c.die()
	c.conn.Close()
	return "killed"
}

// adopt returns the process as a new director finds it, nil when it has ended.
func (c *fakeChild) adopt() *fakeChild {
	for {
		conn := c.successors.dial()
		if conn == nil {
			return nil
		}
		first := make([]byte, 4096)
		if n, err := conn.Read(first); err == nil {
			hello := first[:n]
			if c.garble != nil {
				hello = c.garble(hello)
			}
			return &fakeChild{served: c.served, conn: readAhead{conn, io.MultiReader(bytes.NewReader(hello), conn)}, adopted: true, unfit: c.unfit}
		}
		conn.Close()
		time.Sleep(findPause)
	}
}

// readAhead is a connection of which something was read already.
type readAhead struct {
	net.Conn
	r io.Reader
}

func (r readAhead) Read(b []byte) (int, error) { return r.r.Read(b) }

// die ends the process as SIGKILL does: nothing more is sent, VIPs stay.
func (c *fakeChild) die() {
	c.dead.Store(true)
	if c.theirs != nil {
		c.theirs.Close()
	}
	c.cancel()
	<-c.done
}

// parent is a director with its end of the speaker on one host.
type parent struct {
	*host
	log
	t        *testing.T
	commands chan Command
	done     chan error

	mu       sync.Mutex
	children []*fakeChild
	cautious []bool
	finds    int
	startErr error
	first    *fakeChild // what Start returns first, when it is not nil
	stuck    bool       // the director does not do its work
}

// parentOf runs a Process on h; prepare is called before.
func parentOf(t *testing.T, h *host, prepare func(p *parent)) *parent {
	t.Helper()
	p := &parent{host: h, t: t, commands: make(chan Command), done: make(chan error, 1)}
	if prepare != nil {
		prepare(p)
	}
	events := make(chan Event)
	process := NewProcess(ProcessOptions{
		Find: func(context.Context) (Child, error) {
			p.mu.Lock()
			p.finds++
			children := p.children
			p.mu.Unlock()
			if len(children) == 0 {
				return nil, nil
			}
			c := children[len(children)-1].adopt()
			if c == nil {
				return nil, nil
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.children = append(p.children, c)
			return c, nil
		},
		Start: func(cautious bool) (Child, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.cautious = append(p.cautious, cautious)
			if p.startErr != nil {
				return nil, p.startErr
			}
			if c := p.first; c != nil {
				p.first = nil
				p.children = append(p.children, c)
				return c, nil
			}
			c := newChild(t, h, func(s *Speaker) {
				if cautious {
					s.Cautious()
				}
			})
			p.children = append(p.children, c)
			return c, nil
		},
		Heir: func(commands <-chan Command, events chan<- Event) (*Speaker, func(), error) {
			return New(h.system(), commands, events), func() {}, nil
		},
		Alive: func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return !p.stuck
		},
	}, p.commands, events)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		p.done <- process.Run(ctx)
		close(events)
	}()
	go p.follow(events)
	t.Cleanup(func() {
		cancel()
		if err := <-p.done; err != nil {
			t.Error(err)
		}
	})
	return p
}

// child is the newest process.
func (p *parent) child() *fakeChild {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.children[len(p.children)-1]
}

func (p *parent) starts() []bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.cautious)
}

// as makes a parent look like a speaker that is run directly.
func (p *parent) as() *running { return &running{host: p.host, t: p.t, log: log{events: p.all()}} }

// tell sends a command and checks that it is taken at once.
func (p *parent) tell(c Command) {
	p.t.Helper()
	before := time.Now()
	p.commands <- c
	if waited := time.Since(before); waited > 0 {
		p.t.Errorf("%T was taken after %v", c, waited)
	}
}

// family is a director whose speaker is master, and a peer that is backup.
type family struct {
	net  *segment
	a    *parent
	peer *running
	from time.Time // when all was settled
}

var heartbeat = Settings{Heartbeat: time.Second}

func newFamily(t *testing.T, settings Settings) *family {
	t.Helper()
	f := &family{net: &segment{}}
	f.a = parentOf(t, newHost(f.net, "192.0.2.1"), nil)
	f.peer = start(t, newHost(f.net, "192.0.2.2"))
	wait(time.Second)
	tracking := instanceOf(150, vip4)
	tracking.Tracks = []TrackUse{{Name: "gateway", Weight: -20}}
	f.a.tell(Configure{Instances: []Instance{tracking}, Settings: settings})
	f.a.tell(Tracked{Name: "gateway", Detail: "no answer"})
	f.peer.configure(instanceOf(100, vip4))
	wait(settleTime)
	wantMaster(t, f.a.as(), f.peer, "web")
	f.from = time.Now()
	return f
}
