// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	defaultUser      = "nobody"
	minNotifyTimeout = 100 * time.Millisecond
	maxNotifyTimeout = 10 * time.Minute
)

// transitions are the events that a [[notify]] can ask for.
var transitions = []string{"master", "backup", "fault", "stop"}

// readNotifies reads the [[notify]] tables, after the instances.
func (r *reader) readNotifies(tables []*table) []Notify {
	var notifies []Notify
	for _, t := range tables {
		t.require("command", "the program to run and its arguments")
		n := Notify{
			Command: r.command(t),
			User:    r.user(t.text("user")),
			Timeout: t.duration("timeout", minNotifyTimeout, maxNotifyTimeout).or(10 * time.Second),
		}
		instances, _ := t.texts("instances", `"web"`)
		for _, name := range instances {
			reference(r, "instance", name, "[[vrrp]]", r.instances)
			n.Instances = append(n.Instances, name.value)
		}
		n.Events = t.choices("events", transitions...)
		notifies = append(notifies, n)
	}
	return notifies
}

// command reads a program and its arguments. A program that this machine does not have is a warning.
func (r *reader) command(t *table) []string {
	at := t.place.field("command").value
	if line, isText := t.values["command"].(string); isText {
		get[any](t, "command", "")
		r.doc.errorf(at, "command is the string %q, expected %s", line, argumentsHint(line))
		return nil
	}
	texts, ok := t.texts("command", `"/usr/local/bin/example", "--verbose"`)
	if !ok {
		return nil
	}
	if len(texts) == 0 {
		r.doc.errorf(at, "command is empty, expected a program and its arguments")
		return nil
	}
	var command []string
	for _, text := range texts {
		if strings.Contains(text.value, "\x00") {
			r.doc.errorf(text.at, "command has a zero byte in %q, expected text", text.value)
			return nil
		}
		command = append(command, text.value)
	}
	program := texts[0]
	if !filepath.IsAbs(program.value) {
		r.doc.errorf(program.at, "program %q, expected an absolute path: there is no shell and no search in PATH", program.value)
		return command
	}
	if r.host == nil {
		return command
	}
	info, err := os.Stat(program.value)
	switch {
	case err != nil && len(texts) == 1 && len(strings.Fields(program.value)) > 1:
		r.doc.lackf(program.at, "program %q cannot be run: there is no such file, expected %s", program.value, argumentsHint(program.value))
	case err != nil:
		r.doc.lackf(program.at, "program %q cannot be run: %v", program.value, err)
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		r.doc.lackf(program.at, "program %q cannot be run: it is no executable file", program.value)
	}
	return command
}

// argumentsHint says how a command is written, with the words of a command line where a shell would see nothing but words
// in it.
func argumentsHint(line string) string {
	words := strings.Fields(line)
	if len(words) == 0 || strings.ContainsAny(line, "\"'`\\$&|;<>(){}[]*?!#~=%\n") {
		words = []string{"/usr/local/bin/example", "--verbose"}
	}
	return "an array of the program and each argument, as there is no shell: " + tomlArray("command", words...)
}

// user returns who runs a command.
func (r *reader) user(f field[string]) string {
	name := f.or(defaultUser)
	if r.host != nil && !r.host.UserExists(name) {
		r.doc.errorf(f.at, "user %q does not exist on this machine: expected one that runs the command", name)
	}
	return name
}
