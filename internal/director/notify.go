// SPDX-License-Identifier: Apache-2.0

package director

import (
	"fmt"
	"slices"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/notify"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// Notifier tells commands of transitions; notify.Runner is the real one.
type Notifier interface {
	Set(commands []notify.Command)
	Notify(e notify.Event)
}

func notifyCommands(c *config.Config) []notify.Command {
	var all []notify.Command
	for _, n := range c.Notifies {
		all = append(all, notify.Command{Argv: n.Command, User: n.User, Timeout: n.Timeout, Instances: n.Instances, Events: n.Events})
	}
	return all
}

// notifyTransition tells the commands of a change of role. Where a fault is
// the cause, the fault is what they are told.
func (d *Director) notifyTransition(t speaker.Transition) {
	events := map[vrrp.State]string{vrrp.Master: "master", vrrp.Backup: "backup", vrrp.Initialize: "stop"}
	faults := []string{vrrp.ReasonFault.String(), vrrp.ReasonInterfaceDown.String()}
	if t.To == vrrp.Initialize && slices.Contains(faults, t.Reason) {
		if t.Reason == vrrp.ReasonInterfaceDown.String() {
			d.halted[t.Instance] = t.From
		}
		return
	}
	e := d.notification(events[t.To], t.Instance, t.At)
	e.From, e.To, e.Reason = t.From.String(), t.To.String(), t.Reason
	if t.Peer.IsValid() {
		e.Peer = t.Peer.String()
	}
	d.notifier.Notify(e)
}

func (d *Director) notifyFault(f speaker.Fault) {
	from, halted := d.halted[f.Instance]
	if delete(d.halted, f.Instance); !halted {
		from = d.roles[f.Instance]
	}
	e := d.notification("fault", f.Instance, f.At)
	e.From, e.To, e.Reason = from.String(), "fault", f.Reason
	d.notifier.Notify(e)
}

func (d *Director) notification(event, instance string, at time.Time) notify.Event {
	return notify.Event{Event: event, Instance: instance, At: at, Priority: d.priorities[instance]}
}

func notifyFailure(f notify.Failure) Event {
	return Event{Kind: NotifyFailed, Instance: f.Event.Instance, Reason: f.Err.Error(), Text: fmt.Sprintf("%s: notify %s of %s: %v", f.Event.Instance, f.Command.Argv[0], f.Event.Event, f.Err)}
}
