// SPDX-License-Identifier: Apache-2.0

// Package config is the file that an operator writes: its schema, its defaults and its validation.
//
// [Load] and [Parse] read one TOML file strictly. They report every [Problem] of the file in one run, each at its line
// and column, and return a [Config] only if none of them is an error. A Config is complete: defaults are filled in,
// probes are resolved and file names are joined to the configuration file's directory, so that its reader decides
// nothing.
//
// The way through the package is the way of the data: scan.go finds where each key stands, document.go and table.go give
// out typed values together with their positions, the read_*.go files turn them into the types of this file.
package config

import (
	"net/netip"
	"time"
)

// Config is one valid configuration file with all defaults applied.
type Config struct {
	Director       Director
	Speaker        Speaker
	Sync           Sync
	Instances      []Instance      // in the file's order
	SyncGroups     []SyncGroup     // in the file's order
	Tracks         []Track         // in the file's order
	Notifies       []Notify        // in the file's order
	VirtualServers []VirtualServer // in the file's order
}

// Director is the [director] table: this machine and its daemon.
type Director struct {
	Name     string // default: the host name
	StateDir string // absolute, at most 90 bytes, so that a socket in it has a valid path; default [DefaultStateDir]
	OnStop   OnStop // default OnStopRemove
}

// OnStop says what becomes of the virtual servers in the kernel's table when the daemon is stopped.
type OnStop string

// The values of [Director.OnStop].
const (
	OnStopRemove OnStop = "remove" // taken out of the kernel's table once the VIPs are gone
	OnStopKeep   OnStop = "keep"   // left in the kernel's table
)

// Speaker is the [speaker] table: the process that speaks VRRP, and how it and the director watch each other.
type Speaker struct {
	RealtimePriority int            // 1-99: SCHED_RR priority of all its threads, and locked memory; 0 (default): neither
	Heartbeat        time.Duration  // silence after which one of the two processes is given up by the other, 100 ms to 10 s; default 300 ms
	OnDirectorLoss   OnDirectorLoss // default HandOver
	HoldTime         time.Duration  // with Hold: how long a master waits for a new director, 1 s to 1 h; default 30 s
}

// OnDirectorLoss says what the speaker does with its masterships when the director is gone.
type OnDirectorLoss string

// The values of [Speaker.OnDirectorLoss].
const (
	HandOver OnDirectorLoss = "handover" // they are handed over at once
	Hold     OnDirectorLoss = "hold"     // they are kept for HoldTime, so that a new director can adopt them
)

// Sync is the [sync] table: how connection state reaches the other directors.
type Sync struct {
	Mode      string // "off" (default) or "multicast": the kernel's own sync daemons
	ID        uint8  // syncid of include/uapi/linux/ip_vs.h, 0-255; a backup with 0 takes every id; default: the instance's VRID
	Instance  string // name of the Instance whose role the sync daemon follows; empty only in mode "off"
	Interface string // interface the sync messages leave and enter by; default: the instance's interface
}

// Instance is a [[vrrp]] table: one virtual router (RFC 9568, RFC 3768), in one family or in both.
type Instance struct {
	Name           string
	Interface      string        // interface the advertisements use
	VRID           uint8         // 1-255 (RFC 9568 section 5.2.3)
	Version        int           // 3 (default), or 2 (RFC 3768): IPv4 only, AdvertInterval in whole seconds
	Priority       uint8         // 1-254, or 255 for the owner of the addresses (section 5.2.4); default 100
	AdvertInterval time.Duration // 10 ms to 40.95 s in steps of 10 ms (section 5.2.7), version 2: 1 s to 255 s; default 1 s
	Lease          time.Duration // valid lifetime of each VIP in whole seconds, 3 s to 1 h; 0: the VIPs never expire

	Preempt       bool          // default true
	PreemptDelay  time.Duration // how long a living master of lower priority is left in peace, 0 (default) to 1 h
	StartupDelay  time.Duration // how long after the daemon's start the instance only listens, 0 (default) to 1 h
	InitialBackup bool          // an address owner listens for a master-down interval before it becomes master; default false

	Password       string   // version 2, without Auth: simple text authentication, 1-8 bytes (RFC 2338 section 5.3.10); empty: none
	Auth           *Auth    // keyed authentication; nil: none
	Unicast        *Unicast // nil: multicast
	ChecksumCompat bool     // unicast, version 3, IPv4: the checksum of old keepalived, over the multicast group instead of the peer
	VirtualMAC     string   // name of the macvlan interface that has the virtual MAC address and, by default, the VIPs; one family only; empty: off
	Accept         bool     // false: what is sent to a VIP and not taken by IPVS is dropped, except neighbour discovery; default true

	Addresses []Address // the VIPs of the advertisement, at least one
	Excluded  []Address // further VIPs that are not in the advertisement, at most 4000, of any family
	Routes    []Route   // that are in the kernel while this director is master
	Rules     []Rule    // likewise
	Tracks    []TrackUse
	Announce  Announce
}

