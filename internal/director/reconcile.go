// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"fmt"
	"maps"
	"reflect"

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// reconcile brings table and sync daemon to the wanted state; failures are
// events and are tried again at the next tick.
func (d *Director) reconcile(ctx context.Context) {
	err := d.reconcileTable(ctx)
	switch {
	case err == nil:
		d.failing = ""
	case err.Error() != d.failing:
		d.failing = err.Error()
		d.emit(ctx, Event{Kind: TableFailed, Reason: d.failing, Text: "IPVS table is not as wanted, trying again: " + d.failing})
	}
	d.reconcileSync(ctx)
}

// reconcileTable compares the kernel's services that are ours with the wanted
// ones and applies the difference.
func (d *Director) reconcileTable(ctx context.Context) error {
	if d.table == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, kernelTimeout)
	defer cancel()
	snapshot, err := d.table.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("read IPVS table: %w", err)
	}
	d.latest = snapshot
	want := deriveTable(d.config, d.verdicts, snapshot.Table)
	ours := make(map[ipvs.ServiceKey]bool)
	for _, e := range want {
		ours[e.Service.Key] = true
	}
	mine := maps.Clone(ours)
	maps.Copy(mine, d.owned.services)
	ops := ipvs.Plan(want, snapshot.Table.Restrict(func(k ipvs.ServiceKey) bool { return mine[k] }))
	if len(ops) == 0 {
		d.settled = want
		return d.owned.set(ours, d.owned.sync)
	}
	repair := d.settled != nil && reflect.DeepEqual(want, d.settled)
	d.settled = nil
	if err := d.owned.set(mine, d.owned.sync); err != nil {
		return err
	}
	if err := d.table.Apply(ctx, ops); err != nil {
		return err
	}
	d.emitTable(ctx, ops, repair)
	d.settled = want
	if d.latest, err = d.table.Snapshot(ctx); err != nil {
		return fmt.Errorf("read IPVS table: %w", err)
	}
	return d.owned.set(ours, d.owned.sync)
}

// maxOpsTold is how many operations one event spells out.
const maxOpsTold = 3

func (d *Director) emitTable(ctx context.Context, ops []ipvs.Op, repair bool) {
	told := ""
	for i, op := range ops {
		if i == maxOpsTold {
			told += fmt.Sprintf("; and %d more", len(ops)-i)
			break
		}
		if i > 0 {
			told += "; "
		}
		told += op.String()
	}
	if repair {
		d.emit(ctx, Event{Kind: TableRepaired, Reason: told, Text: "IPVS table was changed by somebody else, repaired: " + told})
		return
	}
	d.emit(ctx, Event{Kind: TableChanged, Reason: told, Text: "IPVS table: " + told})
}

func (d *Director) reconcileSync(ctx context.Context) {
	if d.sync == nil {
		return
	}
	want := deriveSync(d.config, func(name string) bool { return d.roles[name] == vrrp.Master })
	if len(want) == 0 && !d.owned.sync {
		return
	}
	if err := d.owned.set(d.owned.services, true); err != nil {
		d.emit(ctx, Event{Kind: SyncFailed, Reason: err.Error(), Text: err.Error()})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, kernelTimeout)
	defer cancel()
	changed, err := d.sync.Follow(ctx, want)
	switch {
	case err == nil:
		d.syncFailing = ""
	case err.Error() != d.syncFailing:
		d.syncFailing = err.Error()
		d.emit(ctx, Event{Kind: SyncFailed, Instance: d.config.Sync.Instance, Reason: d.syncFailing, Text: "sync daemon is not as wanted, trying again: " + d.syncFailing})
	}
	if err != nil {
		return
	}
	d.daemons = want
	if changed {
		to := "off"
		if len(want) > 0 {
			to = fmt.Sprintf("%s on %s, id %d", want[0].Role, want[0].Config.Interface, want[0].Config.ID)
		}
		d.emit(ctx, Event{Kind: SyncChanged, Instance: d.config.Sync.Instance, To: to, Text: "sync daemon: " + to})
	}
	if len(want) == 0 {
		if err := d.owned.set(d.owned.services, false); err != nil {
			d.emit(ctx, Event{Kind: SyncFailed, Reason: err.Error(), Text: err.Error()})
		}
	}
}
