// SPDX-License-Identifier: Apache-2.0

package director

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/control"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
)

// troubleLasts is how long the status shows a trouble after it was last heard
// of. The speaker tells of one that goes on at least once a minute.
const troubleLasts = 2 * time.Minute

// troubles are what others do to instances, and should not.
type troubles map[troubleKey]control.Trouble

type troubleKey struct{ instance, what string }

// hear takes note of what the speaker says, if it is a trouble.
func (t troubles) hear(e speaker.Event) {
	switch e := e.(type) {
	case speaker.Contested:
		t.see(e.Instance, "acts as master with a lower priority", e.Peer.String(), e.At)
	case speaker.Conflict:
		t.see(e.Instance, e.Reason, e.Peer.String(), e.At)
	case speaker.Discarded:
		t.see(e.Instance, "adverts dropped: "+e.Reason.String(), e.Source.String(), e.At)
	case speaker.Claimed:
		t.see(e.Instance, "claims VIP "+e.Address.Prefix.Addr().String(), e.HardwareAddr, e.At)
	}
}

// see takes note of a trouble.
func (t troubles) see(instance, what, peer string, at time.Time) {
	t.forget(at)
	t[troubleKey{instance, what}] = control.Trouble{Peer: peer, What: what, Last: at}
}

// of returns the troubles of an instance, in alphabetical order.
func (t troubles) of(instance string, now time.Time) []control.Trouble {
	t.forget(now)
	var all []control.Trouble
	for key, trouble := range t {
		if key.instance == instance {
			all = append(all, trouble)
		}
	}
	slices.SortFunc(all, func(a, b control.Trouble) int { return cmp.Compare(a.What, b.What) })
	return all
}

// forget drops what is over.
func (t troubles) forget(now time.Time) {
	maps.DeleteFunc(t, func(_ troubleKey, trouble control.Trouble) bool { return now.Sub(trouble.Last) > troubleLasts })
}
