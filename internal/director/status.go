// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"os"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/control"
	"github.com/lvs-ha/lvs-ha/internal/ipvs"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// Status implements control.Daemon. It reads the kernel's table anew.
func (d *Director) Status(ctx context.Context) (control.Status, error) {
	s, err := d.speakerStatus(ctx)
	if err != nil {
		return control.Status{}, err
	}
	var status control.Status
	err = d.call(ctx, func(loop context.Context) {
		d.readTable(loop)
		status = d.status(s)
	})
	return status, err
}

// speakerStatus asks the speaker.
func (d *Director) speakerStatus(ctx context.Context) (speaker.Status, error) {
	answer := make(chan speaker.Status, 1)
	if err := d.call(ctx, func(loop context.Context) {
		d.waiting = append(d.waiting, answer)
		d.command(loop, speaker.Query{})
	}); err != nil {
		return speaker.Status{}, err
	}
	select {
	case s := <-answer:
		return s, nil
	case <-d.gone:
		return speaker.Status{}, errStopping
	case <-ctx.Done():
		return speaker.Status{}, ctx.Err()
	}
}

// readTable takes a fresh look at the kernel's table; when that fails the last
// one has to do, and the next reconciliation says why.
func (d *Director) readTable(ctx context.Context) {
	if d.table == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, kernelTimeout)
	defer cancel()
	if snapshot, err := d.table.Snapshot(ctx); err == nil {
		d.latest = snapshot
	}
}

func (d *Director) status(s speaker.Status) control.Status {
	st := control.Status{
		Name: d.config.Director.Name, Version: d.opts.Version, PID: os.Getpid(), SpeakerPID: d.speakerPID, Started: d.started,
		ConfigFile: d.opts.ConfigFile, Reload: d.reload,
		Sync: control.Sync{Mode: d.config.Sync.Mode}, Unclaimed: s.Unclaimed,
		Instances: []control.Instance{}, VirtualServers: []control.VirtualServer{},
	}
	for _, i := range s.Instances {
		is := instanceStatus(i)
		_, is.PriorityOrdered = d.overrides.Priority[is.Name]
		is.Troubles = d.troubles.of(is.Name, time.Now())
		st.Instances = append(st.Instances, is)
	}
	for _, vs := range d.config.VirtualServers {
		for _, address := range vs.Addresses {
			st.VirtualServers = append(st.VirtualServers, d.virtualServerStatus(vs, service(vs, address)))
		}
	}
	for _, want := range d.wantSync() {
		st.Sync.Wanted = want.Role.String()
	}
	for _, r := range d.daemons {
		st.Sync.Daemons = append(st.Sync.Daemons, control.SyncDaemon{Role: r.Role.String(), Interface: r.Config.Interface, ID: r.Config.ID})
	}
	return st
}

func instanceStatus(i speaker.InstanceStatus) control.Instance {
	c := control.Instance{
		Name: i.Config.Name, Interface: i.Config.Interface, VRID: i.Config.VRID, Version: int(i.Config.Version),
		SyncGroup: i.Config.SyncGroup, Priority: i.Priority, PriorityBase: i.Config.Priority, Standby: i.Standby, HandingOver: i.HandingOver,
		State: i.State.String(), Since: i.Since, Reason: i.Reason,
		Received: i.Received, Sent: i.Sent, Discarded: i.Discarded,
		IntervalMismatch: i.IntervalMismatch, AddressMismatch: i.AddressMismatch,
		Unsigned: i.Unsigned, DuplicateOwner: i.DuplicateOwner,
		Addresses: []string{}, Held: []string{},
	}
	if i.Fault != "" {
		c.State, c.Reason = "fault", i.Fault
	}
	if i.Peer.IsValid() {
		c.Peer = i.Peer.String()
	}
	for _, t := range i.Contributions {
		c.Contributions = append(c.Contributions, control.Contribution(t))
	}
	if i.ClockPeer.IsValid() {
		c.ClockSkewSeconds, c.ClockPeer = i.ClockSkew.Seconds(), i.ClockPeer.String()
	}
	if a := i.Config.Auth; a != nil && a.Replay == vrrp.ReplayTime {
		c.ClockWindowSeconds = a.Window.Seconds()
	}
	for _, list := range [][]speaker.VIP{i.Config.Addresses, i.Config.Excluded} {
		for _, a := range list {
			c.Addresses = append(c.Addresses, a.String())
		}
	}
	for _, a := range i.Held {
		c.Held = append(c.Held, a.String())
	}
	return c
}

func (d *Director) virtualServerStatus(vs config.VirtualServer, s ipvs.Service) control.VirtualServer {
	st := control.VirtualServer{Name: vs.Name, Protocol: vs.Protocol, Address: s.Key.Address.String(), Scheduler: vs.Scheduler}
	kernel, inKernel := d.latest.Table.Lookup(s.Key)
	st.InKernel = inKernel
	wanted, _ := deriveTable(d.config, d.verdicts, d.latest.Table).Lookup(s.Key)
	for _, rs := range vs.RealServers {
		if !sameFamily(s.Key.Address, rs.Address) {
			continue
		}
		r := control.RealServer{
			Address: rs.Address.String(), Forward: rs.Forward, Probe: "none",
			WeightWanted: weightOf(wanted, rs), WeightKernel: weightOf(kernel, rs),
		}
		if rs.Check != nil {
			id := targetID{vs.Name, rs.Address}
			r.Probe = d.verdicts[id].String()
			if f, ok := d.failures[id]; ok {
				r.LastError, r.LastErrorAt = f.Err.Error(), &f.At
			}
		}
		c := d.latest.Connections[ipvs.DestinationKey{Service: s.Key, Address: rs.Address}]
		r.Active, r.Inactive = c.Active, c.Inactive
		st.RealServers = append(st.RealServers, r)
	}
	return st
}

func weightOf(e ipvs.Entry, rs config.RealServer) *int {
	for _, d := range e.Destinations {
		if d.Address == rs.Address {
			return &d.Weight
		}
	}
	return nil
}
