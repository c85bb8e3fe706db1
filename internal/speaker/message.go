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
type Configure struct {
	Instances []Instance
	// Links are the tracked interfaces, which the speaker watches itself.
	Links []LinkTrack
	// Tracked is what the director knows of the other tracked objects.
	Tracked []Tracked
	// Settings are those of the speaker's process.
	Settings Settings
}

// Settings rule the speaker's process and what becomes of it without a
// director.
type Settings struct {
	// RealtimePriority is the SCHED_RR priority of all threads, 1-99, with
	// locked memory; 0: neither.
	RealtimePriority int
	// Heartbeat is the silence after which the director is given up.
	Heartbeat time.Duration
	// Hold is how long masterships wait for a new director; 0: they are handed
	// over at once.
	Hold time.Duration
}

// Tracked is the news of a tracked object that is no interface.
type Tracked struct {
	Name  string
	Up    bool
	Value int // of a file; else 1 while up
	// Detail says why it is down, or what its value comes from.
	Detail string
}

// Query asks for a Status event.
type Query struct{}

// Shutdown hands every VIP over, make before break, and ends with Stopped.
type Shutdown struct{}

func (Configure) command() {}
func (Tracked) command()   {}
func (Query) command()     {}
func (Shutdown) command()  {}

// Instance is the configuration of one VRRP instance.
type Instance struct {
	Name      string
	Interface string
	VRID      uint8        // 1-255
	Version   vrrp.Version // 2 or 3
	Priority  uint8        // 1-254; 255: address owner
	// AdvertInterval is 10 ms to 40.95 s in steps of 10 ms, in version 2 1 s to
	// 255 s in steps of 1 s.
	AdvertInterval time.Duration
	Preempt        bool
	PreemptDelay   time.Duration
	StartupDelay   time.Duration
	InitialBackup  bool
	// Lease is the valid lifetime of the VIPs in the kernel; 0: they stay
	// until they are removed.
	Lease time.Duration

	Password       string
	Auth           *vrrp.Auth
	Unicast        map[vrrp.Family]vrrp.Unicast // nil: multicast
	ChecksumCompat bool
	VirtualMAC     string // name of the macvlan interface; empty: none
	Refuse         bool   // accept mode off (RFC 9568 section 6.1)

	Addresses []VIP // in the advertisement
	Excluded  []VIP // not in it
	Routes    []netif.Route
	Rules     []netif.Rule
	Announce  netif.Schedule
	// AnnounceRate is how many announcements leave an interface in a second.
	AnnounceRate int

	Tracks    []TrackUse
	SyncGroup string // empty: none
	Standby   bool   // the operator wants the role elsewhere
}

// VIP is a virtual address and how it is added.
type VIP struct {
	netif.Address
	Label string // IPv4; empty: none
	Scope int    // RT_SCOPE_*
}

// LinkTrack is a tracked interface: up while it is administratively up and has
// carrier.
type LinkTrack struct{ Name, Interface string }

// TrackUse is what a tracked object means for an instance.
type TrackUse struct {
	Name string
	// Weight is added to the priority: a negative one while the object is down,
	// a positive one while it is up, times the value of a file. 0: the instance
	// cannot run while it is down.
	Weight int
	// Scaled says that the weight is times the object's value.
	Scaled bool
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

// Claimed says that another machine claimed a held VIP by ARP or a neighbour
// advertisement; the VIPs were announced again.
type Claimed struct {
	At           time.Time
	Instance     string
	Address      netif.Address
	HardwareAddr string
}

// PriorityChanged says that tracking, the operator or the configuration
// changed the effective priority.
type PriorityChanged struct {
	At       time.Time
	Instance string
	From, To uint8
	Reason   string
}

// StandbyRefused says that nobody took the role over, so that the instance
// stays master and leaves standby.
type StandbyRefused struct {
	At       time.Time
	Instance string
	Reason   string
}

// Stalled says that this machine or process did not run for a while, and that
// masterships were given up for it.
type Stalled struct {
	At    time.Time
	Pause time.Duration
}

// Lost says that the speaker's process is gone, and what is done about it. The
// director's end makes it.
type Lost struct {
	At     time.Time
	Reason string
	// Masters are the instances that are handed over on its behalf.
	Masters []string
}

// Started says that a speaker's process is at work.
type Started struct {
	At  time.Time
	PID int
	// Adopted says that it was there before this director.
	Adopted bool
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
	// Detail says what was wrong with the newest, and what to do about it.
	Detail string
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
	// Absent says that there is no speaker's process at the moment: the
	// director's end answers with what it knows.
	Absent    bool
	Instances []InstanceStatus
	// Unclaimed counts, by interface and reason, the packets that belong to no
	// instance.
	Unclaimed map[string]map[string]uint64
}

// InstanceStatus is one instance at the moment of the Query.
type InstanceStatus struct {
	Config Instance
	State  vrrp.State
	Fault  string // why the instance cannot run; empty: it runs
	Since  time.Time
	Reason string
	Peer   netip.Addr // the master last heard
	Held   []netif.Address
	// Priority is the effective one; Contributions say how it came about.
	Priority      uint8
	Contributions []Contribution
	Standby       bool
	HandingOver   bool
	Received      uint64
	Sent          uint64
	Discarded     map[string]uint64
	// IntervalMismatch and AddressMismatch count adverts that were taken though
	// they disagree with our configuration.
	IntervalMismatch, AddressMismatch uint64
	// Unsigned counts adverts without authentication that the mode let pass:
	// while there are any, it is too early to enforce it. DuplicateOwner counts
	// those of a second address owner.
	Unsigned, DuplicateOwner uint64
	// ClockSkew is how far the clock of ClockPeer is ahead of ours, by its
	// authenticated adverts.
	ClockSkew time.Duration
	ClockPeer netip.Addr
}

// Contribution is what one tracked object adds to a priority.
type Contribution struct {
	Track  string
	Weight int
	Detail string // the object's state
}

func (Claimed) event()         {}
func (PriorityChanged) event() {}
func (StandbyRefused) event()  {}
func (Stalled) event()         {}
func (Lost) event()            {}
func (Started) event()         {}
func (Transition) event()      {}
func (Fault) event()           {}
func (Recovered) event()       {}
func (Moved) event()           {}
func (Restored) event()        {}
func (Foreign) event()         {}
func (Contested) event()       {}
func (Conflict) event()        {}
func (Discarded) event()       {}
func (Failed) event()          {}
func (Stopped) event()         {}
func (Status) event()          {}
