// SPDX-License-Identifier: Apache-2.0

package director

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
func (d *Director) Standby(ctx context.Context, instance string) (notes []string, err error) {
	h := &handOver{waiting: make(map[string]bool), done: make(chan error, 1)}
	called := d.call(ctx, func(loop context.Context) {
		var names []string
		if names, err = d.named(instance); err != nil {
			return
		}
		notes = d.untilReboot("`lvs-ha resume`")
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
		return nil, err
	}
	select {
	case err := <-h.done:
		if err != nil {
			return nil, err
		}
		return notes, nil
	case <-d.gone:
		return nil, errStopping
	case <-ctx.Done():
		return nil, fmt.Errorf("hand over %s: %w", instance, ctx.Err())
	}
}

// untilReboot is the note of an order that a reboot ends, too.
func (d *Director) untilReboot(end string) []string {
	if !d.volatile {
		return nil
	}
	return []string{fmt.Sprintf("lasts until %s or a reboot: state_dir %s is in memory", end, d.config.Director.StateDir)}
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
	return d.order(ctx, instance, func(names []string) (string, []string, error) {
		for _, name := range names {
			delete(d.overrides.Standby, name)
			d.advanceHandOvers(name, "called off by `lvs-ha resume`")
		}
		return "resume", names, nil
	})
}

// SetPriority implements control.Daemon.
func (d *Director) SetPriority(ctx context.Context, instance string, priority uint8) (notes []string, err error) {
	err = d.order(ctx, instance, func([]string) (string, []string, error) {
		of := []string{instance}
		switch configured := d.configuredPriority(instance); {
		case instance == "":
			return "", nil, errors.New("no instance is named")
		case configured == vrrp.PriorityOwner:
			return "", nil, fmt.Errorf("%s has priority 255 as the owner of its addresses, which an order cannot change", instance)
		case priority == vrrp.PriorityOwner:
			return "", nil, errors.New("priority 255 is for the owner of the addresses: give 1 to 254")
		}
		if priority == 0 {
			delete(d.overrides.Priority, instance)
			notes = d.alone(instance, "default")
			return "the configured priority", of, nil
		}
		d.overrides.Priority[instance] = priority
		notes = append(d.alone(instance, strconv.Itoa(int(priority))), d.untilReboot(fmt.Sprintf("`lvs-ha priority %s default`", instance))...)
		return fmt.Sprintf("priority %d", priority), of, nil
	})
	if err != nil {
		return nil, err
	}
	return notes, nil
}

// alone notes that an order for one member of a sync group does not move the
// group, as long as others are not changed the same way.
func (d *Director) alone(instance, order string) []string {
	shift := func(name string) int {
		ordered, ok := d.overrides.Priority[name]
		if !ok {
			return 0
		}
		return cmp.Compare(ordered, d.configuredPriority(name))
	}
	for _, g := range d.config.SyncGroups {
		if !slices.Contains(g.Members, instance) {
			continue
		}
		var orders []string
		for _, m := range g.Members {
			switch {
			case shift(m) == shift(instance):
			case d.configuredPriority(m) == vrrp.PriorityOwner:
				return []string{fmt.Sprintf("sync group %s moves only when all its members would, and %s has priority 255, which no order changes: `lvs-ha standby %s` moves the group", g.Name, m, instance)}
			default:
				orders = append(orders, fmt.Sprintf("`lvs-ha priority %s %s`", m, order))
			}
		}
		if len(orders) > 0 {
			return []string{fmt.Sprintf("sync group %s moves only when all its members would, so this alone may not change who is master: give also %s", g.Name, strings.Join(orders, ", "))}
		}
	}
	return nil
}

func (d *Director) configuredPriority(instance string) uint8 {
	for _, i := range d.config.Instances {
		if i.Name == instance {
			return i.Priority
		}
	}
	return 0
}

// order carries out one order of the operator for an instance, or for all.
// change is given those that move together, and says what the order is and for
// which it is.
func (d *Director) order(ctx context.Context, instance string, change func(names []string) (to string, of []string, err error)) error {
	var err error
	called := d.call(ctx, func(loop context.Context) {
		var names []string
		if names, err = d.named(instance); err != nil {
			return
		}
		to, of, refused := change(names)
		if err = refused; err != nil {
			return
		}
		err = d.overrides.save()
		d.emit(loop, Event{Kind: Operated, Instance: instance, To: to, Text: fmt.Sprintf("operator: %s of %s", to, strings.Join(of, ", "))})
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
	maps.DeleteFunc(d.priorities, func(name string, _ uint8) bool {
		return !slices.ContainsFunc(all, func(i speaker.Instance) bool { return i.Name == name })
	})
	for _, i := range all {
		if d.priorities[i.Name] == 0 {
			d.priorities[i.Name] = i.Priority // until the speaker says otherwise
		}
	}
	known := slices.Collect(maps.Values(d.tracked))
	d.command(ctx, speaker.Configure{Instances: all, Links: linkTracks(d.config), Tracked: known, Settings: settings(d.config)})
}