// Address is one VIP of an [Instance].
type Address struct {
	Prefix    netip.Prefix // address and prefix length, /32 and /128 where the file gives none; no zone, not IPv4-mapped
	Interface string       // interface that carries the address; default: VirtualMAC where there is one, else the instance's interface
	Label     string       // IPv4 only: the address's label (ip-address(8)), at most 15 bytes; empty: none
	Scope     int          // IPv4 only: RT_SCOPE_* of linux/rtnetlink.h: 0 global (default), 200 site, 253 link, 254 host
}

// Auth is keyed authentication of advertisements (draft-cassen-vrrp-auth-hmac): HMAC-SHA-256 cut to 128 bits.
type Auth struct {
	Mode      string        // "enforce" (default): sign, refuse the unsigned; "permissive": sign, take the unsigned; "receive-only": verify, sign nothing
	Keys      []Key         // at least one, with different ids; all verify
	ActiveKey uint8         // the id of the key that signs; default: the first key's
	Replay    string        // "time" (default): a sequence must grow and be within Window; "monotonic": it must grow
	Window    time.Duration // accepted clock difference, 1 s to 1 h; default: the larger of 3 AdvertInterval and 5 s
}

// Key is one shared secret.
type Key struct {
	ID     uint8  // 1-255, sent with each advertisement
	Secret []byte // 32-64 bytes
}

// Unicast makes an [Instance] talk to named peers instead of the multicast group.
type Unicast struct {
	Sources []netip.Addr // own address of each family of the instance
	Peers   []netip.Addr // 1 to 16 of each family of the instance
	TTL     int          // of what is sent, 1-255; default 255
	MinTTL  int          // that a received advertisement must have at least, 1-255; default 255, as on a link
}

// Route is a [[vrrp.route]] table (ip-route(8)).
type Route struct {
	Destination netip.Prefix // masked; 0.0.0.0/0 or ::/0 is the default route
	Via         netip.Addr   // next hop; invalid: on the link
	Interface   string       // outgoing interface; empty, with Via only: what the next hop implies
	Source      netip.Addr   // preferred source address; invalid: the kernel's choice
	Metric      int          // 0: the kernel's default
	Table       int          // routing table number, 1-4294967295; default 254 (main)
}

// Rule is a [[vrrp.rule]] table (ip-rule(8)).
type Rule struct {
	Family   string       // "ipv4" or "ipv6"; default: that of From or To, else "ipv4"
	From, To netip.Prefix // masked, not of length 0; invalid: any
	IIF, OIF string       // empty: any
	FWMark   uint32       // 0: any
	Table    int          // where a match is looked up, 1-4294967295
	Priority int          // 1-32765, unique in the family
}

// Announce is the vrrp.announce table: the gratuitous ARP and unsolicited neighbour advertisements of a master.
type Announce struct {
	Count    int           // rounds in a series, 1-100; default 5
	Interval time.Duration // between the rounds of a series, 1 ms to 10 s; default 25 ms
	Delay    time.Duration // until a second series, for switches that were not ready; 0: none; at most 1 h; default 5 s
	Refresh  time.Duration // one round that often while master; 0 (default): none; else 1 s to 24 h
	Rate     int           // frames in a second at most, on each interface, 10-100000; default 5000
}

// SyncGroup is a [[sync_group]] table: instances that move together.
type SyncGroup struct {
	Name    string
	Members []string // names of Instances, at least two, each in one group at most
}

