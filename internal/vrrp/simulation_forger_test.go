// SPDX-License-Identifier: Apache-2.0

package vrrp

import "fmt"

// forgery is what a forger sends, who hears everything and has no key but those
// that were taken out of use.
type forgery uint8

const (
	forgedReplay    forgery = iota + 1 // what was sent before, as it was
	forgedReflected                    // the same, to its sender
	forgedUnsigned
	forgedPriority // another priority in what was sent before
	forgedSource   // another source of what was sent before
	forgedSecret   // signed with another secret
	forgedOldKey   // signed with the old key
	forgeries
)

var forgeryNames = [forgeries]string{
	0: "authentic", forgedReplay: "replayed", forgedReflected: "reflected", forgedUnsigned: "unsigned", forgedPriority: "changed",
	forgedSource: "with another source", forgedSecret: "signed with a wrong secret", forgedOldKey: "signed with the old key",
}

func (f forgery) String() string {
	if f >= forgeries {
		return fmt.Sprintf("forgery %d", uint8(f))
	}
	return forgeryNames[f]
}

// forger keeps some of what it has heard, old and new.
type forger struct {
	kept []capturedDatagram
}

type capturedDatagram struct {
	*datagram
	from *port
}

const forgerMemory = 32

func (s *simulation) eavesdrop(from *port, g *datagram) {
	c := capturedDatagram{g, from}
	if len(s.forger.kept) < forgerMemory {
		s.forger.kept = append(s.forger.kept, c)
		return
	}
	s.forger.kept[s.random.IntN(forgerMemory)] = c
}

// attack sends some forgeries. None may have an effect.
func (s *simulation) attack() {
	s.after(s.upTo(4*s.scenario.maxInterval()), s.attack)
	if len(s.forger.kept) == 0 {
		return
	}
	for range 1 + s.random.IntN(2) {
		s.forge(forgery(1+s.random.IntN(int(forgeries)-1)), pick(s.random, s.forger.kept...))
	}
}

// forge sends one forgery that is made of c, or of its source.
func (s *simulation) forge(f forgery, c capturedDatagram) {
	from := c.from.director
	other := s.directors[(from.id+1+s.random.IntN(len(s.directors)-1))%len(s.directors)]
	victim := other.ports[c.from.segment.number]
	priority := pick[uint8](s.random, PriorityResign, 1, 254, PriorityOwner)
	g := *c.datagram
	g.forgery = f
	g.Payload = append([]byte(nil), g.Payload...)
	switch f {
	case forgedReplay:
	case forgedReflected:
		victim = c.from
	case forgedPriority:
		if g.Payload[atPriority] == priority {
			return
		}
		g.Payload[atPriority] = priority
		g.seal()
	case forgedSource:
		for _, end := range victim.wires {
			if end.family == FamilyOf(g.Source) {
				g.Source = end.source
			}
		}
		g.seal()
		victim = s.directors[s.random.IntN(len(s.directors))].ports[c.from.segment.number]
	case forgedUnsigned:
		g.Payload = s.signAs(c, victim, priority, nil)
		g.signed = false
	case forgedSecret:
		g.signed = true
		g.Payload = s.signAs(c, victim, priority, &Auth{Keys: []Key{{oldKey.ID, secret(7)}}, Active: oldKey.ID})
	case forgedOldKey:
		g.signed = true
		g.Payload = s.signAs(c, victim, priority, &Auth{Keys: []Key{oldKey}, Active: oldKey.ID})
	}
	if !victim.down {
		victim.director.deliver(victim.segment.number, &g)
	}
}

// signAs returns what the sender of c would send at the time of the victim's
// clock.
func (s *simulation) signAs(c capturedDatagram, victim *port, priority uint8, auth *Auth) []byte {
	config := c.from.groupConfig(FamilyOf(c.Source))
	config.Auth = auth
	return config.router(c.Source).Advertisement(victim.director.read(), priority, s.scenario.intervals[0], nil)
}

// seal makes the checksum right again.
func (g *datagram) seal() {
	p := g.Packet
	if p.Source.Is4() && g.signed {
		p.Payload = p.Payload[:len(p.Payload)-trailerSize] // the checksum does not cover the rest
	}
	resum(&p)
}

// expectsForged says whether a forgery has to be refused. Some are none to the
// port: what it takes unsigned, keys that it still knows, and what it has not
// heard yet, or not since its process began or its clock was wrong by days.
// These are not sent.
func (p *port) expectsForged(g *datagram) expectation {
	d := p.director
	last, ok := p.heard[g.Source]
	switch {
	case !g.signed && g.forgery != forgedReflected:
		if d.stage >= stageEnforce {
			return refusal
		}
	case g.forgery == forgedReplay:
		outside := p.window() > 0 && p.expectsByTime(g) == refusal
		known := ok && !g.sequence.after(last.sequence) && (p.window() == 0 || last.at > d.leaptAt)
		if outside || known || d.stage == stageNone {
			return refusal
		}
	case g.forgery == forgedOldKey:
		if d.stage == stageNewKey {
			return refusal
		}
	default:
		return refusal
	}
	return either
}
