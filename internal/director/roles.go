// SPDX-License-Identifier: Apache-2.0

package director

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// takeSpeakerEvent turns what the speaker says into the director's own events
// and state.
func (d *Director) takeSpeakerEvent(ctx context.Context, e speaker.Event) {
	switch e := e.(type) {
	case speaker.Transition:
		d.notifyTransition(e)
		d.roles[e.Instance] = e.To
		if e.To != vrrp.Master {
			d.advanceHandOvers(e.Instance, "")
		}
		reason := e.Reason
		if e.Peer.IsValid() {
			reason += ", " + e.Peer.String()
		}
		d.emit(ctx, Event{
			At: e.At, Kind: RoleChanged, Instance: e.Instance, From: e.From.String(), To: e.To.String(), Reason: reason,
			Text: transitionText(e.Instance, e.From.String(), e.To.String(), reason),
		})
		_ = d.reconcileSync(ctx) // its failures are events
	case speaker.Fault:
		d.notifyFault(e)
		d.emit(ctx, Event{At: e.At, Kind: InstanceFault, Instance: e.Instance, To: "fault", Reason: e.Reason, Text: e.Instance + ": fault: " + e.Reason})
	case speaker.Recovered:
		d.emit(ctx, Event{At: e.At, Kind: InstanceRecovered, Instance: e.Instance, From: "fault", Text: e.Instance + ": fault is over"})
	case speaker.Moved:
		d.emit(ctx, Event{At: e.At, Kind: AddressesMoved, Instance: e.Instance, Reason: movedText(e), Text: fmt.Sprintf("%s: VIPs %s", e.Instance, movedText(e))})
	case speaker.Restored:
		d.emit(ctx, Event{At: e.At, Kind: AddressRestored, Instance: e.Instance, Reason: e.Address.String(), Text: fmt.Sprintf("%s: VIP %s was removed by somebody else, put back", e.Instance, e.Address)})
	case speaker.Foreign:
		d.emit(ctx, Event{At: e.At, Kind: AddressForeign, Instance: e.Instance, Reason: e.Address.String(), Text: fmt.Sprintf("%s: VIP %s was put there by somebody else and stays theirs: remove it, or it will be there on a backup too", e.Instance, e.Address)})
	case speaker.Contested:
		d.troubles.see(e.Instance, "acts as master with a lower priority", e.Peer.String(), e.At)
		d.emit(ctx, Event{At: e.At, Kind: Contested, Instance: e.Instance, Reason: e.Peer.String(), Text: fmt.Sprintf("%s: %s of lower priority acts as master too; VIPs announced again", e.Instance, e.Peer)})
	case speaker.Conflict:
		d.troubles.see(e.Instance, e.Reason, e.Peer.String(), e.At)
		d.emit(ctx, Event{At: e.At, Kind: ConfigConflict, Instance: e.Instance, Reason: e.Reason, Text: fmt.Sprintf("%s: configuration of %s does not fit ours: %s", e.Instance, e.Peer, e.Reason)})
	case speaker.Discarded:
		d.troubles.see(e.Instance, "adverts dropped: "+e.Reason.String(), e.Source.String(), e.At)
		d.emit(ctx, Event{At: e.At, Kind: AdvertsDiscarded, Instance: e.Instance, Reason: e.Reason.String(), Text: discardText(e)})
	case speaker.Failed:
		d.emit(ctx, Event{At: e.At, Kind: SpeakerFailed, Instance: e.Instance, Reason: e.Error, Text: e.Error})
	case speaker.Claimed:
		d.troubles.see(e.Instance, "claims VIP "+e.Address.Prefix.Addr().String(), e.HardwareAddr, e.At)
		d.emit(ctx, Event{At: e.At, Kind: AddressClaimed, Instance: e.Instance, Reason: e.HardwareAddr, Text: fmt.Sprintf("%s: %s claims VIP %s, which is held here; announced again", e.Instance, e.HardwareAddr, e.Address)})
	case speaker.PriorityChanged:
		d.priorities[e.Instance] = e.To
		d.emit(ctx, Event{At: e.At, Kind: PriorityChanged, Instance: e.Instance, From: strconv.Itoa(int(e.From)), To: strconv.Itoa(int(e.To)), Reason: e.Reason, Text: fmt.Sprintf("%s: priority %d -> %d (%s)", e.Instance, e.From, e.To, e.Reason)})
	case speaker.StandbyRefused:
		d.refuseStandby(ctx, e)
	case speaker.Stalled:
		d.emit(ctx, Event{At: e.At, Kind: Paused, Reason: e.Pause.String(), Text: fmt.Sprintf("this machine stood still for %s: roles are given up and the network is listened to first", e.Pause.Round(time.Millisecond))})
	case speaker.Lost:
		clear(d.roles)
		d.speakerPID = 0
		d.emit(ctx, Event{At: e.At, Kind: SpeakerLost, Reason: e.Reason, Text: lostText(e)})
		for _, name := range e.Masters {
			d.roles[name] = vrrp.Master
		}
	case speaker.Started:
		d.speakerPID, d.adopting = e.PID, e.Adopted
		text := fmt.Sprintf("speaker started, pid %d", e.PID)
		if e.Adopted {
			text = fmt.Sprintf("speaker adopted, pid %d: its roles go on", e.PID)
		}
		d.emit(ctx, Event{At: e.At, Kind: SpeakerStarted, Text: text})
		if !e.Adopted && !d.rolesKnown {
			d.rolesKnown = true
			_ = d.reconcileSync(ctx) // its failures are events
		}
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

func lostText(e speaker.Lost) string {
	text := "speaker is lost (" + e.Reason + "); "
	if len(e.Masters) == 0 {
		return text + "it was master of nothing"
	}
	return text + "handing over for it: " + strings.Join(e.Masters, ", ")
}

// movedText says "added 192.0.2.10/24 dev eth0, ...; removed ...".
func movedText(e speaker.Moved) string {
	var parts []string
	for _, m := range []struct {
		verb      string
		addresses []netif.Address
	}{{"added", e.Added}, {"removed", e.Removed}} {
		if len(m.addresses) == 0 {
			continue
		}
		var told []string
		for _, a := range m.addresses[:min(len(m.addresses), maxTold)] {
			told = append(told, a.String())
		}
		if more := len(m.addresses) - len(told); more > 0 {
			told = append(told, fmt.Sprintf("%d more", more))
		}
		parts = append(parts, m.verb+" "+strings.Join(told, ", "))
	}
	return strings.Join(parts, "; ")
}

func discardText(e speaker.Discarded) string {
	subject := e.Interface
	if e.Instance != "" {
		subject = e.Instance + " on " + e.Interface
	}
	return fmt.Sprintf("%s: dropped VRRP packets (%d), last from %s: %s", subject, e.Count, e.Source, cmp.Or(e.Detail, e.Reason.Error()))
}
