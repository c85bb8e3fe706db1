// SPDX-License-Identifier: Apache-2.0

package control

import "time"

// Status is the answer to a status request: what the daemon wants, what the
// kernel has, and what the probes say.
type Status struct {
	Name           string          `json:"name"`
	Version        string          `json:"version"`
	PID            int             `json:"pid"`
	SpeakerPID     int             `json:"speaker_pid"` // 0: no speaker is at work
	Started        time.Time       `json:"started"`
	ConfigFile     string          `json:"config_file"`
	Reload         *Reload         `json:"last_reload,omitempty"`
	Instances      []Instance      `json:"vrrp"`
	VirtualServers []VirtualServer `json:"virtual_servers"`
	Sync           Sync            `json:"sync"`
	// Unclaimed counts, by interface and reason, VRRP packets that belong to no
	// instance.
	Unclaimed map[string]map[string]uint64 `json:"vrrp_unclaimed,omitempty"`
}

// Reload is the outcome of the last reload; Error is empty when it succeeded.
type Reload struct {
	At    time.Time `json:"at"`
	Error string    `json:"error,omitempty"`
}

// Instance is one VRRP instance.
type Instance struct {
	Name      string `json:"name"`
	Interface string `json:"interface"`
	VRID      uint8  `json:"vrid"`
	Version   int    `json:"version"`
	SyncGroup string `json:"sync_group,omitempty"`
	// Priority is the effective one: PriorityBase, which is the operator's if
	// PriorityOrdered, and what tracked objects contribute.
	Priority        uint8          `json:"priority"`
	PriorityBase    uint8          `json:"priority_base"`
	PriorityOrdered bool           `json:"priority_ordered"`
	Contributions   []Contribution `json:"contributions,omitempty"`
	Standby         bool           `json:"standby"`
	HandingOver     bool           `json:"handing_over"`
	State           string         `json:"state"` // initialize, backup, master, fault
	Since           time.Time      `json:"since"`
	// Reason says why the instance is in its state.
	Reason string `json:"reason"`
	// Peer is the source address of the master last heard; empty when none was.
	Peer string `json:"peer,omitempty"`
	// Addresses are the VIPs of the instance, Held those that the kernel holds
	// for this director now.
	Addresses []string          `json:"addresses"`
	Held      []string          `json:"held"`
	Received  uint64            `json:"adverts_received"`
	Sent      uint64            `json:"adverts_sent"`
	Discarded map[string]uint64 `json:"adverts_discarded,omitempty"` // by reason
	// IntervalMismatch and AddressMismatch count adverts that were taken though
	// their interval or VIPs are not ours.
	IntervalMismatch uint64 `json:"adverts_interval_mismatch"`
	AddressMismatch  uint64 `json:"adverts_address_mismatch"`
	// Unsigned counts adverts without authentication that the mode let pass,
	// DuplicateOwner those of a second address owner.
	Unsigned       uint64 `json:"adverts_unsigned,omitempty"`
	DuplicateOwner uint64 `json:"adverts_duplicate_owner,omitempty"`
	// ClockSkewSeconds is how far the clock of ClockPeer is ahead of ours, by
	// its authenticated adverts; beyond ClockWindowSeconds they are refused.
	ClockSkewSeconds   float64 `json:"clock_skew_seconds,omitempty"`
	ClockWindowSeconds float64 `json:"clock_window_seconds,omitempty"`
	ClockPeer          string  `json:"clock_peer,omitempty"`
	// Troubles are what was not right with what others sent lately.
	Troubles []Trouble `json:"troubles,omitempty"`
}

// Trouble is something that another router does, and should not.
type Trouble struct {
	Peer string    `json:"peer"` // that was last seen to do it
	What string    `json:"what"`
	Last time.Time `json:"last"`
}

// Contribution is what a tracked object adds to a priority.
type Contribution struct {
	Track  string `json:"track"`
	Weight int    `json:"weight"`
	Detail string `json:"detail"` // the object's state
}

// VirtualServer is one address of a virtual server of the configuration.
type VirtualServer struct {
	Name        string       `json:"name"`
	Protocol    string       `json:"protocol"`
	Address     string       `json:"address"`
	Scheduler   string       `json:"scheduler"`
	InKernel    bool         `json:"in_kernel"`
	RealServers []RealServer `json:"real_servers"`
}

// RealServer is one real server of a virtual server's address.
type RealServer struct {
	Address string `json:"address"`
	Forward string `json:"forward"`
	// WeightWanted and WeightKernel are nil when the real server should not be
	// (on_failure = "remove") or is not in the kernel's table.
	WeightWanted *int `json:"weight_wanted"`
	WeightKernel *int `json:"weight_kernel"`
	// Probe is unknown, healthy, failed, or none when there is no check.
	Probe       string     `json:"probe"`
	LastError   string     `json:"last_error,omitempty"`
	LastErrorAt *time.Time `json:"last_error_at,omitempty"`
	Active      uint32     `json:"active_connections"`
	Inactive    uint32     `json:"inactive_connections"`
}

// Sync is the kernel's connection synchronisation.
type Sync struct {
	Mode    string       `json:"mode"`
	Wanted  string       `json:"wanted,omitempty"` // master, backup
	Daemons []SyncDaemon `json:"daemons,omitempty"`
}

// SyncDaemon is a sync daemon that the kernel runs.
type SyncDaemon struct {
	Role      string `json:"role"` // master, backup
	Interface string `json:"interface"`
	ID        uint8  `json:"id"`
}
