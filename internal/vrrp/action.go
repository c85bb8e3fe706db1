// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// Action is what a [Machine] wants done. It is one of [SendAdvert],
// [Transition], [Reannounce], [StandbyRefused] and [Conflict]; all are plain,
// comparable values.
type Action interface{ action() }

// SendAdvert asks for one advertisement on the wire of each family of the
// instance.
type SendAdvert struct {
	// Priority to advertise; [PriorityResign] gives the role up.
	Priority uint8
	// Interval to advertise.
	Interval time.Duration
}

// Transition reports a change of state. On the way to Master the virtual
// addresses are to be added and announced, on the way from Master removed; with
// [ReasonStalled] at once, since another router has them by then.
type Transition struct {
	From, To State
	Reason   Reason
	// Peer is the router that caused it; the zero Addr where none did.
	Peer netip.Addr
}

// Reannounce asks for new gratuitous ARP and unsolicited neighbour
// advertisements: a master that loses against us was heard, so that hosts and
// bridges may have learned its port (RFC 9568 section 6.4.3). Members of a
// [SyncGroup] announce together.
type Reannounce struct {
	// Peer is the losing master, on the wire of the member that heard it.
	Peer netip.Addr
}

// StandbyRefused says that a master that was to go to standby remains master,
// and out of standby.
type StandbyRefused struct {
	// Reason is [ReasonNoSuccessor].
	Reason Reason
}

// Conflict reports a configuration fault seen in an advertisement. It comes
// with each such advertisement, so that whoever logs it limits the rate.
type Conflict struct {
	// Reason is [ReasonSameAddress] or [ReasonSecondOwner].
	Reason Reason
	// Peer is the source of the advertisement.
	Peer netip.Addr
}

func (SendAdvert) action()     {}
func (Transition) action()     {}
func (Reannounce) action()     {}
func (StandbyRefused) action() {}
func (Conflict) action()       {}

// Reason says why a [Machine] did something.
type Reason uint8

// The reasons of transitions, of refusals, then those of conflicts.
const (
	// ReasonStartup: the instance was started, and waits as backup.
	ReasonStartup Reason = iota
	// ReasonOwner: the instance was started as address owner.
	ReasonOwner
	// ReasonRecovered: the instance was started again, after what had stopped it
	// has passed.
	ReasonRecovered
	// ReasonMasterDown: no advertisement came for the master-down interval.
	ReasonMasterDown
	// ReasonPreempts: a master of lower priority is taken over from, which goes
	// on advertising.
	ReasonPreempts
	// ReasonPeerResigned: the master gave up and the skew time has passed.
	ReasonPeerResigned
	// ReasonHigherPriority: a router of higher priority is master.
	ReasonHigherPriority
	// ReasonHigherAddress: a router of equal priority and higher address is
	// master.
	ReasonHigherAddress
	// ReasonShutdown: a backup was shut down.
	ReasonShutdown
	// ReasonHandedOver: a master was shut down and another took over.
	ReasonHandedOver
	// ReasonHandOverBound: a master was shut down and nobody took over in time.
	ReasonHandOverBound
	// ReasonInterfaceDown: the interface is down or gone.
	ReasonInterfaceDown
	// ReasonFault: what the instance depends on has failed.
	ReasonFault
	// ReasonSpeakerLost: the process that ran the instance is dead or silent.
	ReasonSpeakerLost
	// ReasonStandby: the operator put the instance to standby, and another took
	// over.
	ReasonStandby
	// ReasonStalled: this machine stood still for so long that another has
	// taken over.
	ReasonStalled
	// ReasonSyncGroup: another member of the sync group moved.
	ReasonSyncGroup

	// ReasonNoSuccessor: nobody took over in time.
	ReasonNoSuccessor

	// ReasonSameAddress: a master of our priority sends from our address. The
	// state does not change.
	ReasonSameAddress
	// ReasonSecondOwner: another router claims to be the address owner as we
	// do. The addresses decide, as between other equal priorities.
	ReasonSecondOwner

	reasonCount
)

var reasons = [reasonCount]string{
	ReasonStartup:        "startup",
	ReasonOwner:          "startup as address owner",
	ReasonRecovered:      "recovered",
	ReasonMasterDown:     "master down timer",
	ReasonPreempts:       "preempts the master",
	ReasonPeerResigned:   "peer resigned",
	ReasonHigherPriority: "higher priority heard",
	ReasonHigherAddress:  "equal priority and higher address heard",
	ReasonShutdown:       "shutdown",
	ReasonHandedOver:     "handed over",
	ReasonHandOverBound:  "hand-over bound passed",
	ReasonInterfaceDown:  "interface not usable",
	ReasonFault:          "tracked condition failed",
	ReasonSpeakerLost:    "speaker process lost",
	ReasonStandby:        "standby",
	ReasonStalled:        "this machine stood still",
	ReasonSyncGroup:      "moved with the sync group",
	ReasonNoSuccessor:    "nobody took over",
	ReasonSameAddress:    "equal priority and equal address heard",
	ReasonSecondOwner:    "second address owner heard",
}

// String returns the reason as a phrase.
func (r Reason) String() string {
	if r >= reasonCount {
		return fmt.Sprintf("reason %d", uint8(r))
	}
	return reasons[r]
}

// MarshalText returns the reason's phrase. It never fails.
func (r Reason) MarshalText() ([]byte, error) {
	return []byte(r.String()), nil
}
