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
	Sync           Sync
	Instances      []Instance      // in the file's order
	VirtualServers []VirtualServer // in the file's order
}

// Director is the [director] table: this machine and its daemon.
type Director struct {
	Name     string // default: the host name
	StateDir string // absolute, at most 90 bytes, so that a socket in it has a valid path; default /run/lvs-ha
	OnStop   OnStop // default OnStopRemove
}

// OnStop says what becomes of the virtual servers in the kernel's table when the daemon is stopped.
type OnStop string

// The values of [Director.OnStop].
const (
	OnStopRemove OnStop = "remove" // taken out of the kernel's table once the VIPs are gone
	OnStopKeep   OnStop = "keep"   // left in the kernel's table
)

// Sync is the [sync] table: how connection state reaches the other directors.
type Sync struct {
	Mode      string // "off" (default) or "multicast": the kernel's own sync daemons
	ID        uint8  // syncid of include/uapi/linux/ip_vs.h, 0-255; a backup with 0 takes every id; default: the instance's VRID
	Instance  string // name of the Instance whose role the sync daemon follows; empty only in mode "off"
	Interface string // interface the sync messages leave and enter by; default: the instance's interface
}

// Instance is a [[vrrp]] table: one virtual router (RFC 9568), in one family or in both.
type Instance struct {
	Name           string
	Interface      string        // interface the advertisements use
	VRID           uint8         // 1-255 (RFC 9568 section 5.2.3)
	Priority       uint8         // 1-254, or 255 for the owner of the addresses (section 5.2.4); default 100
	AdvertInterval time.Duration // 10 ms to 40.95 s in steps of 10 ms (section 5.2.7); default 1 s
	Preempt        bool          // default true
	Lease          time.Duration // valid lifetime of each VIP in whole seconds, 3 s to 1 h; 0: the VIPs never expire
	Addresses      []Address     // the VIPs, at least one
}

// Address is one VIP of an [Instance].
type Address struct {
	Prefix    netip.Prefix // address and prefix length, /32 and /128 where the file gives none; no zone, not IPv4-mapped
	Interface string       // interface that carries the address; default: the instance's interface
}

// VirtualServer is a [[virtual_server]] table: one pool of real servers behind one or more addresses.
type VirtualServer struct {
	Name        string
	Addresses   []netip.AddrPort // at least one; no zone, not IPv4-mapped, port 1-65535
	Protocol    string           // "tcp" (default), "udp" or "sctp"
	Scheduler   string           // name of an IPVS scheduler, such as "wlc" (default)
	Forward     string           // "masquerade" (default), "direct" or "tunnel"
	OnFailure   string           // what a failed probe does to a real server: "weight0" (default) or "remove"
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
