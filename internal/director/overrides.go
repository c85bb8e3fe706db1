// SPDX-License-Identifier: Apache-2.0

package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// overrides is what the operator has ordered beyond the configuration, by
// instance. It is kept in a file, so that it outlives the daemon.
type overrides struct {
	path     string
	Version  int
	Standby  map[string]bool
	Priority map[string]uint8
}

const overridesVersion = 1

func openOverrides(stateDir string) (*overrides, error) {
	o := &overrides{path: filepath.Join(stateDir, "overrides.json")}
	b, err := os.ReadFile(o.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read what the operator has ordered: %w", err)
	default:
		if err := json.Unmarshal(b, o); err != nil || o.Version != overridesVersion || !o.legal() {
			return nil, fmt.Errorf("read what the operator has ordered: %s is damaged or of another version (%d): remove it, and give the orders (standby, priority) again", o.path, o.Version)
		}
	}
	o.Version = overridesVersion
	if o.Standby == nil {
		o.Standby = make(map[string]bool)
	}
	if o.Priority == nil {
		o.Priority = make(map[string]uint8)
	}
	return o, nil
}

// legal reports whether orders of this kind are given.
func (o *overrides) legal() bool {
	for _, p := range o.Priority {
		if p < 1 || p == vrrp.PriorityOwner {
			return false
		}
	}
	return true
}

// save writes the file. What cannot be written is in force all the same.
func (o *overrides) save() error {
	b, err := json.Marshal(o)
	if err == nil {
		err = replaceFile(o.path, b)
	}
	if err != nil {
		return fmt.Errorf("in force, but not over a restart: write what the operator has ordered: %w", err)
	}
	return nil
}

// droppedOrder is an order that no longer applies.
type droppedOrder struct{ order, instance, why string }

// String says it to the operator.
func (o droppedOrder) String() string {
	return fmt.Sprintf("order %s of %s is dropped: %s", o.order, o.instance, o.why)
}

// keep forgets the orders that c has no place for: those for instances that are
// not configured, and priorities of address owners.
func (o *overrides) keep(c *config.Config) []droppedOrder {
	configured := make(map[string]uint8)
	for _, i := range c.Instances {
		configured[i.Name] = i.Priority
	}
	const gone = "no such instance is configured any more"
	var dropped []droppedOrder
	for _, name := range slices.Sorted(maps.Keys(o.Standby)) {
		if _, known := configured[name]; !known {
			dropped = append(dropped, droppedOrder{"standby", name, gone})
			delete(o.Standby, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Priority)) {
		order := fmt.Sprintf("priority %d", o.Priority[name])
		switch priority, known := configured[name]; {
		case !known:
			dropped = append(dropped, droppedOrder{order, name, gone})
		case priority == vrrp.PriorityOwner:
			dropped = append(dropped, droppedOrder{order, name, "it has priority 255 now, as the owner of its addresses"})
		default:
			continue
		}
		delete(o.Priority, name)
	}
	if len(dropped) > 0 {
		_ = o.save() // else they are dropped at the next start
	}
	return dropped
}
