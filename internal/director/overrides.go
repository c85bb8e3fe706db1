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

// keep forgets the orders for instances that are no longer configured.
func (o *overrides) keep(c *config.Config) {
	known := make(map[string]bool)
	for _, i := range c.Instances {
		known[i.Name] = true
	}
	before := len(o.Standby) + len(o.Priority)
	maps.DeleteFunc(o.Standby, func(name string, _ bool) bool { return !known[name] })
	maps.DeleteFunc(o.Priority, func(name string, _ uint8) bool { return !known[name] })
	if len(o.Standby)+len(o.Priority) < before {
		_ = o.save() // else they are forgotten at the next start
	}
}
