// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"net/netip"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// Command is what the director tells the speaker.
type Command interface{ command() }

// Configure makes the running instances those that it names.
type Configure struct{ Instances []Instance }

// Query asks for a Status event.
type Query struct{}

// Shutdown hands every VIP over, make before break, and ends with Stopped.
type Shutdown struct{}

func (Configure) command() {}
func (Query) command()     {}
func (Shutdown) command()  {}

// Instance is the configuration of one VRRP instance.
type Instance struct {
	Name      string
	Interface string
	VRID      uint8 // 1-255
	Priority  uint8 // 1-254; 255: address owner
	// AdvertInterval is 10 ms to 40.95 s in steps of 10 ms.
	AdvertInterval time.Duration
	Preempt        bool
	// Lease is the valid lifetime of the VIPs in the kernel; 0: they stay
	// until they are removed.
	Lease     time.Duration
	Addresses []netif.Address
}

// Event is what the speaker tells the director.
type Event interface{ event() }

// Transition says that an instance changed state.
type Transition struct {
	At       time.Time
	Instance string
	From, To vrrp.State
	Reason   string
	Peer     netip.Addr // the router that caused it; invalid when none did
}

// Fault says that an instance cannot run, for example because its interface is
// down. It runs again by itself.
type Fault struct {
	At       time.Time
	Instance string
	Reason   string
}

// Recovered says that the cause of a Fault is gone.
type Recovered struct {
	At       time.Time
	Instance string
}

// Moved says that VIPs of an instance were added to the kernel, or removed.
type Moved struct {
	At             time.Time
	Instance       string // empty: of an instance that is gone
	Added, Removed []netif.Address
}

// Restored says that a held VIP was missing in the kernel and was put back.
type Restored struct {
	At       time.Time
	Instance string
	Address  netif.Address
}

// Foreign says that a VIP was on its interface already, put there by somebody
// else: it is left alone, now and later.
type Foreign struct {
	At       time.Time
	Instance string
	Address  netif.Address
}

// Contested says that a master of lower priority was heard; the VIPs were
// announced again.
type Contested struct {
	At       time.Time
	Instance string
	Peer     netip.Addr
}

// Conflict says that the configuration of another router does not fit ours:
// other VIPs, another interval, a second address owner. Nothing changes by
// itself.
type Conflict struct {
	At       time.Time
	Instance string
	Reason   string
	Peer     netip.Addr
}

// Discarded says that VRRP packets were dropped: Count of them for one reason
// since the last such event, Source the sender of the newest.
type Discarded struct {
	At        time.Time
	Interface string
	Instance  string // empty: the VRID is not ours
	Reason    vrrp.Discard
	Source    netip.Addr
	Count     uint64
}

// Failed says that the machine refused something; it is tried again.
type Failed struct {
	At       time.Time
	Instance string // empty: not of one instance
	Error    string
}

// Stopped is the last event: every VIP is handed over. Error is empty, or says
// why VIPs could not be removed.
type Stopped struct{ Error string }

// Status is the answer to Query.
type Status struct {
	Instances []InstanceStatus
	// Unclaimed counts, by interface and reason, the packets that belong to no
	// instance.
	Unclaimed map[string]map[string]uint64
}

// InstanceStatus is one instance at the moment of the Query.
type InstanceStatus struct {
	Config    Instance
	State     vrrp.State
	Fault     string // why the instance cannot run; empty: it runs
	Since     time.Time
	Reason    string
	Peer      netip.Addr // the master last heard
	Held      []netif.Address
	Received  uint64
	Sent      uint64
	Discarded map[string]uint64
	// IntervalMismatch and AddressMismatch count adverts that were taken though
	// they disagree with our configuration.
	IntervalMismatch, AddressMismatch uint64
}

func (Transition) event() {}
func (Fault) event()      {}
func (Recovered) event()  {}
func (Moved) event()      {}
func (Restored) event()   {}
func (Foreign) event()    {}
func (Contested) event()  {}
func (Conflict) event()   {}
func (Discarded) event()  {}
func (Failed) event()     {}
func (Stopped) event()    {}
func (Status) event()     {}
