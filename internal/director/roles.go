// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"fmt"

	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// takeSpeakerEvent logs what the speaker says, and acts on it.
func (d *Director) takeSpeakerEvent(ctx context.Context, e speaker.Event) {
	d.troubles.hear(e)
	if said, ok := spoken(e); ok {
		d.emit(ctx, said)
	}
	switch e := e.(type) {
	case speaker.Transition:
		d.notifyTransition(e)
		d.roles[e.Instance] = e.To
		if e.To != vrrp.Master {
			d.advanceHandOvers(e.Instance, "")
		}
		_ = d.reconcileSync(ctx) // its failures are events
	case speaker.Fault:
		d.notifyFault(e)
	case speaker.PriorityChanged:
		d.priorities[e.Instance] = e.To
	case speaker.Lost:
		clear(d.roles)
		d.speakerPID = 0
		for _, name := range e.Masters {
			d.roles[name] = vrrp.Master
		}
	case speaker.Started:
		d.speakerPID, d.adopting = e.PID, e.Adopted
		if !e.Adopted && !d.rolesKnown {
			d.rolesKnown = true
			_ = d.reconcileSync(ctx) // its failures are events
		}
	case speaker.StandbyRefused:
		d.refuseStandby(ctx, e)
	case speaker.Status:
		if !e.Absent {
			d.takeRoles(ctx, e)
		}
		for _, w := range d.waiting {
			w <- e
		}
		d.waiting = nil
	}
}

// takeRoles learns what an adopted speaker does. Nobody was told of what it did
// without a director.
func (d *Director) takeRoles(ctx context.Context, s speaker.Status) {
	first := !d.rolesKnown
	changed := first
	d.rolesKnown = true
	for _, i := range s.Instances {
		name, from := i.Config.Name, d.roles[i.Config.Name]
		d.priorities[name] = i.Priority
		moved := from != i.State
		switch {
		case !d.adopting:
		case i.Fault != "" && (first || moved):
			d.notifyFault(speaker.Fault{At: i.Since, Instance: name, Reason: i.Fault})
		case moved:
			d.notifyTransition(speaker.Transition{At: i.Since, Instance: name, From: from, To: i.State, Reason: i.Reason, Peer: i.Peer})
		}
		changed = changed || moved
		d.roles[name] = i.State
	}
	d.adopting = false
	if changed {
		_ = d.reconcileSync(ctx) // its failures are events
	}
}

// refuseStandby takes back an order that nobody could be found for.
func (d *Director) refuseStandby(ctx context.Context, e speaker.StandbyRefused) {
	delete(d.overrides.Standby, e.Instance)
	text := fmt.Sprintf("%s: standby refused, it stays master: %s", e.Instance, e.Reason)
	if err := d.overrides.save(); err != nil {
		text += "; " + err.Error()
	}
	d.emit(ctx, Event{At: e.At, Kind: StandbyRefused, Instance: e.Instance, Reason: e.Reason, Text: text})
	d.advanceHandOvers(e.Instance, e.Reason)
	d.configureSpeaker(ctx)
}
