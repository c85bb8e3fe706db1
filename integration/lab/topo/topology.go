// SPDX-License-Identifier: Apache-2.0

package topo

import "slices"

// DefaultMTU is the MTU of a link that states none, in bytes: containerlab's default for veth links.
const DefaultMTU = 9500

// Kind is what a node of the topology is made of.
type Kind string

// The kinds that a lab of namespaces can build.
const (
	KindLinux  Kind = "linux"  // a host: namespaces, exec, cmd, binds
	KindBridge Kind = "bridge" // a switch: a Linux bridge, named after its node
)

// Topology is a containerlab file as far as namespaces can build it, with defaults and kinds merged into each node.
// It is plain data: changing Name before Up builds the same topology under another name.
type Topology struct {
	Name  string     // lab name, part of every namespace's name
	File  string     // absolute path of the file it was read from
	Nodes []NodeSpec // in the order of the file
	Links []Link     // in the order of the file
}

// NodeSpec is one node of a topology.
type NodeSpec struct {
	Name  string
	Kind  Kind
	Env   map[string]string `json:",omitempty"` // added to the environment of every command run in the node
	Binds []Bind            `json:",omitempty"` // sorted by target
	Exec  []Exec            `json:",omitempty"` // run in order once the links are up
	Cmd   []string          `json:",omitempty"` // main process, started after the exec lines; empty: none
}

// Bind shows a file or folder of the host at another path inside a node.
type Bind struct {
	Source   string // absolute path on the host
	Target   string // absolute, clean path in the node
	ReadOnly bool   `json:",omitempty"`
	Line     int    // of the file
}

// Exec is one exec line, already split into words.
type Exec struct {
	Argv []string
	Line int // of the file
}

// Link is a veth pair between two nodes.
type Link struct {
	Endpoints [2]Endpoint
	MTU       int // bytes, 68-65535
	Line      int // of the file
}

// Endpoint is one end of a link.
type Endpoint struct {
	Node      string
	Interface string
	MAC       string `json:",omitempty"` // empty: the kernel chooses
}

// String returns the endpoint in containerlab's short form, NODE:INTERFACE.
func (e Endpoint) String() string { return e.Node + ":" + e.Interface }

// node returns the node of that name, or nil.
func (t *Topology) node(name string) *NodeSpec {
	i := slices.IndexFunc(t.Nodes, func(n NodeSpec) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Nodes[i]
}

// netnsName returns containerlab's name for the network namespace of a node.
func netnsName(lab, node string) string { return "clab-" + lab + "-" + node }
