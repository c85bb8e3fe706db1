// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
	"github.com/lvs-ha/lvs-ha/internal/syncd"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// reconcile brings table and sync daemon to the wanted state. What fails is an
// event, said once while it lasts, and is tried again at the next tick.
func (d *Director) reconcile(ctx context.Context) error {
	table := d.reconcileTable(ctx)
	if d.tableFailure.news(table) {
		d.emit(ctx, Event{Kind: TableFailed, Reason: table.Error(), Text: "IPVS table is not as wanted, trying again: " + table.Error()})
	}
	return errors.Join(table, d.reconcileSync(ctx))
}

// failure remembers what was said last of something that is tried again and
// again.
type failure string

// news says whether err is worth saying.
func (f *failure) news(err error) bool {
	if err == nil {
		*f = ""
		return false
	}
	news := string(*f) != err.Error()
	*f = failure(err.Error())
	return news
}

// reconcileTable compares the kernel's services that are ours with the wanted
// ones and applies the difference.
func (d *Director) reconcileTable(ctx context.Context) error {
	if d.table == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, kernelTimeout)
	defer cancel()
	before, err := d.table.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("read IPVS table: %w", err)
	}
	d.latest = before
	want := deriveTable(d.config, d.verdicts, before.Table)
	ours := make(map[ipvs.ServiceKey]bool)
	for _, e := range want {
		ours[e.Service.Key] = true
	}
	mine := maps.Clone(ours)
	maps.Copy(mine, d.owned.services)
	isMine := func(k ipvs.ServiceKey) bool { return mine[k] }
	ops := ipvs.Plan(want, before.Table.Restrict(isMine))
	if len(ops) == 0 {
		d.settle(want, want)
		return d.owned.set(ours, d.owned.sync)
	}
	// A file that cannot be written must not keep a service from its clients.
	unwritten := d.owned.set(mine, d.owned.sync)
	failed := d.table.Apply(ctx, ops)
	if d.latest, err = d.table.Snapshot(ctx); err != nil {
		return errors.Join(unwritten, failed, fmt.Errorf("read IPVS table: %w", err))
	}
	d.tellTable(ctx, ipvs.Plan(d.latest.Table.Restrict(isMine), before.Table.Restrict(isMine)), want)
	d.settle(want, d.latest.Table)
	if unwritten != nil || failed != nil {
		return errors.Join(unwritten, failed)
	}
	return d.owned.set(ours, d.owned.sync)
}

// settle remembers the services that the kernel has as they are wanted: a later
// difference is somebody else's doing.
func (d *Director) settle(want, have ipvs.Table) {
	kernel := make(map[ipvs.ServiceKey]ipvs.Entry, len(have))
	for _, e := range have {
		kernel[e.Service.Key] = e
	}
	d.settled = make(map[ipvs.ServiceKey]ipvs.Entry, len(want))
	for _, e := range want {
		if reflect.DeepEqual(kernel[e.Service.Key], e) {
			d.settled[e.Service.Key] = e
		}
	}
}

func (d *Director) wantSync() []syncd.Daemon {
	return deriveSync(d.config, func(instance string) bool { return d.roles[instance] == vrrp.Master })
}

func (d *Director) reconcileSync(ctx context.Context) error {
	if d.sync == nil || !d.rolesKnown {
		return nil
	}
	want := d.wantSync()
	if len(want) == 0 && !d.owned.sync {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, kernelTimeout)
	defer cancel()
	unwritten := d.owned.set(d.owned.services, true)
	changed, err := d.sync.Follow(ctx, want)
	d.daemons = want
	if err != nil {
		// Where even this fails, nothing is known to run.
		d.daemons, _ = d.sync.Running(ctx)
	}
	if changed && err == nil {
		to := "off"
		if len(want) > 0 {
			to = fmt.Sprintf("%s on %s, id %d", want[0].Role, want[0].Config.Interface, want[0].Config.ID)
		}
		d.emit(ctx, Event{Kind: SyncChanged, Instance: d.config.Sync.Instance, To: to, Text: "sync daemon: " + to})
	}
	if len(want) == 0 && err == nil {
		unwritten = d.owned.set(d.owned.services, false)
	}
	err = errors.Join(unwritten, err)
	if d.syncFailure.news(err) {
		d.emit(ctx, Event{Kind: SyncFailed, Instance: d.config.Sync.Instance, Reason: err.Error(), Text: "sync daemon is not as wanted, trying again: " + err.Error()})
	}
	return err
}
