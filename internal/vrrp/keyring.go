// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// keyring is the authentication of one group at work: it signs and verifies.
type keyring struct {
	auth    *Auth // nil: none
	signers []*signer
	active  *signer // nil: nothing is signed

	sent  sequence // of the last message
	began bool     // there was one

	marks  []mark // most recently heard first
	skew   time.Duration
	skewOf netip.Addr
}

// mark is the highest sequence of a sender.
type mark struct {
	source   netip.Addr
	sequence sequence
}

// configure takes a new configuration; sequence and marks are kept.
func (k *keyring) configure(a *Auth) {
	k.auth, k.signers, k.active = nil, nil, nil
	if a == nil {
		return
	}
	auth := *a
	k.auth = &auth
	for _, key := range a.Keys {
		k.signers = append(k.signers, newSigner(key))
	}
	if a.Mode != ReceiveOnly {
		k.active = k.find(a.Active)
	}
}

func (k *keyring) find(id uint8) *signer {
	i := slices.IndexFunc(k.signers, func(s *signer) bool { return s.id == id })
	if i < 0 {
		return nil
	}
	return k.signers[i]
}

// signs says whether messages get a trailer.
func (k *keyring) signs() bool { return k.active != nil }

// sign appends the trailer to b, whose octets from start on are the message.
// Its sequence is that of the time or, when the last one was not earlier, the
// one after the last: it grows within one tick of the clock and after the clock
// was set back. Set back by more than the window (0: there is none) it follows
// the clock, since the peers would refuse the old times, and have forgotten the
// marks that lie outside the window.
func (k *keyring) sign(now time.Time, window time.Duration, source netip.Addr, b []byte, start int) []byte {
	next := sequenceAt(now)
	if k.began && !next.after(k.sent) && (window == 0 || k.sent.within(now, window)) {
		next = k.sent + 1
	}
	k.sent, k.began = next, true
	b = trailer{kind: typeSHA256, key: k.active.id, sequence: next}.appendTo(b)
	end := len(b) - hmacSize
	copy(b[end:], k.active.sum(source, b[start:end]))
	return b
}

// verify checks what follows the message in the payload of p. The staleness is
// looked at before the HMAC, so that a flood of old messages costs little; the
// mark of the sender moves after it, so that no forged message moves it.
//
// window is 0 where times do not matter; at most limit senders have a mark.
func (k *keyring) verify(now time.Time, p Packet, f frame, window time.Duration, limit int) error {
	if len(f.rest) == 0 {
		if k.auth.Mode == Enforce {
			return DiscardUnsigned
		}
		return nil
	}
	t := parseTrailer(f.rest)
	switch {
	case t.kind != typeSHA256 || t.reserved != 0:
		return DiscardTrailer
	case window > 0 && !t.sequence.within(now, window):
		return DiscardWindow
	}
	signer := k.find(t.key)
	switch {
	case signer == nil:
		return DiscardUnknownKey
	case !signer.verify(p.Source, p.Payload[:len(p.Payload)-hmacSize], t):
		return DiscardHMAC
	}

	i := slices.IndexFunc(k.marks, func(m mark) bool { return m.source == p.Source })
	if i >= 0 && !t.sequence.after(k.marks[i].sequence) {
		// A mark outside the window orders nothing that the window lets pass.
		// It is one from before a clock was set right.
		if window == 0 || k.marks[i].sequence.within(now, window) {
			return DiscardReplayed
		}
	}
	k.marks = toFront(k.marks, i, mark{p.Source, t.sequence}, limit)
	k.skew, k.skewOf = t.sequence.ahead(now), p.Source
	return nil
}

// toFront puts e at the front of list in place of element i, or as a new one
// when i is negative; the last element goes when there are more than limit.
func toFront[E any](list []E, i int, e E, limit int) []E {
	switch {
	case i >= 0:
	case len(list) < limit:
		i = len(list)
		list = append(list, e)
	default:
		i = len(list) - 1
	}
	copy(list[1:i+1], list[:i])
	list[0] = e
	return list
}
