// SPDX-License-Identifier: Apache-2.0

package ipvs

import "net/netip"

// Plan returns the operations that turn have into want, in the order in which to apply them. Both may be in any form; the
// operations are in normalized form. A service in have that is not in want is deleted: who does not answer for the whole
// table restricts have first ([Table.Restrict]).
//
// What is equal is not touched, and nothing is deleted to be added again. A service that can take connections before and
// after never stops in between: what gains weight comes before what loses it, and deletions come last.
func Plan(want, have Table) []Op {
	want, have = want.Normalize(), have.Normalize()
	present := make(map[ServiceKey]Entry, len(have))
	for _, e := range have {
		present[e.Service.Key] = e
	}

	var ops []Op
	for _, w := range want {
		h, exists := present[w.Service.Key]
		delete(present, w.Service.Key)
		switch {
		case !exists:
			ops = append(ops, AddService{w.Service})
		case h.Service != w.Service:
			ops = append(ops, EditService{Before: h.Service, Service: w.Service})
		}
		ops = append(ops, planDestinations(w.Service.Key, w.Destinations, h.Destinations)...)
	}
	for _, h := range have {
		if _, unwanted := present[h.Service.Key]; unwanted {
			ops = append(ops, DeleteService{h.Service.Key})
		}
	}
	return ops
}

func planDestinations(service ServiceKey, want, have []Destination) []Op {
	present := make(map[netip.AddrPort]Destination, len(have))
	for _, d := range have {
		present[d.Address] = d
	}

	var gain, lose, remove []Op
	for _, w := range want {
		h, exists := present[w.Address]
		delete(present, w.Address)
		switch {
		case !exists:
			gain = append(gain, AddDestination{Service: service, Destination: w})
		case h == w:
		case w.Weight > 0:
			gain = append(gain, EditDestination{Service: service, Before: h, Destination: w})
		default:
			lose = append(lose, EditDestination{Service: service, Before: h, Destination: w})
		}
	}
	for _, h := range have {
		if _, unwanted := present[h.Address]; unwanted {
			remove = append(remove, DeleteDestination{Service: service, Address: h.Address})
		}
	}
	return append(append(gain, lose...), remove...)
}
