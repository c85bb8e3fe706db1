// SPDX-License-Identifier: Apache-2.0

package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reader turns the tables of a document into a Config. It reads everything even where something is wrong, so that all
// problems are found; values that depend on a wrong one are then meaningless, and so is the Config.
type reader struct {
	doc     *document
	host    Host   // nil: nothing is asked of the machine
	dir     string // where relative file names start
	exposed bool   // others than the file's owner can read it

	checks         map[string]*Check        // by name
	virtualServers map[string]VirtualServer // by name
	tracks         map[string]Track         // by name
	instances      map[string]Instance      // by name

	interfaces  unique[string] // that the file expects to be there
	virtualMACs unique[string] // interfaces that lvs-ha makes itself
}

func newReader(doc *document, host Host, dir string) *reader {
	return &reader{
		doc: doc, host: host, dir: dir,
		checks: make(map[string]*Check), virtualServers: make(map[string]VirtualServer),
		tracks: make(map[string]Track), instances: make(map[string]Instance),
		interfaces: unique[string]{}, virtualMACs: unique[string]{},
	}
}

// config reads the whole file: what others refer to by name comes before them.
func (r *reader) config(root *table) *Config {
	c := &Config{Director: r.director(root.table("director")), Speaker: r.speaker(root.table("speaker"))}
	r.readChecks(root.tables("check"))
	c.VirtualServers = r.readVirtualServers(root.tables("virtual_server"))
	c.Tracks = r.readTracks(root.tables("track"))
	c.Instances = r.readInstances(root.tables("vrrp"))
	c.Sync = r.sync(root.table("sync"))
	c.SyncGroups = r.readSyncGroups(root.tables("sync_group"))
	c.Notifies = r.readNotifies(root.tables("notify"))
	r.checkVirtualMACs()

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

// name reads the name that a table is referred to by, which no other one of its kind has. It is a word: names
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

// reference returns the table that a key names, and reports a name that no such table has. kind is the table's header.
func reference[T any](r *reader, key string, name field[string], kind string, tables map[string]T) (T, bool) {
	t, known := tables[name.value]
	if !known {
		r.doc.errorf(name.at, "%s is %q, expected the name of a %s%s", key, name.value, kind,
			didYouMean(name.value, slices.Sorted(maps.Keys(tables)), strconv.Quote))
	}
	return t, known
}

// file returns a file's name joined to the configuration file's directory.
func (r *reader) file(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.dir, name)
}
