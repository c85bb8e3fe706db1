// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"os"
	"strings"
	"testing"
	"text/template"
)

// settings is what the configuration of a router is made from.
type settings struct {
	Name, Interface string
	VRID, Priority  int
	Version         int
	Seconds         float64
	Preempt         bool
	VirtualMAC      bool
	Unicast         bool
	Source, Peer    string
	MinTTL          int // lvs-ha: TTL that is taken; 0: its default
	Group           bool
	Password        string
	Addresses       []string
	Keys            string // lvs-ha's auth table
	StateDir        string
}

// The virtual router of all combinations.
const (
	vrid     = 51
	password = "secret12"
)

// settings returns the settings of one side of a combination.
func (c combination) settings(own bool, priority int, at, other *end) settings {
	s := settings{
		Name: "his", Interface: ifname, VRID: vrid, Priority: priority, Version: c.version, Seconds: c.interval().Seconds(),
		Preempt: c.preempt, VirtualMAC: c.macHis, Unicast: c.unicast, Group: c.checksum == checksumGroup,
		Source: at.own[c.family].String(), Peer: other.own[c.family].String(),
	}
	if own {
		s.Name, s.VirtualMAC = "own", c.macOwn
	}
	if c.unicast && c.family == familyIPv6 && c.peer == keepalived {
		s.MinTTL = 64 // keepalived 2.2.7 sends IPv6 unicast with the kernel's hop limit, where it has no unicast_ttl
	}
	if c.password {
		s.Password = password
	}
	for _, a := range c.family.addresses() {
		s.Addresses = append(s.Addresses, a.String())
	}
	return s
}

// write writes a file from a template, for its owner only.
func write(t *testing.T, file string, text *template.Template, s settings) {
	t.Helper()
	var b strings.Builder
	if err := text.Execute(&b, s); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
