// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// document is a file being read: it turns byte offsets into positions and collects the problems found there.
type document struct {
	file     string
	data     string
	starts   []int // offset of each line's first byte
	problems []Problem
	tables   []*table            // every table that was opened
	known    map[string][]string // keys that were asked for, by the name of the table
	secrets  []string            // values that no output may repeat
}

const byteOrderMark = "\ufeff"

func newDocument(file string, data []byte) *document {
	d := &document{
		file:   file,
		data:   strings.TrimPrefix(string(data), byteOrderMark),
		starts: []int{0},
		known:  make(map[string][]string),
	}
	for i := range len(d.data) {
		if d.data[i] == '\n' {
			d.starts = append(d.starts, i+1)
		}
	}
	return d
}

// root decodes the file and returns its top-level table; false if the file is not TOML. A syntax error ends the
// decoding, so it is the only problem then.
func (d *document) root() (*table, bool) {
	for i, r := range d.data {
		if r == utf8.RuneError && !strings.HasPrefix(d.data[i:], string(utf8.RuneError)) {
			d.errorf(i, "byte 0x%02x is not UTF-8: a TOML file is UTF-8 text", d.data[i])
			return nil, false
		}
	}
	values := make(map[string]any)
	if _, err := toml.Decode(d.data, &values); err != nil {
		at := 0
		if parseError, ok := errors.AsType[toml.ParseError](err); ok {
			at = parseError.Position.Start
			err = errors.New(strings.TrimSuffix(parseError.Message, "."))
			if strings.HasPrefix(parseError.Message, "expected value but found") {
				err = fmt.Errorf("%w (strings stand in quotes)", err)
			}
		}
		d.errorf(at, "not valid TOML: %v", err)
		return nil, false
	}
	return d.open("the file's top level", values, scan(d.data), nil), true
}

// open returns the table with these values for reading. The name is as the operator writes it, "[director]".
func (d *document) open(name string, values map[string]any, at *place, parent *table) *table {
	t := &table{doc: d, name: name, values: values, place: at, parent: parent}
	d.tables = append(d.tables, t)
	return t
}

// errorf reports an error at an offset.
func (d *document) errorf(at int, format string, args ...any) {
	d.report(at, Problem{Message: fmt.Sprintf(format, args...)})
}

// warnf reports a warning at an offset.
func (d *document) warnf(at int, format string, args ...any) {
	d.report(at, Problem{Message: fmt.Sprintf(format, args...), Warning: true})
}

// lackf reports something that this machine lacks, at an offset.
func (d *document) lackf(at int, format string, args ...any) {
	d.report(at, Problem{Message: fmt.Sprintf(format, args...), Warning: true, Lacking: true})
}

// report completes a problem with its position.
func (d *document) report(at int, p Problem) {
	at = max(0, min(at, len(d.data)))
	line := d.line(at)
	start := d.starts[line-1]
	source, _, _ := strings.Cut(d.data[start:], "\n")
	p.File, p.Line, p.Column = d.file, line, 1+utf8.RuneCountInString(d.data[start:at])
	p.Source = strings.TrimSuffix(source, "\r")
	d.problems = append(d.problems, p)
}

// hideSecrets blots out in the problems what the reading found to be secret.
func (d *document) hideSecrets() {
	for i := range d.problems {
		p := &d.problems[i]
		for _, secret := range d.secrets {
			if secret != "" {
				p.Source = strings.ReplaceAll(p.Source, secret, "…")
				p.Message = strings.ReplaceAll(p.Message, strconv.Quote(secret), `"…"`)
			}
		}
	}
}

// line returns the number of the line that an offset is on, from 1.
func (d *document) line(at int) int {
	return sort.Search(len(d.starts), func(i int) bool { return d.starts[i] > at })
}

// reportKeys reports every key that nobody asked for, and every key that must be there and is not. It comes after the
// reading, since where a misplaced key belongs is known only then.
func (d *document) reportKeys() {
	for _, t := range d.tables {
		meant := make(map[string]bool) // by a misspelt key
		for key, value := range t.values {
			if slices.Contains(t.known(), key) {
				continue
			}
			d.errorf(t.place.field(key).key, "%s", t.unknownKey(key, value))
			if known, ok := nearest(key, t.known()); ok {
				meant[known] = true
			}
		}
		for _, r := range t.required {
			if _, given := t.values[r.key]; !given && !meant[r.key] {
				d.errorf(t.place.value, "missing key %q in %s: %s", r.key, t.name, r.what)
			}
		}
	}
}