// TrackUse is an entry of vrrp.track: what an object tracked means for an instance.
type TrackUse struct {
	Name   string // of a Track
	Weight int    // -253 to 253, added to the priority: a negative one while the object is down, a positive one while it is up, times its value for a file; 0: the instance is in fault while it is down
}

// Track is a [[track]] table: an object that roles depend on.
type Track struct {
	Name string
	Type string // "interface", "file", "command", "process" or "quorum"

	Interface     string        // interface: up means administratively up and with carrier
	File          string        // file: holds a decimal number, its value; a file that is missing, empty or no number has the value 0; joined to the file's directory. With weight 0 it is down while the value is not 0
	Command       []string      // command: program and arguments, no shell; exit status 0 is success; at least one, the first an absolute path
	User          string        // command: who runs it, name or number; default "nobody"
	Interval      time.Duration // command: as Check.Interval
	Timeout       time.Duration // command: as Check.Timeout
	Rise, Fall    int           // command: as Check
	Process       string        // process: name of the program (comm of proc_pid_comm(5), or an absolute path of its executable)
	Count         int           // process: how many must run, 1-10000; default 1
	VirtualServer string        // quorum: up while the virtual server's healthy real servers reach its Quorum
}

// Notify is a [[notify]] table: a command that is told of transitions.
type Notify struct {
	Command   []string      // program and arguments, no shell; the first is an absolute path
	Instances []string      // names of Instances; empty: all
	Events    []string      // "master", "backup", "fault", "stop"; empty: all
	User      string        // who runs it, name or number; default "nobody"
	Timeout   time.Duration // after which it is killed, 100 ms to 10 min; default 10 s
}

// VirtualServer is a [[virtual_server]] table: one pool of real servers behind one or more addresses.
type VirtualServer struct {
	Name        string
	Addresses   []netip.AddrPort // at least one; no zone, not IPv4-mapped, port 1-65535
	Protocol    string           // "tcp" (default), "udp" or "sctp"
	Scheduler   string           // name of an IPVS scheduler, such as "wlc" (default)
	Forward     string           // "masquerade" (default), "direct" or "tunnel"
	OnFailure   string           // what a failed probe does to a real server: "weight0" (default) or "remove"
	Quorum      int              // sum of the weights of healthy real servers that makes the virtual server worth a mastership, 1 (default) to 2147483647
	RealServers []RealServer
}

// RealServer is a [[virtual_server.real_server]] table. It serves the virtual server's addresses of its own family.
type RealServer struct {
	Address netip.AddrPort // no zone, not IPv4-mapped, port 1-65535
	Weight  int            // 0-65535, 0: gets no new connections; default 100
	Forward string         // as VirtualServer.Forward, which is its default
	Check   *Check         // default: the virtual server's; nil: no probe, always healthy; shared between real servers
}

// Check is a [[check]] table: one probe, used by any number of real servers.
type Check struct {
	Name     string
	Type     string        // "tcp", "http", "https" or "udp"
	Interval time.Duration // from the start of one probe to the start of the next, 10 ms to 1 h; default 2 s
	Timeout  time.Duration // 1 ms to Interval; default 1 s, or Interval where that is shorter
	Rise     int           // successes in a row that make a failed real server healthy, 1-1000; default 2
	Fall     int           // failures in a row that make a healthy real server failed, 1-1000; default 3

	// http and https
	Method       string            // request method; default GET
	Path         string            // request target, begins with "/"; default "/"
	Host         string            // Host header; empty: the real server's address
	Headers      map[string]string // further request headers by canonical name; nil: none
	ExpectStatus [][2]int          // accepted status codes, low and high both included, within 100-599; default 200-299
	ExpectBody   string            // text that the body must contain; empty: any body
	ExpectRegexp string            // regular expression (package regexp) that the body must match; empty: any body

	// https
	TLSServerName string // name the certificate must be valid for, also sent as SNI; empty: Host, or the address
	CAFile        string // PEM file of the authorities to trust, joined to the file's directory; empty: the system's
	SkipVerify    bool   // take any certificate

	// udp
	Send   []byte // payload of the request, at most 65507 bytes; nil: empty
	Expect []byte // what the reply must hold; nil: no reply is needed
}
