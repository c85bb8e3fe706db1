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

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
)

// owned is what this director put into the kernel's IPVS table, kept in a file
// so that a successor of a dead daemon knows what it may remove.
type owned struct {
	path     string
	services map[ipvs.ServiceKey]bool
	sync     bool // a sync daemon of ours runs
	stale    bool // the file says something else
}

type ownedFile struct {
	Version  int
	Services []ipvs.ServiceKey
	Sync     bool
}

const ownedVersion = 1

func openOwned(stateDir string) (*owned, error) {
	o := &owned{path: filepath.Join(stateDir, "ipvs.json"), services: make(map[ipvs.ServiceKey]bool)}
	b, err := os.ReadFile(o.path)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read which IPVS services are ours: %w", err)
	}
	var f ownedFile
	if err := json.Unmarshal(b, &f); err != nil || f.Version != ownedVersion {
		return nil, fmt.Errorf("read which IPVS services are ours: %s is damaged or of another version (%d): remove it; services that are no longer configured then stay in the kernel", o.path, f.Version)
	}
	for _, k := range f.Services {
		o.services[k] = true
	}
	o.sync = f.Sync
	return o, nil
}

// set makes the file name exactly these services; it does not write what it
// already says. When the file cannot be written they are ours all the same, for
// as long as this process lives.
func (o *owned) set(services map[ipvs.ServiceKey]bool, sync bool) error {
	if !o.stale && sync == o.sync && maps.Equal(services, o.services) {
		return nil
	}
	o.services, o.sync, o.stale = services, sync, true
	f := ownedFile{Version: ownedVersion, Sync: sync}
	for k := range services {
		f.Services = append(f.Services, k)
	}
	slices.SortFunc(f.Services, ipvs.ServiceKey.Compare)
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("write which IPVS services are ours: %w", err)
	}
	if err := replaceFile(o.path, b); err != nil {
		return fmt.Errorf("write which IPVS services are ours: %w", err)
	}
	o.stale = false
	return nil
}
