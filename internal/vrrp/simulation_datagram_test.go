// SPDX-License-Identifier: Apache-2.0

package vrrp

import "time"

// datagram is a packet, and what is known of it beside what its octets say.
type datagram struct {
	Packet
	sent     time.Duration
	days     int // the sender's clock is off by
	signed   bool
	sequence sequence
	reused   bool    // it has a time that the sender has signed before
	forgery  forgery // 0: none
}

// voice is a group of a director, through all its processes, and the day that
// its clock is in.
type voice struct {
	segment int
	family  Family
	days    int
}

// used is the highest sequence of a voice. A process does not know those of its
// predecessors, nor those from before its clock was wrong by days.
type used struct {
	sequence sequence
	process  int
	at       time.Duration
}

// datagram notes what the director has just signed, and checks it.
func (d *director) datagram(p *port, end wireEnd, message []byte) *datagram {
	g := &datagram{
		Packet: Packet{Payload: message, Source: end.source, Destination: end.family.Group(), TTL: 255},
		sent:   d.now, days: d.days, signed: d.stage >= stagePermissive,
	}
	if !g.signed {
		return g
	}
	g.sequence = parseTrailer(message[len(message)-trailerSize:]).sequence
	v := voice{p.segment.number, end.family, d.days}
	if d.scenario.auth.replay == ReplayMonotonic {
		v.days = 0
	}
	if last, ok := d.used[v]; ok && !g.sequence.after(last.sequence) {
		g.reused = true
		d.monitor.mute()
		forgotten := last.process != d.process || last.at < d.leaptAt
		if !forgotten || d.now+d.skew > d.shown+time.Millisecond {
			d.fail("d%d signs sequence %x after %x", d.id, g.sequence, last.sequence)
		}
	} else {
		d.used[v] = used{g.sequence, d.process, d.now}
	}
	if ahead := g.sequence.ahead(d.read()); ahead < -time.Millisecond || ahead > 2*d.scenario.maxSkew()+time.Millisecond {
		d.fail("d%d signs a time %v from its clock's", d.id, ahead)
	}
	return g
}

// expectation is what has to become of a datagram.
type expectation uint8

const (
	either expectation = iota
	acceptance
	refusal
)

// expects says what has to become of g at the port, by what is documented: a
// message is refused when its time is outside the window, and when a later one
// of its sender was accepted.
func (p *port) expects(g *datagram) expectation {
	d := p.director
	if g.forgery != 0 {
		return p.expectsForged(g)
	}
	days, window := d.days, p.window()
	switch {
	case !g.signed:
		return acceptance
	case g.reused:
		return either
	case window == 0:
		return acceptance
	case g.days != days:
		return refusal
	case d.now-g.sent <= d.scenario.window()/10:
		return acceptance
	}
	return p.expectsByTime(g)
}

// expectsByTime says it by the time in g alone.
func (p *port) expectsByTime(g *datagram) expectation {
	const doubt = time.Millisecond // fractions of seconds are binary in one and not in the other
	switch beyond := g.sequence.ahead(p.director.read()).Abs() - p.window(); {
	case beyond.Abs() <= doubt:
		return either
	case beyond > 0:
		return refusal
	default:
		return acceptance
	}
}

// window is how far a time may be from the director's clock; 0: it does not
// matter.
func (p *port) window() time.Duration {
	d := p.director
	if d.scenario.auth.replay == ReplayMonotonic {
		return 0
	}
	return d.scenario.auth.windowOf(d.parameters.AdvertInterval)
}

// heard is the last signed message that a port accepted of a sender.
type heard struct {
	sequence sequence
	at       time.Duration
}

// judge checks what became of g, and reports whether it was accepted.
func (p *port) judge(g *datagram, want expectation, err error) bool {
	d := p.director
	switch {
	case err != nil && want == acceptance:
		d.fail("d%d.%d discards %x from %s, sent at %v: %v", d.id, p.segment.number, g.Payload, g.Source, g.sent, err)
	case err == nil && want == refusal && g.forgery != 0:
		d.fail("d%d.%d accepts %x from %s: %v", d.id, p.segment.number, g.Payload, g.Source, g.forgery)
	case err == nil && want == refusal:
		d.fail("d%d.%d accepts %x from %s, sent at %v with a clock %d days off", d.id, p.segment.number, g.Payload, g.Source, g.sent, g.days)
	case want == refusal && g.forgery == 0 && err != DiscardWindow:
		d.fail("d%d.%d discards %x from %s: %v, want %v", d.id, p.segment.number, g.Payload, g.Source, err, DiscardWindow)
	case err != nil:
		d.tracef("d%d.%d discards (%v) from %s: %v", d.id, p.segment.number, g.forgery, g.Source, err)
		d.tally.Discards++
	case g.signed:
		p.heard[g.Source] = heard{g.sequence, d.now}
	}
	return err == nil
}

// mute notes that somebody speaks whom nobody believes.
func (m *monitor) mute() {
	m.tally.Mutes++
	m.muted = m.now
	m.disturbNetwork()
	m.end = max(m.end, m.now+m.rest)
}
