// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// handOver is an operator who waits until instances have left mastership.
type handOver struct {
	waiting map[string]bool
	refused []string
	done    chan error
}

// Standby implements control.Daemon.
func (d *Director) Standby(ctx context.Context, instance string) error {
	h := &handOver{waiting: make(map[string]bool), done: make(chan error, 1)}
	var err error
	called := d.call(ctx, func(loop context.Context) {
		var names []string
		if names, err = d.named(instance); err != nil {
			return
		}
		for _, name := range names {
			d.overrides.Standby[name] = true
			if d.roles[name] == vrrp.Master {
				h.waiting[name] = true
			}
		}
		err = d.overrides.save()
		d.emit(loop, Event{Kind: Operated, Instance: instance, To: "standby", Text: "operator: standby of " + strings.Join(names, ", ")})
		d.handOvers = append(d.handOvers, h)
		d.configureSpeaker(loop)
		d.advanceHandOvers("", "")
	})
	if err := errors.Join(called, err); err != nil {
		return err
	}
	select {
	case err := <-h.done:
		return err
	case <-d.gone:
		return errStopping
	case <-ctx.Done():
		return fmt.Errorf("hand over %s: %w", instance, ctx.Err())
	}
}

// advanceHandOvers tells those who wait that an instance has left mastership,
// or why it has not.
func (d *Director) advanceHandOvers(instance, refusal string) {
	d.handOvers = slices.DeleteFunc(d.handOvers, func(h *handOver) bool {
		if h.waiting[instance] {
			delete(h.waiting, instance)
			if refusal != "" {
				h.refused = append(h.refused, fmt.Sprintf("%s stays master: %s", instance, refusal))
			}
		}
		if len(h.waiting) > 0 {
			return false
		}
		var err error
		if len(h.refused) > 0 {
			err = errors.New(strings.Join(h.refused, "; "))
		}
		h.done <- err
		return true
	})
}

// Resume implements control.Daemon.
func (d *Director) Resume(ctx context.Context, instance string) error {
	return d.order(ctx, instance, "resume", func(names []string) error {
		for _, name := range names {
			delete(d.overrides.Standby, name)
		}
		return nil
	})
}

// SetPriority implements control.Daemon.
func (d *Director) SetPriority(ctx context.Context, instance string, priority uint8) error {
	to := "the configured priority"
	if priority > 0 {
		to = fmt.Sprintf("priority %d", priority)
	}
	return d.order(ctx, instance, to, func([]string) error {
		for _, i := range d.config.Instances {
			switch {
			case i.Name != instance:
			case i.Priority == vrrp.PriorityOwner:
				return fmt.Errorf("%s has priority 255 as the owner of its addresses, which an order cannot change", instance)
			case priority == vrrp.PriorityOwner:
				return errors.New("priority 255 is for the owner of the addresses: give 1 to 254")
			}
		}
		if priority == 0 {
			delete(d.overrides.Priority, instance)
		} else {
			d.overrides.Priority[instance] = priority
		}
		return nil
	})
}

// order carries out one order of the operator for an instance, or for all.
func (d *Director) order(ctx context.Context, instance, to string, change func(names []string) error) error {
	var err error
	called := d.call(ctx, func(loop context.Context) {
		var names []string
		if names, err = d.named(instance); err != nil {
			return
		}
		if err = change(names); err != nil {
			return
		}
		err = d.overrides.save()
		d.emit(loop, Event{Kind: Operated, Instance: instance, To: to, Text: fmt.Sprintf("operator: %s of %s", to, strings.Join(names, ", "))})
		d.configureSpeaker(loop)
	})
	return errors.Join(called, err)
}

// named returns the instances that an order for one concerns: those of its sync
// group; all for an empty name.
func (d *Director) named(instance string) ([]string, error) {
	if d.stopping {
		return nil, errStopping
	}
	var all []string
	for _, i := range d.config.Instances {
		all = append(all, i.Name)
	}
	switch {
	case instance == "":
		return all, nil
	case !slices.Contains(all, instance):
		return nil, fmt.Errorf("no VRRP instance %q: there are %s", instance, strings.Join(all, ", "))
	}
	for _, g := range d.config.SyncGroups {
		if slices.Contains(g.Members, instance) {
			return g.Members, nil
		}
	}
	return []string{instance}, nil
}

// configureSpeaker tells the speaker what configuration and orders demand.
func (d *Director) configureSpeaker(ctx context.Context) {
	all := instances(d.config, d.overrides)
	for _, i := range all {
		if d.priorities[i.Name] == 0 {
			d.priorities[i.Name] = i.Priority // until the speaker says otherwise
		}
	}
	d.command(ctx, speaker.Configure{Instances: all, Links: linkTracks(d.config), Settings: settings(d.config)})
}
