// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// reader turns the tables of a document into a Config. It reads everything even where something is wrong, so that all
// problems are found; values that depend on a wrong one are then meaningless, and so is the Config.
type reader struct {
	doc  *document
	host Host   // nil: nothing is asked of the machine
	dir  string // where relative file names start

	instances map[string]Instance // by name
	checks    map[string]*Check   // by name
}

// config reads the whole file.
func (r *reader) config(root *table) *Config {
	c := &Config{Director: r.director(root.table("director"))}
	sync := root.table("sync")
	c.Instances = r.readInstances(root.tables("vrrp"))
	c.Sync = r.sync(sync)
	r.readChecks(root.tables("check"))
	c.VirtualServers = r.readVirtualServers(root.tables("virtual_server"))

	_, hasInstances := root.values["vrrp"]
	_, hasVirtualServers := root.values["virtual_server"]
	if !hasInstances && !hasVirtualServers {
		r.doc.errorf(0, "the file asks for nothing: expected at least one [[vrrp]] or [[virtual_server]]")
	}
	return c
}

// unique remembers where each key was first used, as an offset in the file.
type unique[K comparable] map[K]int

// use returns the line of the key's first use if this is not the first.
func (u unique[K]) use(key K, at int, d *document) (line int, again bool) {
	first, again := u[key]
	if again {
		return d.line(first), true
	}
	u[key] = at
	return 0, false
}

const maxNameLength = 64

// name reads the name of an instance, check or virtual server, which no other one of its kind has. It is a word: names
// stand in log fields, command lines and metric labels.
func (r *reader) name(t *table, taken unique[string]) string {
	t.require("name", "what the journal, the status and other tables call it")
	name := t.text("name")
	if !name.ok {
		return ""
	}
	foreign := func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("._:@-", c)
	}
	switch {
	case strings.ContainsFunc(name.value, foreign):
		r.doc.errorf(name.at, `name is %q, expected letters, digits and the signs . _ : @ - only`, name.value)
	case utf8.RuneCountInString(name.value) > maxNameLength:
		r.doc.errorf(name.at, "name has %d letters, expected at most %d", utf8.RuneCountInString(name.value), maxNameLength)
	}
	if line, again := taken.use(name.value, name.at, r.doc); again {
		r.doc.errorf(name.at, "name is %q as in the %s of line %d: names must differ", name.value, t.name, line)
	}
	return name.value
}

// maxInterfaceName is IFNAMSIZ of include/uapi/linux/if.h without the final zero byte.
const maxInterfaceName = 15

// interfaceName reads the name of a network interface by the kernel's rules (dev_valid_name in net/core/dev.c). One that
// this machine does not have is a warning.
func (r *reader) interfaceName(t *table) field[string] {
	f := t.text("interface")
	if !f.ok {
		return f
	}
	switch {
	case len(f.value) > maxInterfaceName:
		return refuse(t, f, "interface is %q, expected a name of at most %d bytes", f.value, maxInterfaceName)
	case f.value == "." || f.value == ".." || strings.ContainsAny(f.value, "/:") || strings.ContainsFunc(f.value, unicode.IsSpace):
		return refuse(t, f, `interface is %q, expected a name without "/", ":" and spaces`, f.value)
	}
	if r.host != nil {
		if _, exists := r.host.InterfaceAddresses(f.value); !exists {
			r.doc.warnf(f.at, "interface %q does not exist on this machine: expected one that `ip link` shows", f.value)
		}
	}
	return f
}
