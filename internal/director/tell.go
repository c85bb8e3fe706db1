// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"fmt"
	"reflect"
	"strconv"

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
)

// maxTold is how many changes of the table are events of their own; more of
// them at once, as at start, are one event.
const maxTold = 20

// tellTable makes events of changes of the kernel's table. A change of a
// service that was settled, and is wanted as before, is a repair.
func (d *Director) tellTable(ctx context.Context, done []ipvs.Op, want ipvs.Table) {
	wanted := make(map[ipvs.ServiceKey]ipvs.Entry, len(want))
	for _, e := range want {
		wanted[e.Service.Key] = e
	}
	names := make(map[ipvs.ServiceKey]string)
	for _, vs := range d.config.VirtualServers {
		for _, address := range vs.Addresses {
			names[service(vs, address).Key] = vs.Name
		}
	}
	var events []Event
	repairs := 0
	for _, op := range done {
		e, key := tableEvent(op)
		e.VirtualServer = names[key]
		if was, ok := d.settled[key]; ok && reflect.DeepEqual(was, wanted[key]) {
			e.Kind = TableRepaired
			e.Text = "IPVS table was changed by somebody else, repaired: " + op.String()
			repairs++
		}
		events = append(events, e)
	}
	if len(events) <= maxTold {
		for _, e := range events {
			d.emit(ctx, e)
		}
		return
	}
	e := Event{Kind: TableChanged, Text: fmt.Sprintf("IPVS table: %d changes, the first: %s", len(done), done[0])}
	if repairs > 0 {
		e = Event{Kind: TableRepaired, Text: fmt.Sprintf("IPVS table was changed by somebody else, repaired: %d changes, the first: %s", len(done), done[0])}
	}
	d.emit(ctx, e)
}

// tableEvent is the event of one change, and the service that it is in.
func tableEvent(op ipvs.Op) (Event, ipvs.ServiceKey) {
	e := Event{Kind: TableChanged, Text: "IPVS table: " + op.String()}
	switch op := op.(type) {
	case ipvs.AddService:
		return e, op.Service.Key
	case ipvs.EditService:
		return e, op.Service.Key
	case ipvs.DeleteService:
		return e, op.Key
	case ipvs.AddDestination:
		e.RealServer, e.To = op.Destination.Address.String(), strconv.Itoa(op.Destination.Weight)
		return e, op.Service
	case ipvs.EditDestination:
		e.RealServer = op.Destination.Address.String()
		e.From, e.To = strconv.Itoa(op.Before.Weight), strconv.Itoa(op.Destination.Weight)
		return e, op.Service
	case ipvs.DeleteDestination:
		e.RealServer = op.Address.String()
		return e, op.Service
	}
	return e, ipvs.ServiceKey{}
}
