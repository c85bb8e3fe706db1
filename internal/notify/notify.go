// SPDX-License-Identifier: Apache-2.0

// Package notify tells commands of transitions.
//
// A command gets the events of one instance in order, one at a time and each of them, unless it falls too far behind.
// Events of different instances, and different commands, do not wait for each other.
package notify

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Command is a program that is told of events.
type Command struct {
	Argv      []string      // program and arguments; the program is an absolute path
	User      string        // name or number of the user that runs it
	Timeout   time.Duration // after which it is killed; above 0
	Instances []string      // whose events it is told of; empty: all
	Events    []string      // values of Event.Event that it is told of; empty: all
}

// wants tells whether c is to be told of e.
func (c Command) wants(e Event) bool {
	return (len(c.Instances) == 0 || slices.Contains(c.Instances, e.Instance)) &&
		(len(c.Events) == 0 || slices.Contains(c.Events, e.Event))
}

// identity is what makes two commands the same over a reload.
func (c Command) identity() string { return strings.Join(append([]string{c.User}, c.Argv...), "\x00") }

// Failure is an event that a command was not told of, or failed on.
type Failure struct {
	Command Command
	Event   Event
	Err     error // a *command.Error, or one of the errors of this package
}

// Why an event never reached a command.
var (
	ErrOverrun = errors.New("dropped: the command is too far behind")
	ErrRemoved = errors.New("dropped: the command was removed from the configuration")
	ErrStopped = errors.New("dropped: the daemon has stopped")
)
