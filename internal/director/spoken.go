// SPDX-License-Identifier: Apache-2.0

package director

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
)

// spoken is the director's event of what the speaker says; false: it is none, or
// one that takes more than its text.
func spoken(e speaker.Event) (Event, bool) {
	switch e := e.(type) {
	case speaker.Transition:
		reason := e.Reason
		if e.Peer.IsValid() {
			reason += ", " + e.Peer.String()
		}
		return Event{
			At: e.At, Kind: RoleChanged, Instance: e.Instance, From: e.From.String(), To: e.To.String(), Reason: reason,
			Text: transitionText(e.Instance, e.From.String(), e.To.String(), reason),
		}, true
	case speaker.Fault:
		return Event{At: e.At, Kind: InstanceFault, Instance: e.Instance, To: "fault", Reason: e.Reason, Text: e.Instance + ": fault: " + e.Reason}, true
	case speaker.Recovered:
		return Event{At: e.At, Kind: InstanceRecovered, Instance: e.Instance, From: "fault", Text: e.Instance + ": fault is over"}, true
	case speaker.Moved:
		return Event{At: e.At, Kind: AddressesMoved, Instance: e.Instance, Reason: movedText(e), Text: fmt.Sprintf("%s: VIPs %s", e.Instance, movedText(e))}, true
	case speaker.Restored:
		return Event{At: e.At, Kind: AddressRestored, Instance: e.Instance, Reason: e.Address.String(), Text: fmt.Sprintf("%s: VIP %s was removed by somebody else, put back", e.Instance, e.Address)}, true
	case speaker.Foreign:
		return Event{At: e.At, Kind: AddressForeign, Instance: e.Instance, Reason: e.Address.String(), Text: fmt.Sprintf("%s: VIP %s was put there by somebody else and stays theirs: remove it, or it will be there on a backup too", e.Instance, e.Address)}, true
	case speaker.Contested:
		return Event{At: e.At, Kind: Contested, Instance: e.Instance, Reason: e.Peer.String(), Text: fmt.Sprintf("%s: %s of lower priority acts as master too; VIPs announced again", e.Instance, e.Peer)}, true
	case speaker.Conflict:
		return Event{At: e.At, Kind: ConfigConflict, Instance: e.Instance, Reason: e.Reason, Text: fmt.Sprintf("%s: configuration of %s does not fit ours: %s", e.Instance, e.Peer, e.Reason)}, true
	case speaker.Discarded:
		return Event{At: e.At, Kind: AdvertsDiscarded, Instance: e.Instance, Reason: e.Reason.String(), Text: discardText(e)}, true
	case speaker.Failed:
		return Event{At: e.At, Kind: SpeakerFailed, Instance: e.Instance, Reason: e.Error, Text: e.Error}, true
	case speaker.Claimed:
		return Event{At: e.At, Kind: AddressClaimed, Instance: e.Instance, Reason: e.HardwareAddr, Text: fmt.Sprintf("%s: %s claims VIP %s, which is held here; announced again", e.Instance, e.HardwareAddr, e.Address)}, true
	case speaker.PriorityChanged:
		return Event{At: e.At, Kind: PriorityChanged, Instance: e.Instance, From: strconv.Itoa(int(e.From)), To: strconv.Itoa(int(e.To)), Reason: e.Reason, Text: fmt.Sprintf("%s: priority %d -> %d (%s)", e.Instance, e.From, e.To, e.Reason)}, true
	case speaker.Stalled:
		return Event{At: e.At, Kind: Paused, Reason: e.Pause.String(), Text: fmt.Sprintf("this machine stood still for %s: roles are given up and the network is listened to first", e.Pause.Round(time.Millisecond))}, true
	case speaker.Lost:
		return Event{At: e.At, Kind: SpeakerLost, Reason: e.Reason, Text: lostText(e)}, true
	case speaker.Started:
		text := fmt.Sprintf("speaker started, pid %d", e.PID)
		if e.Adopted {
			text = fmt.Sprintf("speaker adopted, pid %d: its roles go on", e.PID)
		}
		return Event{At: e.At, Kind: SpeakerStarted, Text: text}, true
	}
	return Event{}, false
}

func lostText(e speaker.Lost) string {
	text := "speaker is lost (" + e.Reason + "); "
	if len(e.Masters) == 0 {
		return text + "it was master of nothing"
	}
	return text + "handing over for it: " + strings.Join(e.Masters, ", ")
}

// movedText says "added 192.0.2.10/24 dev eth0, ...; removed ...".
func movedText(e speaker.Moved) string {
	var parts []string
	for _, m := range []struct {
		verb      string
		addresses []netif.Address
	}{{"added", e.Added}, {"removed", e.Removed}} {
		if len(m.addresses) == 0 {
			continue
		}
		var told []string
		for _, a := range m.addresses[:min(len(m.addresses), maxTold)] {
			told = append(told, a.String())
		}
		if more := len(m.addresses) - len(told); more > 0 {
			told = append(told, fmt.Sprintf("%d more", more))
		}
		parts = append(parts, m.verb+" "+strings.Join(told, ", "))
	}
	return strings.Join(parts, "; ")
}

func discardText(e speaker.Discarded) string {
	subject := e.Interface
	if e.Instance != "" {
		subject = e.Instance + " on " + e.Interface
	}
	return fmt.Sprintf("%s: dropped VRRP packets (%d), last from %s: %s", subject, e.Count, e.Source, cmp.Or(e.Detail, e.Reason.Error()))
}
