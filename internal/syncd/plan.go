// SPDX-License-Identifier: Apache-2.0

package syncd

import (
	"fmt"
	"slices"
)

// A Verb is what an operation does with a daemon.
type Verb uint8

// The verbs.
const (
	Stop Verb = iota + 1
	Start
)

// String returns "stop" or "start".
func (v Verb) String() string {
	switch v {
	case Stop:
		return "stop"
	case Start:
		return "start"
	default:
		return fmt.Sprintf("verb(%d)", uint8(v))
	}
}

// An Op is one change: a plain, comparable value.
type Op struct {
	Verb   Verb
	Daemon Daemon
}

// String returns for example "stop backup sync daemon on eth0 with id 7".
func (o Op) String() string { return o.Verb.String() + " " + o.Daemon.String() }

// Plan returns the operations that turn have into want: all stops, then all starts. A daemon cannot be changed, so one on
// the wrong interface or with the wrong ID is stopped and started.
func Plan(want, have []Daemon) []Op {
	var ops []Op
	for _, d := range have {
		if !slices.Contains(want, d) {
			ops = append(ops, Op{Stop, d})
		}
	}
	for _, d := range want {
		if !slices.Contains(have, d) {
			ops = append(ops, Op{Start, d})
		}
	}
	return ops
}
